"""Standing: how far a sweep is, for its display."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import fmean

from backproplab.status import Status

STOPPING = "stopping after the steps under way; Ctrl-C again stops at once"


@dataclass
class Standing:
    """How far a sweep is.

    total: runs in all.  seeds: runs a trial.  minimizes: less of the metric is better.
    metric: the name of the value that trials are ranked by.
    done: ended runs by status, those that were there before included.
    running: runs handed out.  workers: that are there at this moment.  about_workers: what else is
    to be said about them.  stopping: after a signal.
    errors: by run.  warnings: of packages, with the runs in which each came.
    best: (mean over its seeds, label) of the best trial so far that is whole.
    """

    total: int
    seeds: int
    minimizes: bool
    metric: str = "val_loss"
    done: Counter[str] = field(default_factory=Counter)
    running: int = 0
    workers: int = 0
    about_workers: list[str] = field(default_factory=list)
    stopping: bool = False
    best: tuple[float, str] | None = None
    errors: dict[str, str] = field(default_factory=dict)
    warnings: dict[str, set[str]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    before: int = 0
    values: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))

    @property
    def finished(self) -> int:
        return sum(self.done.values())

    @property
    def seconds(self) -> float:
        """Since the sweep began, or was taken up again."""
        return time.monotonic() - self.started

    @property
    def all_diverged(self) -> bool:
        """Whether every run of the sweep has ended so."""
        return self.total > 0 and self.done[Status.DIVERGED] == self.total

    @property
    def notes(self) -> list[str]:
        """What is to be said of the work: ``no worker yet``, workers that left, stopping."""
        found = [] if self.workers else ["no worker yet"]
        found += self.about_workers
        return [*found, STOPPING] if self.stopping else found

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None before the first run has ended."""
        ran = self.finished - self.before
        pace = self.seconds / ran if ran > 0 else None
        return None if pace is None else pace * (self.total - self.finished)

    def count(self, status: str, label: str, value: float | None) -> None:
        """One more run has ended, of the trial ``label``, with this value of the metric."""
        self.done[status] += 1
        if value is None:
            return
        values = self.values[label]
        values.append(value)
        if len(values) == self.seeds:
            mean = fmean(values)
            if self.best is None or (mean < self.best[0]) is self.minimizes:
                self.best = mean, label
