"""run(Experiment, folder) -> Result: train, and write everything about it into a folder.

A run is a pure function of its config, its seed and its data: the folder only receives. This file
knows no terminal; what is shown while it runs comes in as callbacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from backproplab.config import Experiment, to_yaml
from backproplab.errors import DivergedError, RunError
from backproplab.experiment.limits import goals
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.records import first_record, outcome, write_record
from backproplab.files import exists, machine_limits, make_folder, read_whole, write_atomic
from backproplab.runs.folders import object_in
from backproplab.train.callbacks import Best, Callback, Patience, Slice, goal_of
from backproplab.train.loop import Trainer
from backproplab.train.range_test import RangeTest, range_test
from backproplab.train.recording import Checkpoints, EventLog, MetricsTable
from backproplab.train.signals import stopping_on_signals
from backproplab.train.state import Row, RunState


@dataclass(frozen=True)
class Result:
    """How a run ended. ``message`` says more where it did not end well."""

    folder: Path
    state: RunState
    restored_epoch: int = 0
    message: str = ""

    @property
    def status(self) -> str:
        return self.state.status

    @property
    def metrics(self) -> Row:
        return self.state.metrics


def run(
    experiment: Experiment | Parts,
    folder: Path | str,
    callbacks: Sequence[Callback] = (),
    part: Slice | None = None,
) -> Result:
    """Train the experiment and write everything about it into ``folder``, made if it is missing.

    experiment: or what ``build`` made of it, for one run: its own weights are trained.
    part: where to pause; a run that is paused goes on when it is run again in its folder.
    A run that diverged or was stopped by a signal is a result, told by its status; anything else
    that goes wrong is raised, with run.json saying ``failed``.
    """
    parts = experiment if isinstance(experiment, Parts) else build(experiment)
    state = RunState()
    with (
        threadpool_limits(parts.threads),
        stopping_on_signals(state),
        running(parts, Path(folder), callbacks, part, state) as course,
    ):
        course.trainer.fit()
    return course.result


@dataclass
class Course:
    """A run under way in its folder: its trainer and, if it did not end well, why."""

    folder: Path
    trainer: Trainer
    message: str = ""

    @property
    def result(self) -> Result:
        return Result(self.folder, self.trainer.state, self.trainer.restored_epoch, self.message)


@contextmanager
def running(
    parts: Parts,
    folder: Path,
    callbacks: Sequence[Callback] = (),
    part: Slice | None = None,
    state: RunState | None = None,
) -> Iterator[Course]:
    """Around the training of a run: what is written before and after it; see ``run``.

    Left with DivergedError, it has taken note of it.
    """
    before = _paused(folder)
    table = MetricsTable(folder / "metrics.csv")
    config = to_yaml(parts.experiment)
    identity = {"config": hashlib.sha256(config.encode()).hexdigest()}
    trainer, checkpoints = _trainer(
        parts, folder, identity, [table, *callbacks], part, state or RunState()
    )
    record = first_record(parts) | before
    if before:
        checkpoints.take_up(trainer)
        trainer.state.seconds = before["seconds"]
    course = Course(folder, trainer)
    write_atomic(folder / "config.yaml", config)
    write_record(folder, record)
    try:
        yield course
        _test(parts, trainer, table)
    except DivergedError as error:
        course.message = str(error)
    except BaseException:
        trainer.state.status, trainer.state.stop_reason = "failed", "error"
        raise
    finally:
        hashes = record["hashes"] | {
            "batch_order": trainer.order.digest,
            "weights": parts.parameters.fingerprint(),
        }
        write_record(folder, record | {"hashes": hashes} | outcome(trainer))


def _paused(folder: Path) -> dict[str, Any]:
    """What a paused run in the folder keeps of its first record; nothing for a new folder."""
    with machine_limits(folder):
        make_folder(folder, parents=True)
    if not exists(folder / "run.json"):
        return {}
    record = object_in(read_whole(folder / "run.json"))
    if record.get("status") != "paused":
        raise RunError(f"{folder} holds a run already; give each run a folder of its own")
    return {key: record[key] for key in ("started", "hashes", "seconds")}


def find_learning_rate(parts: Parts, smallest: float, largest: float, steps: int) -> RangeTest:
    """The range test of an experiment that is built: its weights are used up, nothing is written.

    Its learning rate, schedule and clipping play no part.
    """
    train, learner, order = parts.split(parts.splits.train), parts.learner(), parts.order()
    batches = (
        (train.inputs, train.encoded) if rows is None else (train.inputs[rows], train.encoded[rows])
        for epoch in iter(order.batches, None)
        for rows in epoch
    )
    with threadpool_limits(parts.threads):
        return range_test(learner, parts.updater(learner), batches, smallest, largest, steps)


def _trainer(
    parts: Parts,
    folder: Path,
    identity: dict[str, str],
    callbacks: list[Callback],
    part: Slice | None,
    state: RunState,
) -> tuple[Trainer, Checkpoints]:
    """The trainer with its callbacks, in the order in which they are told."""
    experiment, splits = parts.experiment, parts.splits
    best, patience = _watchers(parts)
    checkpoints = Checkpoints(folder / "checkpoints", best, identity)
    trainer = Trainer(
        parts.learner(),
        experiment.optimizer,
        parts.rate(),
        parts.order(),
        parts.split(splits.train),
        parts.split(splits.validation) if splits.validation else None,
        parts.metrics,
        experiment.epochs,
        experiment.steps,
        experiment.clipping,
        [
            best,
            checkpoints,
            EventLog(folder, experiment.tensorboard.histograms),
            *callbacks,
            *patience,  # finishes last: what is saved as "last" is not yet the restored best
            *filter(None, [part]),
        ],
        state,
    )
    return trainer, checkpoints


def _watchers(parts: Parts) -> tuple[Best, list[Callback]]:
    """Who remembers the best epoch, and who stops early by it."""
    stopping = parts.experiment.early_stopping
    goal = goal_of(parts.monitor, goals(parts.splits))
    if stopping is None:
        return Best(parts.monitor, goal), []
    goal = goal if stopping.mode == "auto" else stopping.mode
    best = Best(parts.monitor, goal, stopping.min_delta, stopping.start_from_epoch)
    return best, [Patience(stopping, best)]


def _test(parts: Parts, trainer: Trainer, table: MetricsTable) -> None:
    """Evaluate once on the test split, with the weights that the run ends with."""
    if parts.splits.test is None or trainer.state.status != "completed":
        return
    measured = trainer.measure(parts.split(parts.splits.test))
    trainer.state.metrics |= {f"test_{name}": value for name, value in measured.items()}
    table.append(trainer.restored_epoch or trainer.state.epoch, "test", measured)
