"""The job of a sweep: a slice of one run, or of a crew in lockstep, as a pure function.

A worker on any machine calls it: it needs no shared disk, leaves nothing behind, and may run twice
or be lost. What a slice needs of the one before it is what that one has left in the run's folder.
This file must not know the sweep, nor who calls.
"""

from __future__ import annotations

import math
import pickle
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from backproplab import environment, own_parts
from backproplab.config import Experiment
from backproplab.data.given import Given, given_to
from backproplab.data.given import keep as keep_data
from backproplab.errors import ConfigError, described
from backproplab.experiment import Result
from backproplab.experiment.account import HParams
from backproplab.experiment.crew import train_slice
from backproplab.experiment.records import write_failure
from backproplab.files import MemoryFolder
from backproplab.journal import EVENTS
from backproplab.journal.saved import Saved, keep
from backproplab.loop import Pace
from backproplab.notes import collected
from backproplab.runs.run_folder import RunFolder
from backproplab.signals import Flag
from backproplab.status import Status


class UnfitWorkerError(ConfigError):
    """A worker whose packages would compute other bits than the driver's."""


@dataclass(frozen=True)
class Work:
    """One run, from its last position.

    files: what its slices so far have left: path relative to its folder, with ``/`` -> content.
        Event files are given by name, and empty: they are not read again.
    until: the number of epochs after which it shall pause; None for its end.
    hparams: its row in TensorBoard's HPARAMS tab.
    """

    experiment: Experiment
    files: Mapping[str, bytes] = field(default_factory=dict)
    until: int | None = None
    hparams: HParams | None = None


@dataclass(frozen=True)
class Cargo:
    """Works on their way to a process that may lack what they are made of.

    The user's own parts travel as their files, which are executed before anything is unpacked, runs
    that they begin with as their weights, and data that a program gave as they are.
    """

    sources: tuple[own_parts.Source, ...]
    runs: tuple[Saved, ...]
    data: tuple[Given, ...]
    content: bytes

    def unpacked(self) -> Sequence[Work]:
        """Raises UnfitWorkerError where a file cannot be executed."""
        try:
            own_parts.install(self.sources)
        except ConfigError as error:
            raise UnfitWorkerError(f"a worker cannot import {error}") from error
        keep(self.runs)
        keep_data(self.data)
        works: Sequence[Work] = pickle.loads(self.content)
        return works


def packed(works: Sequence[Work]) -> Sequence[Work] | Cargo:
    """The works as any process can take them."""
    paths = {own.path for work in works for own in work.experiment.imports or ()}
    runs = {own.sha256: own.saved() for work in works if (own := work.experiment.init_from)}
    data = {own.sha256: own for work in works for own in given_to(work.experiment.data)}
    if not (paths or runs or data):
        return works
    sources = own_parts.sources(sorted(paths))
    return Cargo(sources, tuple(runs.values()), tuple(data.values()), pickle.dumps(works))


@dataclass(frozen=True)
class Outcome:
    """What came of a run, or of a slice of it.

    status: as in run.json.
    files: those that there are now, without the event files that it was given by name and left.
    error: one line why it failed, else empty.  notes: warnings of packages, or of one that trained
        together with it.
    """

    status: str
    files: dict[str, bytes]
    error: str
    notes: tuple[str, ...] = ()


def run_slice(
    works: Sequence[Work] | Cargo,
    seconds: float = math.inf,
    flag: Flag | None = None,
    versions: Mapping[str, str] | None = None,
) -> list[Outcome]:
    """Continue the runs, in memory; several must be of one shape and at one step.

    They pause when ``seconds`` are over, or once ``flag`` exists.
    Raises UnfitWorkerError if this process has other ``versions``, or cannot execute the user's
    files, and nothing else: an exception that cannot be unpickled would break the pool.
    It trains in a thread of its own, so that no process takes its errors for those of the caller.
    """
    if other := environment.other_versions(versions or {}):
        raise UnfitWorkerError(f"a worker has {other}")
    works = works.unpacked() if isinstance(works, Cargo) else works
    with ThreadPoolExecutor(1, "run") as own, collected() as notes:
        outcomes = own.submit(_outcomes, works, seconds, flag).result()
    return [replace(outcome, notes=tuple(notes)) for outcome in outcomes]


def _outcomes(works: Sequence[Work], seconds: float, flag: Flag | None) -> list[Outcome]:
    folders = [MemoryFolder(work.files) for work in works]
    pace = Pace(seconds=seconds, flag=flag, saves=False)
    try:
        experiments = [work.experiment for work in works]
        untils, rows = [work.until for work in works], [work.hparams for work in works]
        ends = train_slice(experiments, folders, untils, pace, rows)
    except BaseException as error:
        return [_outcome(*run, error) for run in zip(works, folders, strict=True)]
    return list(map(_outcome, works, folders, ends))


def _outcome(work: Work, folder: MemoryFolder, end: Result | BaseException) -> Outcome:
    error = end if isinstance(end, BaseException) else None
    if error:
        write_failure(RunFolder(folder), work.experiment, error, work.hparams)
    files = remaining(folder.files, work.files)
    status = end.status if isinstance(end, Result) else Status.FAILED
    return Outcome(status, files, described(error) if error else "")


def remaining(files: Mapping[str, bytes], given: Mapping[str, bytes]) -> dict[str, bytes]:
    """What a slice leaves of its files: all but event files that it was given and did not write."""
    old = {name for name in given if EVENTS.fullmatch(name)}
    return {name: content for name, content in files.items() if content or name not in old}
