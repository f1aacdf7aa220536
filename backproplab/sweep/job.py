"""The job of a sweep: a slice of one run, or of several in lockstep, as a pure function.

A worker on any machine calls it: it needs no shared disk, leaves nothing behind, and may run twice
or be lost. What a slice needs of the one before it is what that one has left in the run's folder.
This file must not know the sweep, nor who calls.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from backproplab.config import Experiment
from backproplab.errors import BackpropLabError
from backproplab.experiment import Result, run
from backproplab.experiment.group import run_group
from backproplab.files import MEMORY, files_in_memory
from backproplab.train.callbacks import Deadline, Slice


@dataclass(frozen=True)
class Work:
    """One run, from where it stands.

    files: what its slices so far have left: path relative to its folder, with ``/`` -> content.
        Empty ones stand for files that are not read again.
    until: the epochs of the run after which it shall pause; None for its end.
    """

    experiment: Experiment
    files: Mapping[str, bytes] = field(default_factory=dict)
    until: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of a run, or of a slice of it.

    status: as in run.json; ``failed`` also where there was no run to speak of.
    files: those that there are now, but for the empty ones that were given.
    error: one line why it failed, else empty.
    """

    status: str
    files: dict[str, bytes]
    error: str


def run_slice(
    works: Sequence[Work], seconds: float = math.inf, flag: Path | None = None
) -> list[Outcome]:
    """Go on with the runs, in memory; several must be of one shape and epoch.

    They pause when their time is over, or once a file named ``flag`` is there.
    Never raises: an exception that cannot be unpickled would break the pool that carries it.
    Signals are left to the driver, wherever this is called: ``run`` listens to them in a process's
    main thread only, so it gets a thread of its own.
    """
    with ThreadPoolExecutor(1, "run") as own:
        return own.submit(_outcomes, works, seconds, flag).result()


def _outcomes(works: Sequence[Work], seconds: float, flag: Path | None) -> list[Outcome]:
    try:
        folders = [MEMORY / str(number) for number in range(len(works))]
        given = {
            folder / name: content
            for work, folder in zip(works, folders, strict=True)
            for name, content in work.files.items()
        }
        with files_in_memory(given) as left:
            ends = _ends(works, folders, seconds, flag)
        files: dict[str, dict[str, bytes]] = {folder.name: {} for folder in folders}
        for path, content in left.items():
            if given.get(path) != b"":
                number, *parts = path.relative_to(MEMORY).parts
                files[number]["/".join(parts)] = content
        return [_outcome(f, end, files[f.name]) for f, end in zip(folders, ends, strict=True)]
    except BaseException as error:
        return [Outcome("failed", {}, _told(error))] * len(works)


def _ends(
    works: Sequence[Work], folders: Sequence[Path], seconds: float, flag: Path | None
) -> Sequence[Result | BaseException]:
    deadline = Deadline(seconds, flag)
    slices = [Slice(work.until, deadline) for work in works]
    if len(works) > 1:
        return run_group([work.experiment for work in works], folders, slices)
    try:
        return [run(works[0].experiment, folders[0], part=slices[0])]
    except BaseException as error:
        return [error]


def _outcome(folder: Path, end: Result | BaseException, files: dict[str, bytes]) -> Outcome:
    if isinstance(end, BaseException):
        return Outcome("failed", files, _told(end).replace(f"{folder}/", ""))
    return Outcome(end.status, files, "")


def _told(error: BaseException) -> str:
    """A fault that users can meet by its message; any other also by its kind and place."""
    if isinstance(error, BackpropLabError):
        return str(error)
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} ({Path(place.filename).name}:{place.lineno})"
