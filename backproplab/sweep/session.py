"""A sweep's folder: what it asked, which runs belong to which trial, and what is still missing.

    runs/20191003-153452/
      sweep.json        the whole sweep (written back it is the same sweep), its trials and runs
      learning_rate-0.1_seed-0/ …      the runs, each whole, or paused at the end of a slice
      study.db          of a search

This file must not know who runs the trials.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from backproplab.config import Experiment
from backproplab.errors import DamageError, MachineError, RunError
from backproplab.experiment import account
from backproplab.experiment.account import HParams, Setting, setting
from backproplab.experiment.records import write_failure
from backproplab.files import (
    DiskFolder,
    MemoryFolder,
    link,
    machine_limits,
    sync_directory,
    unusable,
    write_atomic,
    write_together,
)
from backproplab.journal import EVENTS, Journal
from backproplab.runs import read_metrics, run_of
from backproplab.runs.folders import created
from backproplab.runs.run_folder import FORMAT, TRACEBACK, RunFolder
from backproplab.runs.sweep_file import NAME, read_sweep
from backproplab.status import Status
from backproplab.sweep.job import remaining
from backproplab.sweep.reached import Reached
from backproplab.sweep.repeats import Repeat
from backproplab.sweep.space import Sweep
from backproplab.sweep.trials import Trial
from backproplab.text import counted

PARTIAL = ".partial-"  # a run's folder that is being written
BEFORE = ".before-"  # what it takes the place of
FREE = ("lockstep", "max_trials")  # change no result: a sweep may continue with others


@dataclass(frozen=True)
class Job:
    """One trial with one seed and fold: one run."""

    trial: Trial
    repeat: Repeat

    @property
    def folder(self) -> str:
        """Its name in the session."""
        return self.trial.label + self.repeat.suffix

    @property
    def experiment(self) -> Experiment:
        return self.trial.experiment(self.repeat)


class SweepFolder:
    """The session of one sweep; the process that writes to it holds its lock.

    trials: the trials by number, with the names of their runs: what sweep.json tells others.
    """

    def __init__(self, path: Path, sweep: Sweep) -> None:
        self.path = path
        self.sweep = sweep
        written = read_sweep(path).get("trials", [])
        self.trials: dict[int, dict[str, Any]] = {trial["number"]: trial for trial in written}
        self._reached: dict[str, Reached] = {}  # by run
        self._tidy()

    def jobs(self, trial: Trial) -> list[Job]:
        """A job for each seed and fold. The trial is written down before any of them runs.

        Raises RunError if it is another one than was written: it begins with a run that changed.
        """
        written = self.trials.get(trial.number, {}).get("key", trial.key)
        if trial.resolved.init_from and written != trial.key:
            what = f"{trial.resolved.init_from.run} has changed since the sweep began"
            raise RunError(f"{self.path}: {what} — begin a new sweep with it")
        jobs = [Job(trial, repeat) for repeat in self.sweep.repeats]
        self.trials[trial.number] = {
            "number": trial.number,
            "key": trial.key,
            "label": trial.label,
            "values": trial.values,
            "runs": [job.folder for job in jobs],
        }
        return jobs

    def hparams(self, job: Job) -> HParams:
        """The row of its trial in TensorBoard's HPARAMS tab: the data, and what differs."""
        metric, values = self.sweep.metric, job.trial.values
        settings: dict[str, Setting] = {"data": job.trial.resolved.data.name}
        found = {path: values[path] for path in self._varied if values.get(path) is not None}
        settings |= {path: setting(value) for path, value in found.items()}
        group = f"{job.trial.number:03} {job.trial.label} {self.path.name}"
        return HParams(group, settings, metric.name, metric.minimizes, metric.at)

    @cached_property
    def _varied(self) -> list[str]:
        """The paths that trials set to different values; of a search all that it chooses."""
        if search := self.sweep.search:
            return [*search.parameters, *(["learner"] if self.sweep.trials else [])]
        trials = [trial.values for trial in self.sweep.trials]
        paths = dict.fromkeys(path for values in trials for path in values)
        return [path for path in paths if len({repr(v.get(path, paths)) for v in trials}) > 1]

    def write(self) -> None:
        """sweep.json, as far as trials are known."""
        found = {
            "name": self.sweep.name,
            "identity": identity(self.sweep),
            "metric": self.sweep.metric.model_dump(),
            "sweep": self.sweep.tree,
            "trials": [self.trials[number] for number in sorted(self.trials)],
        }
        write_atomic(self.path / NAME, json.dumps(found, indent=1) + "\n")

    def record(self, run: str) -> Mapping[str, Any]:
        """run.json of the run of this name; empty if there is none. Raises DamageError."""
        return RunFolder(DiskFolder(self.path / run)).record

    def status(self, job: Job) -> Status | None:
        """How its run ended, or that it has paused; None if it is to begin, or to begin anew."""
        return self.reached(job).status

    def reached(self, job: Job) -> Reached:
        """How far its run has come."""
        return self._read(job.folder)

    def _read(self, run: str) -> Reached:
        """What its record says, read once: only we write there."""
        if run not in self._reached:
            record = self.record(run)
            status = Status.read(record.get("status"))
            paused = status is Status.PAUSED and record.get("format") == FORMAT
            if paused:
                RunFolder(DiskFolder(self.path / run)).check(record)
            known = status.is_final or paused
            of = run_of(self.path / run, record), self.sweep.metric
            self._reached[run] = Reached.read(*of) if known else Reached()
        return self._reached[run]

    def endings(self, status: Status) -> list[str]:
        """A line for each way in which runs ended so: how many did, and what the first one says.

        Messages that differ in their numbers alone are of one way; so are all divergences.
        """
        ways: dict[str, list[tuple[str, str]]] = {}
        for run in [run for trial in self.trials.values() for run in trial["runs"]]:
            record = self.record(run)
            if record.get("status") == status:
                message = str(record.get("message") or "")
                way = "" if status is Status.DIVERGED else re.sub(r"\d+", "0", message)
                ways.setdefault(way, []).append((run, message))
        lines = []
        for runs in ways.values():
            run, message = runs[0]
            path = self.path / run / TRACEBACK
            place = f" (traceback: {path})" if path.exists() else ""
            example = run if len(runs) == 1 else f"for example {run}"
            lines.append(f"{counted(len(runs), 'run')} {status}, {example}: {message}{place}")
        return lines

    def value(self, run: str) -> float | None:
        """The sweep's metric in the run so far; None if it has none that is finite."""
        return self._read(run).value

    def files(self, job: Job) -> dict[str, bytes]:
        """What a paused run has left for its next slice: of its event files the names alone.

        Raises DamageError for a file that the slice could not use.
        """
        if self.status(job) is not Status.PAUSED:
            return {}
        folder = DiskFolder(self.path / job.folder)
        names = folder.names()
        Journal(folder, (), (), {}).verify()
        read_metrics(folder.path)
        found = {}
        for name in names:
            try:
                found[name] = b"" if EVENTS.fullmatch(name) else folder.read(name)
            except OSError as error:
                raise DamageError(f"{folder.where(name)}: {unusable(error)}") from error
        return found

    def keep(self, left: Sequence[tuple[Job, Mapping[str, bytes]]]) -> None:
        """Write what slices have left: each run appears whole, beside what a paused one had.

        All of it is on the disk before any appears, so that a run that is there says the truth.
        Raises MachineError if it cannot be written, or the session was deleted.
        """
        if not self.path.is_dir():
            raise MachineError(f"{self.path}: cannot write: the folder was deleted")
        try:
            self._keep_together(left)
        except MachineError:
            if len(left) == 1:
                raise
            for one in left:  # as many as there is room for
                self.keep([one])

    def _keep_together(self, left: Sequence[tuple[Job, Mapping[str, bytes]]]) -> None:
        runs = [job.folder for job, _ in left]
        try:
            for job, files in left:
                with machine_limits(self.path / job.folder):
                    self._begin_partial(job, files)
            contents = {
                f"{PARTIAL}{job.folder}/{name}": content
                for job, files in left
                for name, content in files.items()
            }
            write_together(self.path, contents, lambda name: self.path / name.removeprefix(PARTIAL))
            for run in runs:
                with machine_limits(self.path / run):
                    self._reveal(run)
            with machine_limits(self.path):
                sync_directory(self.path)
        finally:
            for run in runs:
                shutil.rmtree(self.path / f"{PARTIAL}{run}", ignore_errors=True)
        for run in runs:
            shutil.rmtree(self.path / f"{BEFORE}{run}", ignore_errors=True)

    def _begin_partial(self, job: Job, files: Mapping[str, bytes]) -> None:
        """A folder with what the slice keeps of a paused run; an empty one for another."""
        partial = self.path / f"{PARTIAL}{job.folder}"
        if self.status(job) is not Status.PAUSED:
            partial.mkdir()
            return
        shutil.copytree(self.path / job.folder, partial, copy_function=link)
        for path in partial.rglob("*"):  # older best weights, which the slice deleted
            name = path.relative_to(partial).as_posix()
            if path.is_file() and name not in files and not EVENTS.fullmatch(name):
                path.unlink()

    def _reveal(self, run: str) -> None:
        """The run's new folder takes the old one's place."""
        final = self.path / run
        if final.exists():
            final.replace(self.path / f"{BEFORE}{run}")
        (self.path / f"{PARTIAL}{run}").replace(final)
        self._reached.pop(run, None)

    def fail(self, job: Job, error: BaseException) -> None:
        """Record that the run has failed, and why, beside what a paused one has left."""
        folder = MemoryFolder(given := self.files(job))
        write_failure(RunFolder(folder), job.experiment, error, self.hparams(job))
        self.keep([(job, remaining(folder.files, given))])

    def end(self, job: Job, status: Status) -> None:
        """End a paused run where it is, as ``pruned``; another is left as it is."""
        record = self.record(job.folder)
        if record.get("status") == Status.PAUSED:
            ended = dict(record) | {"status": status, "stop_reason": status}
            journal = Journal(DiskFolder(self.path / job.folder), (), (), {})
            with closing(journal):
                account.end(journal, ended)
            write_atomic(self.path / job.folder / "run.json", json.dumps(ended, indent=2) + "\n")
            self._reached.pop(job.folder, None)

    def _tidy(self) -> None:
        """Put right what a driver that was killed has left."""
        for partial in self.path.glob(f"{PARTIAL}*"):
            shutil.rmtree(partial)
        for before in self.path.glob(f"{BEFORE}*"):
            final = self.path / before.name.removeprefix(BEFORE)
            shutil.rmtree(before) if final.exists() else before.replace(final)


def identity(sweep: Sweep) -> str:
    """Equal for sweeps that ask the same, in the same order: trials are named by it."""
    asked = sorted((key, value) for key, value in sweep.tree.items() if key not in FREE)
    return hashlib.sha256(json.dumps(asked, default=str).encode()).hexdigest()[:16]


def differences(session: Path, sweep: Sweep) -> list[str]:
    """In which keys the session's sweep differs: ``base.epochs: 2 there, 3 here``."""
    there, here = _flat(read_sweep(session).get("sweep", {})), _flat(sweep.tree)
    found = [
        f"{key}: {there.get(key, 'nothing')} there, {here.get(key, 'nothing')} here"
        for key in [*there, *(key for key in here if key not in there)]
        if there.get(key) != here.get(key)
    ]
    return found or ["the order of its keys"]


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted key -> its value as JSON, without the keys that change no result."""
    found: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            found |= _flat(value, f"{prefix}{key}.")
        elif prefix or key not in FREE:
            found[f"{prefix}{key}"] = json.dumps(value, default=str, ensure_ascii=False)
    return found


def sessions_of(
    root: Path, sweep: Sweep, by: Literal["identity", "name"] = "identity"
) -> Iterator[Path]:
    """The sessions of this sweep in a log root, or of all that are called like it, newest first."""
    wanted = {"identity": identity(sweep), "name": sweep.name}[by]
    for path in sorted(root.glob(f"*/{NAME}"), key=lambda p: created(p.parent), reverse=True):
        with suppress(DamageError):
            if read_sweep(path.parent).get(by) == wanted:
                yield path.parent


def damaged_sessions(root: Path) -> Iterator[str]:
    """A message for each sweep.json in a log root that cannot be read."""
    for path in root.glob(f"*/{NAME}"):
        try:
            read_sweep(path.parent)
        except DamageError as error:
            yield str(error)
