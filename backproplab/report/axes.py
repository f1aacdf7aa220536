"""An axis of a figure for a key of the config: numbers sorted by size, words by name.

This file must not know what is drawn on the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from backproplab.layout import shortened
from backproplab.report.comparison import labels_of
from backproplab.report.differences import ABSENT
from backproplab.report.scales import Scale
from backproplab.report.trials import RankedTrial

RATIO = 100.0  # a scale is logarithmic from this ratio of largest to smallest number
LETTERS = 18  # longest label
STEP = 0.15  # distance of a value beside the scale, as a share of the scale


@dataclass(frozen=True)
class Axis:
    """ticks: the distinct values, sorted. is_log: for a learning rate or a wide range.

    places: the coordinate of each tick; of words its index. labels: one for each tick, unique.
    apart: ticks that have no place on the scale of numbers and are drawn before its start: "not
    set", and 0 on a logarithmic scale. name: of the axis; the key, or the item of a list.
    """

    key: str
    ticks: tuple[Any, ...]
    is_number: bool
    is_log: bool
    places: tuple[float, ...]
    labels: tuple[str, ...]
    apart: int = 0
    name: str = ""

    @classmethod
    def of(cls, key: str, trials: Sequence[RankedTrial]) -> Axis:
        distinct = {repr(value): value for value in (trial.values[key] for trial in trials)}
        named = labels_of(distinct.values())
        values = list(distinct.values())
        numbers, name = _numbers(values, key)
        known = sorted(number for number in numbers if number is not None)
        blank = [v for v, n in zip(values, numbers, strict=True) if n is None]
        scaled = bool(known) and all(value is None or value is ABSENT for value in blank)
        if not scaled or (blank and len(known) < 2):
            ticks = tuple(sorted(values, key=_natural))
            labels = tuple(named[repr(tick)] for tick in ticks)
            return cls(
                key, ticks, False, False, tuple(map(float, range(len(ticks)))), labels, 0, key
            )
        zero = known[0] == 0 and len(known) > 2 and known[-1] / known[1] >= RATIO
        on_scale = known[1:] if zero else known
        positive = on_scale[0] > 0
        wide = (
            on_scale[-1] / on_scale[0] >= RATIO or key.endswith("learning_rate")
            if positive
            else False
        )
        by_number = {n: v for v, n in zip(values, numbers, strict=True) if n is not None}
        apart = [*sorted(blank, key=_natural), *([by_number[0]] if zero else [])]
        places = [
            *_before(on_scale[0], on_scale[-1], wide, len(apart)),
            *map(float, on_scale),
        ]
        ticks = (*apart, *(by_number[number] for number in on_scale))
        labels = tuple("not set" if tick is ABSENT else named[repr(tick)] for tick in ticks)
        return cls(key, ticks, True, wide, tuple(places), labels, len(apart), name)

    def index(self, value: Any) -> int:
        return self._places[repr(value)]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {repr(tick): at for at, tick in enumerate(self.ticks)}

    def coordinate(self, value: Any) -> float:
        """The coordinate of a value: a number itself, the index of a word."""
        return self.places[self.index(value)]

    def fraction(self, value: Any) -> float:
        """The same, from 0 at the first tick to 1 at the last."""
        return self.scale.fraction(self.coordinate(value))

    @property
    def scale(self) -> Scale:
        """From the first tick to the last."""
        return Scale(self.places[0], self.places[-1], self.is_log)

    @property
    def short_labels(self) -> list[str]:
        """The labels, shortened in the middle; those of different values differ."""
        return shortened(self.labels, LETTERS)

    def ticks_on_scale(self, most: int = 7) -> list[tuple[float, str]]:
        """(place from 0 to 1, text): all values if they are few, else round numbers."""
        if len(self.ticks) <= most or not self.is_number:
            step = -(-len(self.ticks) // (2 * most))
            pairs = zip(self.places, self.short_labels, strict=True)
            return [(self.scale.fraction(place), label) for place, label in pairs][::step]
        beside = zip(self.places[: self.apart], self.short_labels, strict=False)
        found = [(self.scale.fraction(place), label) for place, label in beside]
        own = Scale(self.places[self.apart], self.places[-1], self.is_log)
        low = self.scale.fraction(own.low)
        return found + [(low + (1 - low) * place, text) for place, text in own.ticks()]


def _numbers(values: Sequence[Any], key: str) -> tuple[list[float | None], str]:
    """(the number of each value or None, the axis' name).

    Lists of one length that differ in one number have this number: ``model.hidden.0``.
    """
    lists = [value for value in values if isinstance(value, list)]
    rest = [value for value in values if not (isinstance(value, list) or value in (None, ABSENT))]
    if len(lists) > 1 and not rest and len({len(value) for value in lists}) == 1:
        columns = list(zip(*lists, strict=True))
        varied = [at for at, items in enumerate(columns) if len(set(map(repr, items))) > 1]
        if len(varied) == 1 and all(_is_number(item) for item in columns[varied[0]]):
            at = varied[0]
            found = [value[at] if isinstance(value, list) else None for value in values]
            return found, f"{key}.{at}" if len(columns) > 1 else key
    return [value if _is_number(value) else None for value in values], key


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


def _before(low: float, high: float, is_log: bool, count: int) -> list[float]:
    """Ascending coordinates before the start of a scale."""
    steps = range(count, 0, -1)
    if is_log:
        ratio = max(high / low, 10.0) ** STEP
        return [low / ratio**step for step in steps]
    reach = STEP * ((high - low) or 1.0)
    return [low - reach * step for step in steps]


def _natural(value: Any) -> tuple[int, float, str]:
    """Sort key: numbers by size, lists by length, then size, others by name; absent values last."""
    if value is ABSENT:
        return 2, 0.0, ""
    if isinstance(value, int | float):
        return 0, float(value), ""
    text = "".join(f"{v!s:>12}" for v in value) if isinstance(value, list) else str(value)
    return 1, float(len(value)) if isinstance(value, list) else 0.0, text
