"""Numbers as places from 0 to 1, the same in all figures, and round numbers between the ends.

This file must not know what is placed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import ceil, floor, inf, log10

import numpy as np

from backproplab.arrays import Array
from backproplab.report.numerals import plain

SPAN = 10.0  # a metric's scale is logarithmic above this ratio of largest to smallest
FENCE = 3.0  # a value is far out from this many interquartile ranges beyond the worse quartile
DECADES = 1.5  # a log scale reaches this far beyond the quartiles, or as far as they are apart
TINY, HUGE = 1e-200, 1e200  # no axis reaches beyond, so that its ends can be multiplied
TICKS = 6  # about as many round numbers


@dataclass(frozen=True)
class Scale:
    """A linear or logarithmic map from numbers to places: ``low`` to 0, ``high`` to 1."""

    low: float
    high: float
    is_log: bool = False

    @classmethod
    def of(cls, values: Array) -> Scale:
        """The scale of all values; if logarithmic, of those up to DECADES beyond the quartiles."""
        values = np.clip(values, TINY if values.min() > 0 else -HUGE, HUGE)
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
        """The scale of all values that are not far out on the worse side, by ratios if values above
        0 are minimized. sign: as of a Ranking."""
        values = np.array(means)
        scores = np.log10(values) if sign > 0 and values.min() > 0 else sign * values
        middle, worse = np.quantile(scores, [0.25, 0.75])
        fence = worse + FENCE * (worse - middle) if worse > middle else inf
        return cls.of(values[scores <= fence])

    def wider(self, share: float = 0.06) -> Scale:
        """The same with a margin at both ends."""
        if self.is_log:
            factor = (self.high / self.low) ** share if self.high > self.low else 1.5
            return replace(self, low=self.low / factor, high=self.high * factor)
        margin = share * (self.high - self.low) or abs(self.low) * share or 0.5
        return replace(self, low=self.low - margin, high=self.high + margin)

    def fraction(self, value: float) -> float:
        """The share of the way from ``low`` to ``high``; outside the scale below 0 or above 1."""
        if self.low == self.high:
            return 0.5
        if self.is_log and value <= 0:
            return -inf
        low, at, high = (log10(v) if self.is_log else v for v in (self.low, value, self.high))
        return (at - low) / (high - low)

    def ticks(self) -> list[tuple[float, str]]:
        """(place, text) of round numbers."""
        decades = log10(self.high / self.low) if self.is_log and self.low > 0 else 0.0
        numbers = (
            _powers(self.low, self.high, decades) if decades >= 1 else _even(self.low, self.high)
        )
        return [(self.fraction(number), plain(number)) for number in numbers]


def _powers(low: float, high: float, decades: float) -> list[float]:
    """1, 2, 5 of each decade; of more than two decades 1 and 3; of more than three 1."""
    between = (1, 2, 5) if decades <= 2 else (1, 3) if decades <= 3 else (1,)
    step = max(1, ceil(decades / TICKS))
    exponents = range(floor(log10(low)), ceil(log10(high)) + 1)
    found = [float(f"{m}e{e}") for e in exponents if e % step == 0 for m in between]
    return [number for number in found if low <= number <= high]


def _even(low: float, high: float) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    if low == high:
        return [low]
    rough = (high - low) / TICKS
    power = 10.0 ** floor(log10(rough))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough)
    count = range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
    return [float(f"{at * step:.10g}") for at in count]
