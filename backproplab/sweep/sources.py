"""Sources: which runs a sweep asks for, and which of them continue.

A grid knows all of its trials; a search chooses them as it goes, and its pruner ends some early.
This file must not know who runs them.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Protocol

from backproplab.status import Status
from backproplab.sweep.schema import Median
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import Job, SweepFolder


class Stage:
    """Runs that are waited for together, until all have ended or done ``until`` epochs.

    until: None for the end. missing: the runs that have not arrived, by folder.
    """

    def __init__(self, jobs: Sequence[Job], until: int | None = None) -> None:
        self.jobs = jobs
        self.until = until
        self.missing = {job.folder for job in jobs}


class TrialSource(Protocol):
    """Where runs come from.

    ordered: what it asks for depends on earlier results, so stages are settled in the order of
    asking. eager: it asks for as many as can be used; else for no more than are needed.
    """

    ordered: bool
    eager: bool

    def more(self) -> list[Stage]:
        """The next runs: of one trial, or of all; none after the last."""

    def settled(self, stage: Stage) -> list[Stage]:
        """All of its runs have arrived: what follows."""


class Grid:
    """All trials, known beforehand."""

    ordered = False
    eager = False

    def __init__(self, folder: SweepFolder) -> None:
        self.folder = folder
        self.given = False

    def more(self) -> list[Stage]:
        if self.given:
            return []
        self.given = True
        jobs = [job for trial in self.folder.sweep.trials for job in self.folder.jobs(trial)]
        self.folder.write()
        return [Stage([job]) for job in jobs]

    def settled(self, stage: Stage) -> list[Stage]:
        return []


class Chosen:
    """The baselines of a search, if it has any, and the trials that it chooses.

    A trial whose runs have all reached a rung is judged by their mean: it continues, or is pruned.
    A trial one of whose runs has diverged or failed has no mean, and is pruned there.
    """

    def __init__(self, folder: SweepFolder, searcher: Searcher) -> None:
        self.folder = folder
        self.searcher = searcher
        self.pruner = searcher.search.pruner
        self.ordered = self.pruner is not None or searcher.learns
        # a median is of trials that are whole
        self.eager = not (searcher.learns or isinstance(self.pruner, Median))
        self._baselines = Grid(folder)

    def more(self) -> list[Stage]:
        if baselines := self._baselines.more():
            return baselines
        found = self.searcher.ask()
        if found is None:
            return []
        new = found[0] not in self.folder.trials
        jobs = self.folder.jobs(self.folder.sweep.trial(*found))
        if new:
            self.folder.write()
        return [Stage(jobs, self._rung(jobs[0], 0))]

    def settled(self, stage: Stage) -> list[Stage]:
        number, until = stage.jobs[0].trial.number, stage.until
        if number >= (self.searcher.search.num_trials or 0):
            return []
        if until is None:
            self.searcher.tell(number, self._mean(number))
            return []
        known = self.searcher.known(number, until)
        left = [job for job in stage.jobs if self._paused_at(job, until, known)]
        mean = self._mean(number) if known is None else known
        if left and mean is not None and not self.searcher.prunes(number, until, mean):
            return [Stage(left, self._rung(left[0], until))]
        for job in left:
            self.folder.end(job, Status.PRUNED)
        self.searcher.tell(number, None if left else mean, pruned=bool(left) and mean is not None)
        return []

    def _rung(self, job: Job, epoch: int) -> int | None:
        """The epoch after this one at which the trial is judged; None if it is not."""
        rungs = self.pruner.rungs(job.trial.resolved.epochs) if self.pruner else ()
        return next((rung for rung in rungs if rung > epoch), None)

    def _paused_at(self, job: Job, rung: int, known: float | None) -> bool:
        """Whether the run has paused at the rung, now or before: it may be far beyond by now."""
        epoch = self.folder.reached(job).epoch
        paused = self.folder.status(job) is Status.PAUSED
        return paused or epoch > rung or (epoch == rung and known is not None)

    def _mean(self, number: int) -> float | None:
        """The mean of the metric over the trial's seeds so far; None if one has none."""
        values = [self.folder.value(name) for name in self.folder.trials[number]["runs"]]
        known = [value for value in values if value is not None]
        return fmean(known) if len(known) == len(values) else None
