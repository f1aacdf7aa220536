"""Numbers as places from 0 to 1, and a metric as shades of the theme, so that figures agree.

This file must not know what is placed or shaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, log10
from typing import TYPE_CHECKING

import numpy as np

from backproplab.arrays import Array
from backproplab.report.theme import SHADES

if TYPE_CHECKING:
    from matplotlib.ticker import Locator

SPAN = 30.0  # largest over smallest from which the scale of a metric is logarithmic
FENCE = 3.0  # interquartile ranges beyond the worse quartile from which a value is far out
DECADES = 3.0  # that a log scale reaches beyond the quartiles, if they are not further apart


@dataclass(frozen=True)
class Scale:
    """Places of numbers: ``low`` at 0, ``high`` at 1, between them by size or by logarithm.

    falls: ``low`` is at 1 instead.
    """

    low: float
    high: float
    is_log: bool = False
    falls: bool = False

    @classmethod
    def of(cls, values: Array) -> Scale:
        """Of all the values; a logarithmic one of those up to DECADES beyond the quartiles."""
        low, high = float(values.min()), float(values.max())
        if low <= 0 or high / low <= SPAN:
            return cls(low, high)
        logs = np.log10(values)
        first, last = np.quantile(logs, [0.25, 0.75])
        reach = max(DECADES, last - first)
        near = values[(logs >= first - reach) & (logs <= last + reach)]
        return cls(float(near.min()), float(near.max()), is_log=True)

    @classmethod
    def of_metric(cls, means: Sequence[float], sign: int) -> Scale:
        """The best at 1, or beyond it; far worse ones below 0. sign: times this, less is better."""
        scores = sign * np.array(means)
        middle, worse = np.quantile(scores, [0.25, 0.75])
        fence = worse + FENCE * (worse - middle) if worse > middle else inf
        return replace(cls.of(sign * scores[scores <= fence]), falls=sign > 0)

    def place(self, value: float) -> float:
        """Below 0 or above 1: beyond the scale."""
        if self.low == self.high:
            return 0.5
        if self.is_log and value <= 0:
            return inf if self.falls else -inf
        low, at, high = (log10(v) if self.is_log else v for v in (self.low, value, self.high))
        place = (at - low) / (high - low)
        return 1 - place if self.falls else place

    def locator(self) -> Locator:
        """Of round numbers."""
        from matplotlib.ticker import LogLocator, MaxNLocator

        decades = log10(self.high / self.low) if self.is_log else 0.0
        between = (1.0,) if decades > 3 else (1.0, 3.0)
        return LogLocator(subs=between) if decades >= 1 else MaxNLocator(5)

    def ticks(self) -> list[tuple[float, str]]:
        """(place, text) of round numbers."""
        found = [float(tick) for tick in self.locator().tick_values(self.low, self.high)]
        return [(self.place(t), f"{t:g}") for t in found if self.low <= t <= self.high]


@dataclass(frozen=True)
class Shades:
    """A metric in the colors of SHADES, each of as many trials; the last is of the best.

    edges: (SHADES + 1,), of the metric, from the worst to the best.
    """

    edges: Array
    sign: int

    @classmethod
    def of(cls, means: Sequence[float], sign: int) -> Shades:
        shares = np.linspace(1, 0, len(SHADES) + 1)
        return cls(sign * np.quantile(sign * np.array(means), shares), sign)

    def color(self, mean: float) -> str:
        """The color of the light theme, which ``themed`` makes the reader's."""
        inner = -self.sign * self.edges[1:-1]  # ascends
        return SHADES[int(np.searchsorted(inner, -self.sign * mean))][0]
