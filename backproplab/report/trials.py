"""RankedTrial: the runs of one trial, and what their metrics say of it.

This file must not know other trials.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

from backproplab.learners import Baseline
from backproplab.measures import LOSS, Goal, parsed
from backproplab.report.gathering import Record
from backproplab.status import Status


@dataclass(frozen=True)
class Ranking:
    """The metric that ranks trials. at: its value in a run's best epoch by this metric, or last."""

    name: str
    goal: Goal
    at: Literal["best", "last"] = "best"

    @property
    def sign(self) -> int:
        """Multiplied by this factor, a lower value is better."""
        return 1 if self.goal == "min" else -1


@dataclass(frozen=True)
class RankedTrial:
    """Runs that differ at most by their seed and fold.

    values: of the keys that differ, by dotted path.
    asked: its planned number of runs; 0 if unknown.
    """

    records: tuple[Record, ...]
    metric: Ranking
    values: dict[str, Any] = field(default_factory=dict)
    asked: int = 0

    @cached_property
    def counted(self) -> tuple[Record, ...]:
        """The runs that statistics use: completed and pruned ones, else unfinished ones.

        Of several runs with one seed and fold the newest: a repetition is no further sample.
        """
        counted = [r for r in self.records if r.info.status.counts]
        counted = counted or [r for r in self.records if r.info.status.is_under_way]
        newest: dict[Any, Record] = {}
        for record in counted:
            repeat = record.info.folder if record.seed is None else record.repeat
            if repeat not in newest or record.info.instant > newest[repeat].info.instant:
                newest[repeat] = record
        return tuple(newest.values())

    @property
    def status(self) -> str:
        """``completed``, ``diverged``, ``diverged 2/5``, ``missing 2/3``."""
        total = max(self.asked, len(self.records))
        counts = Counter[str](record.info.status for record in self.records)
        counts += Counter(missing=total - len(self.records))
        if len(counts) == 1:
            return next(iter(counts))
        bad = {status: n for status, n in sorted(counts.items()) if status != Status.COMPLETED}
        return ", ".join(f"{status} {n}/{total}" for status, n in bad.items())

    def numbers(self, name: str) -> list[float]:
        """The finite values of a metric, one for each counted run that has it."""
        found = [value_of(record, name, self.metric.at) for record in self.counted]
        return [value for value in found if value is not None]

    def by_seed(self, name: str) -> dict[str, float]:
        """The finite values of a metric by seed and fold, of the counted runs; none of a trial
        without a mean, which nothing can be compared with in pairs."""
        if self.is_infinite(name):
            return {}
        found = {r.repeat: value_of(r, name, self.metric.at) for r in self.counted}
        return {seed: value for seed, value in found.items() if value is not None}

    def is_infinite(self, name: str) -> bool:
        """Whether a completed run has an infinite loss: of a class that was said to be impossible.

        Then no mean is known: that of the other runs would flatter.
        """
        if parsed(name)[1] != LOSS.name:
            return False
        ended = [r for r in self.counted if r.info.status is Status.COMPLETED]
        measured = [r.details.get("metrics") for r in ended]
        return any(isinstance(m, dict) and name in m and m[name] is None for m in measured)

    def mean(self, name: str) -> float | None:
        numbers = [] if self.is_infinite(name) else self.numbers(name)
        return statistics.fmean(numbers) if numbers else None

    def std(self, name: str) -> float | None:
        """The sample standard deviation (n - 1); None for fewer than two runs."""
        numbers = [] if self.is_infinite(name) else self.numbers(name)
        return statistics.stdev(numbers) if len(numbers) > 1 else None

    @property
    def is_baseline(self) -> bool:
        """Whether scikit-learn has fitted it."""
        learner = self.records[0].config.get("learner")
        name = learner.get("name") if isinstance(learner, dict) else learner
        return name in Baseline.members

    @property
    def best_record(self) -> Record:
        """The run with the best value; the first if none has a value."""
        name, sign = self.metric.name, self.metric.sign

        def badness(record: Record) -> float:
            value = value_of(record, name, self.metric.at)
            return math.inf if value is None else sign * value

        return min(self.counted or self.records, key=badness)

    @property
    def rank_key(self) -> tuple[int, float]:
        """Sort key: all runs completed, some, none, none measured; then the mean."""
        mean = self.mean(self.metric.name)
        if mean is None:
            return 3, 0.0
        statuses = [record.info.status for record in self.records]
        done = 0 if Status.PRUNED in statuses else statuses.count(Status.COMPLETED)
        whole = done == max(self.asked, len(statuses))
        return (0 if whole else 1 if done else 2), self.metric.sign * mean


def value_of(record: Record, name: str, at: str = "best") -> float | None:
    """A finite metric of one run, or None; a test metric is measured once, without best epoch."""
    info = record.info
    value = info.best.get(name) if at == "best" and name != "epoch" else None
    value = info.metrics.get(name) if value is None else value
    return value if value is not None and math.isfinite(value) else None
