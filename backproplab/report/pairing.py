"""How much worse a trial is than the best one, seed by seed, and how sure that is.

The spread of a metric over seeds is mostly that of the splits and first weights that the seeds
draw. Trials with the same seeds share these, so that their differences by seed say more than their
means. This file must not know how it is shown.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backproplab.report.trials import RankedTrial

BEST, TIE, UNSURE, WORSE = "best", "tie", "worse?", "worse"
SIGNS = {BEST: "●", TIE: "≈", UNSURE: "?", WORSE: " "}
LEGEND = (
    "Δ: mean difference to #1 over the seeds that both have. beats #1: on how many of these seeds. "
    "≈ tie: the 95 % interval of Δ (Student's t) includes 0, and it is better on some seed. "
    "? worse: worse or equal on every seed, but the interval includes 0. worse: the interval does "
    "not include 0."
)
MANY = 10_000  # seeds that nobody trains
T_97_5 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Quantiles of Student's t for 1, 2, … degrees of freedom."""


@dataclass(frozen=True)
class Paired:
    """A trial against the best one. differences: its metric minus the best one's, for each seed.

    sign: 1 if a larger difference is worse, -1 if it is better.
    """

    differences: Sequence[float]
    sign: int

    @property
    def mean(self) -> float:
        return statistics.fmean(self.differences)

    @property
    def wins(self) -> int:
        """The number of seeds on which the trial is better than the best one."""
        return sum(self.sign * difference < 0 for difference in self.differences)

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the mean by Student's t; None for fewer than two seeds."""
        count = len(self.differences)
        if count < 2:
            return None
        reach = quantile(count - 1) * statistics.stdev(self.differences) / math.sqrt(count)
        return self.mean - reach, self.mean + reach

    @property
    def seeds_to_tell(self) -> int | None:
        """Of how many seeds the interval would end at 0, if mean and spread stayed as they are;
        None if no number of seeds separates them, or fewer than two are known."""
        if len(self.differences) < 2 or not self.mean:
            return None
        deviation = statistics.stdev(self.differences)
        needed = abs(self.mean) / deviation if deviation else math.inf
        least = max(2, min(MANY, int((1.96 / needed) ** 2)))
        reach = (n for n in range(least, MANY) if quantile(n - 1) / math.sqrt(n) <= needed)
        return next(reach, None)

    @property
    def verdict(self) -> str:
        """TIE, UNSURE or WORSE; empty for fewer than two seeds."""
        if self.interval is None:
            return ""
        low, high = self.interval
        if low <= 0 <= high:
            return TIE if self.wins or not any(self.differences) else UNSURE
        return WORSE if self.sign * self.mean > 0 else TIE


def legend(repeats: str) -> str:
    """How to read the columns. repeats: the word for what pairs are of, ``seeds`` or ``folds``."""
    return LEGEND.replace("seeds", repeats).replace("seed", repeats.removesuffix("s"))


def quantile(freedom: int) -> float:
    """The 97.5 % quantile of Student's t; from 11 on by Cornish and Fisher's series."""
    if freedom <= len(T_97_5):
        return T_97_5[freedom - 1]
    z = 1.959964
    first, second = (z**3 + z) / 4, (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / freedom + second / freedom**2


def paired(trial: RankedTrial, best: RankedTrial) -> Paired | None:
    """The differences on the seeds that both trials have; None if there are none."""
    name = best.metric.name
    ours, theirs = trial.by_seed(name), best.by_seed(name)
    differences = [ours[seed] - theirs[seed] for seed in theirs if seed in ours]
    return Paired(differences, best.metric.sign) if differences else None
