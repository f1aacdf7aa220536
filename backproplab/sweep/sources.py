"""Sources: which runs a sweep asks for, and which of them go on.

A grid knows all of its trials; a search chooses them as it goes, and its pruner ends some early.
This file must not know who runs them.
"""

from __future__ import annotations

from statistics import fmean
from typing import Protocol

from backproplab.sweep.search import Searcher
from backproplab.sweep.session import Job, SweepFolder
from backproplab.sweep.trials import Trial

Verdict = tuple[list[Job], list[Job]]  # (those that go on, those that were pruned)


class Source(Protocol):
    """Where jobs come from.

    ordered: what it asks for depends on what it was told, so it is told in the order of asking.
    eager: it asks for as many as can be used; else for one trial at a time.
    """

    ordered: bool
    eager: bool

    def more(self) -> list[Job]:
        """The next runs: of one trial, or of all; none after the last."""

    def until(self, job: Job) -> int | None:
        """The epoch after which the run, as it stands, shall pause."""

    def settled(self, job: Job) -> Verdict:
        """A run has paused or ended."""


class Grid:
    """All trials, known beforehand."""

    ordered = False
    eager = False

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.given = False

    def more(self) -> list[Job]:
        if self.given:
            return []
        self.given = True
        jobs = [job for trial in self.folder.sweep.trials for job in self.folder.jobs(trial)]
        self.folder.write()
        return jobs

    def until(self, job: Job) -> int | None:
        return None

    def settled(self, job: Job) -> Verdict:
        return ([job], []) if self.folder.status(job) == "paused" else ([], [])


class Chosen:
    """The trials of a search.

    A trial whose runs have all reached a rung is judged by their mean: it goes on, or is pruned.
    A trial one of whose runs has diverged or failed has no mean, and is pruned there.
    """

    def __init__(self, folder: SweepFolder, searcher: Searcher) -> None:
        self.folder = folder
        self.searcher = searcher
        search = searcher.search
        self.pruner = search.pruner
        self.ordered = self.pruner is not None or searcher.learns
        self.eager = not searcher.learns
        self.asked = searcher.waiting()  # by a driver that was stopped
        told = searcher.finished()
        self.before = [trial for number, trial in folder.trials.items() if number in told]
        self.left: dict[int, dict[str, Job]] = {}  # by trial: the runs that have not ended
        self.gate: dict[int, set[str]] = {}  # of these, the runs that wait at a rung

    def more(self) -> list[Job]:
        if self.before:
            return [job for trial in self._taken_before() for job in self.folder.jobs(trial)]
        found = self.asked.pop(0) if self.asked else self.searcher.ask()
        if found is None:
            return []
        trial = self.folder.sweep.trial(*found)
        jobs = self.folder.jobs(trial)
        self.folder.write()
        self.left[trial.number] = {job.folder: job for job in jobs}
        self.gate[trial.number] = set()
        return jobs

    def until(self, job: Job) -> int | None:
        if self.pruner is None:
            return None
        epoch = self.folder.epoch(job)
        rungs = self.pruner.rungs(job.trial.resolved.epochs)
        return next((rung for rung in rungs if rung > epoch), None)

    def settled(self, job: Job) -> Verdict:
        number = job.trial.number
        if number not in self.left:  # told by a driver before us
            return [], []
        left, gate = self.left[number], self.gate[number]
        if self.folder.status(job) != "paused":
            del left[job.folder]
        elif self._at_rung(job):
            gate.add(job.folder)
        else:
            return [job], []
        if left.keys() - gate:
            return [], []
        return self._judged(number, list(left.values())) if left else self._told(number)

    def _at_rung(self, job: Job) -> bool:
        rungs = self.pruner.rungs(job.trial.resolved.epochs) if self.pruner else ()
        return self.folder.epoch(job) in rungs

    def _judged(self, number: int, jobs: list[Job]) -> Verdict:
        self.gate[number].clear()
        mean = self._mean(number)
        epoch = self.folder.epoch(jobs[0])
        if mean is not None and not self.searcher.prunes(number, epoch, mean):
            return jobs, []
        for job in jobs:
            self.folder.prune(job)
        self.left[number].clear()
        self.searcher.tell(number, None)
        return [], jobs

    def _told(self, number: int) -> Verdict:
        self.searcher.tell(number, self._mean(number))
        return [], []

    def _mean(self, number: int) -> float | None:
        """Of the metric over the trial's seeds, where they stand; None if one has none."""
        values = [self.folder.value(name) for name in self.folder.trials[number]["runs"]]
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None

    def _taken_before(self) -> list[Trial]:
        """The trials that were told before, once."""
        trials, self.before = self.before, []
        return [self.folder.sweep.trial(t["number"], t["values"]) for t in trials]
