"""The job of a sweep: a slice of one run, or of a crew in lockstep, as a pure function.

A worker on any machine calls it: it needs no shared disk, leaves nothing behind, and may run twice
or be lost. What a slice needs of the one before it is what that one has left in the run's folder.
This file must not know the sweep, nor who calls.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from backproplab.config import Experiment
from backproplab.errors import described
from backproplab.experiment import Result
from backproplab.experiment.crew import train_slice
from backproplab.experiment.records import write_failure
from backproplab.files import MemoryFolder
from backproplab.loop import Pace
from backproplab.runs.run_folder import RunFolder
from backproplab.status import Status


@dataclass(frozen=True)
class Work:
    """One run, from its last position.

    files: what its slices so far have left: path relative to its folder, with ``/`` -> content.
        Empty ones stand for files that are not read again.
    until: the number of epochs after which it shall pause; None for its end.
    """

    experiment: Experiment
    files: Mapping[str, bytes] = field(default_factory=dict)
    until: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a run, or of a slice of it.

    status: as in run.json.
    files: those that there are now, except given ones that are still empty.
    error: one line why it failed, else empty.
    """

    status: str
    files: dict[str, bytes]
    error: str


def run_slice(
    works: Sequence[Work], seconds: float = math.inf, flag: Path | None = None
) -> list[Outcome]:
    """Continue the runs, in memory; several must be of one shape and at one step.

    They pause when ``seconds`` are over, or once a file named ``flag`` is there.
    Never raises: an exception that cannot be unpickled would break the pool that carries it.
    It trains in a thread of its own, so that no process takes its errors for those of the caller.
    """
    with ThreadPoolExecutor(1, "run") as own:
        return own.submit(_outcomes, works, seconds, flag).result()


def _outcomes(works: Sequence[Work], seconds: float, flag: Path | None) -> list[Outcome]:
    folders = [MemoryFolder(work.files) for work in works]
    pace = Pace(seconds=seconds, flag=flag, saves=False)
    try:
        experiments = [work.experiment for work in works]
        ends = train_slice(experiments, folders, [work.until for work in works], pace)
    except BaseException as error:
        return [_outcome(*run, error) for run in zip(works, folders, strict=True)]
    return list(map(_outcome, works, folders, ends))


def _outcome(work: Work, folder: MemoryFolder, end: Result | BaseException) -> Outcome:
    error = end if isinstance(end, BaseException) else None
    if error:
        write_failure(RunFolder(folder), work.experiment, error)
    files = {n: content for n, content in folder.files.items() if content or n not in work.files}
    status = end.status if isinstance(end, Result) else Status.FAILED
    return Outcome(status, files, described(error) if error else "")
