"""How the runs of a trial ended: the epoch that was best, what became of the metric after it.

All of it is in run.json. This file must not know how it is shown.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import inf, isfinite, log
from statistics import fmean
from typing import Literal

from backproplab.learners import Learner
from backproplab.learners.descent import CONVERGED
from backproplab.measures import LOSS, parsed
from backproplab.report.comparison import Comparison
from backproplab.report.gathering import Record
from backproplab.report.trials import RankedTrial, value_of
from backproplab.status import Status

Word = Literal["still improving", "level", "worsens", "blew up", "diverged", ""]
WORSE = 1.1  # a metric worsens if it ends this many times above its best
BLOWN = 100.0  # and has blown up from this many times on
MODEL = re.compile(r"\d+(?:-\d+)*-(\d+)\b")  # 64-32-10 relu


@dataclass(frozen=True)
class Outcome:
    """best, last: means of the metric over the runs that count, in their best and last epochs;
    ``last`` is infinite if one of them is. lost: epochs in which runs diverged. sign: as of a
    Ranking. timed: more epochs would lead no further."""

    best_epochs: tuple[int, ...]
    epochs: tuple[int, ...]
    best: float | None
    last: float | None
    lost: tuple[int, ...]
    runs: int
    sign: int
    timed: bool = False

    @property
    def growth(self) -> float | None:
        """The last value divided by the best one; None unless it is a loss above 0."""
        if self.best is None or self.last is None or self.sign < 0 or self.best <= 0:
            return None
        return self.last / self.best

    @property
    def ends_at_best(self) -> bool:
        """Whether the last epoch was the best one in every run."""
        return bool(self.best_epochs) and self.best_epochs == self.epochs

    @property
    def word(self) -> Word:
        """What the metric did after its best epoch."""
        if self.best is None:
            return "diverged" if self.lost else ""
        if self.ends_at_best:
            return "level" if self.timed else "still improving"
        growth = self.growth
        if growth is None:
            return ""
        return "blew up" if growth > BLOWN else "worsens" if growth > WORSE else "level"


def outcome(trial: RankedTrial) -> Outcome:
    """The outcome of a trial by the metric that ranks it."""
    name, counted = trial.metric.name, trial.counted
    best = [int(r.info.best["epoch"]) for r in counted if r.info.best.get("epoch")]
    ends = [r.info.metrics[name] for r in counted if name in r.info.metrics]
    last = fmean(ends) if all(map(isfinite, ends)) and ends else inf if ends else None
    lost = [r.info.epochs + 1 for r in trial.records if r.info.status is Status.DIVERGED]
    ended = [r.info.epochs for r in counted if r.info.best.get("epoch")]
    count = max(trial.asked, len(trial.records))
    mean = trial.mean(name)
    ends_in = mean, last, tuple(lost), count, trial.metric.sign
    return Outcome(tuple(best), tuple(ended), *ends_in, all(map(_is_over, counted)))


def _is_over(record: Record) -> bool:
    """Whether the gradient was small at its end, or the learner's own fields say where it ends."""
    if record.info.stop_reason == CONVERGED:
        return True
    learner = record.config.get("learner")
    known = Learner.members.get(learner["name"] if isinstance(learner, dict) else str(learner))
    return known is not None and known.timed


def guess(comparison: Comparison) -> tuple[float, str] | None:
    """(loss of a guess among K equal classes, ``ln K``) if all runs have K classes, else None."""
    _, measure = parsed(comparison.metric.name)
    if measure != LOSS.name or not any("accuracy" in name for name in comparison.names):
        return None
    found = {MODEL.match(str(record.details.get("model", ""))) for record in comparison.records}
    classes = {int(match[1]) for match in found if match}
    if None in found or len(classes) != 1:
        return None
    count = max(classes.pop(), 2)  # two classes have one output
    return log(count), f"ln {count}"


def value_by_seed(trial: RankedTrial) -> dict[str, float]:
    """The metric of each seed, of the runs that count."""
    name, at = trial.metric.name, trial.metric.at
    found = {r.repeat: value_of(r, name, at) for r in trial.counted}
    return {seed: value for seed, value in found.items() if value is not None}


def span(numbers: Collection[int]) -> str:
    """``2–10``, or the one that all are; empty for none."""
    ends: Sequence[int] = sorted({*numbers})
    return "" if not ends else str(ends[0]) if len(ends) == 1 else f"{ends[0]}–{ends[-1]}"
