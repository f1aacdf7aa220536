"""run(Experiment, folder) -> Result: train, and write everything about it into a folder.

A run is a pure function of its config, its seed and its data: the folder only receives. This file
knows no terminal; what is shown while it runs comes in as displays.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from backproplab.config import Experiment
from backproplab.data.given import on_given
from backproplab.experiment.account import HParams
from backproplab.experiment.course import Course, Result
from backproplab.experiment.parts import Parts, build
from backproplab.files import DiskFolder, UnwrittenFolder
from backproplab.loop import Callback, Display, Loop, Pace
from backproplab.ranks import ONE, Ranks
from backproplab.signals import Stop, StopNow, listening


def run(
    experiment: Experiment | Parts,
    folder: Path | str,
    callbacks: Sequence[Callback] = (),
    displays: Sequence[Display] = (),
    hparams: HParams | None = None,
    ranks: Ranks = ONE,
    data: Any = None,
) -> Result:
    """Train the experiment and write everything about it into ``folder``, made if it is missing.

    experiment: or what ``build`` made of it.  callbacks: look at the run, and are part of what is
    saved.  displays: show it.  hparams: its row in TensorBoard's HPARAMS tab; none by default.
    ranks: that train it together, unless it is built; only rank 0 writes.  data: in place of the
    experiment's: (X, y) or a data frame; the config records their SHA-256.
    A run that diverged or was stopped by a signal is a result, as its status says; anything else
    that goes wrong is raised, with run.json saying ``failed``. Raises RunError for a folder that
    is not empty.
    """
    if data is not None and isinstance(experiment, Experiment):
        own = on_given(experiment.data, data)
        experiment = experiment.model_copy(update={"data": own})
    parts = experiment if isinstance(experiment, Parts) else build(experiment, ranks=ranks)
    with limits_of(parts) as stop:
        course = Course(parts, folder_of(Path(folder), parts.ranks), callbacks, hparams=hparams)
        course.begin()
        return train(course, Pace(stop, ranks=parts.ranks), displays)


def folder_of(path: Path, ranks: Ranks) -> DiskFolder | UnwrittenFolder:
    """Where a run writes: rank 0 on the disk, the others nowhere."""
    folder = DiskFolder(path)
    return UnwrittenFolder(folder) if ranks.rank else folder


@contextmanager
def limits_of(parts: Parts) -> Iterator[Stop]:
    """Around a run: its threads of BLAS, and signals as a request to stop."""
    stop = Stop()
    with threadpool_limits(parts.threads), listening(stop.request):
        yield stop


def train(course: Course, pace: Pace, displays: Sequence[Display] = ()) -> Result:
    """Train the run to its end, or to where it stops.

    Raises RankError where another rank has failed; the position before that is saved.
    """
    learner = course.parts.experiment.learner
    try:
        course.compare()
        for lane in Loop(learner, [course.lane], pace, displays).run():
            if lane.error:
                raise lane.error
            result = course.conclude(pace)
            if pace.ranks.failure:
                raise pace.ranks.failure
            return result
        raise AssertionError("a lane has an end")
    except StopNow as signal:
        course.fail(signal)
        if pace.ranks.size > 1:  # the others may be anywhere
            raise
        return course.result
    except BaseException as error:
        course.fail(error)
        raise
