"""An axis of a figure for a key of the config: numbers sorted by size, words by name.

This file must not know what is drawn on the axis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from backproplab.report.comparison import RankedTrial
from backproplab.report.differences import ABSENT, shown
from backproplab.report.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WORDS = 12  # an axis with more labels shows none
RATIO = 100.0  # a scale is logarithmic from this ratio of largest to smallest number
LETTERS = 18  # longest label


@dataclass(frozen=True)
class Axis:
    """ticks: the distinct values, sorted. is_log: for a learning rate or a wide range."""

    key: str
    ticks: tuple[Any, ...]
    is_number: bool
    is_log: bool

    @classmethod
    def of(cls, key: str, trials: Sequence[RankedTrial]) -> Axis:
        values = {repr(value): value for value in (trial.values[key] for trial in trials)}
        numbers = all(type(value) in (int, float) for value in values.values())
        ticks = tuple(sorted(values.values(), key=None if numbers else _natural))
        positive = numbers and ticks[0] > 0
        wide = positive and (ticks[-1] / ticks[0] >= RATIO or key.endswith("learning_rate"))
        return cls(key, ticks, numbers, wide)

    def index(self, value: Any) -> int:
        return list(map(repr, self.ticks)).index(repr(value))

    def coordinate(self, value: Any) -> float:
        """The coordinate of a value: a number itself, the index of a word."""
        return float(value) if self.is_number else float(self.index(value))

    def fraction(self, value: Any) -> float:
        """The same, from 0 at the first tick to 1 at the last."""
        return self.scale.fraction(self.coordinate(value))

    @property
    def scale(self) -> Scale:
        """From the first tick to the last."""
        return Scale(self.coordinate(self.ticks[0]), self.coordinate(self.ticks[-1]), self.is_log)

    def dress(self, axes: Axes) -> None:
        """Set scale, label and tick texts of a horizontal axis of points."""
        if self.is_log:
            set_log(axes, "x")
        if not self.is_number and len(self.ticks) <= WORDS:
            axes.set_xlim(-0.5, len(self.ticks) - 0.5)
            self._label(axes, "x", range(len(self.ticks)))
        axes.set_xlabel(self.key, parse_math=False)

    def dress_cells(self, axes: Axes, letter: str) -> None:
        """Set the labels of an axis of cells, at their centers."""
        self._label(axes, letter, [at + 0.5 for at in range(len(self.ticks))])
        getattr(axes, f"set_{letter}label")(self.key, parse_math=False)
        axes.tick_params(length=0)
        for spine in axes.spines.values():
            spine.set_visible(False)

    def _label(self, axes: Axes, letter: str, places: Sequence[float]) -> None:
        texts = [shortened(shown(value)) for value in self.ticks]
        crowded = letter == "x" and max(map(len, texts)) * len(texts) > 40
        slant = {"rotation": 30, "ha": "right"} if crowded else {}
        getattr(axes, f"set_{letter}ticks")(places, texts, parse_math=False, **slant)


def set_vertical(axes: Axes, scale: Scale) -> None:
    """Set the vertical scale, with a margin beyond its ends."""
    if scale.is_log:
        set_log(axes, "y")
        axes.yaxis.set_major_locator(scale.locator())
        axes.set_ylim(scale.low / 1.2, scale.high * 1.2)
    else:
        margin = 0.06 * (scale.high - scale.low) or 0.5
        axes.set_ylim(scale.low - margin, scale.high + margin)


def set_log(axes: Axes, letter: str) -> None:
    """Set a logarithmic scale with plain numbers as ticks: 0.01, not a power of ten."""
    from matplotlib.ticker import FuncFormatter

    axes.set(**{f"{letter}scale": "log"})
    axis = axes.xaxis if letter == "x" else axes.yaxis
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def shortened(text: str) -> str:
    return text if len(text) <= LETTERS else f"{text[: LETTERS - 1]}…"


def _natural(value: Any) -> tuple[int, float, str]:
    """Sort key: numbers by size, lists by length, then size, others by name; absent values last."""
    if value is ABSENT:
        return 2, 0.0, ""
    if isinstance(value, int | float):
        return 0, float(value), ""
    text = "".join(f"{v!s:>12}" for v in value) if isinstance(value, list) else str(value)
    return 1, float(len(value)) if isinstance(value, list) else 0.0, text
