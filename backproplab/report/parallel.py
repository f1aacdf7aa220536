"""Parallel coordinates: each trial is a line over the keys that differ, to its metric.

For a key with few values, trials of one value are spread around it, the best on top, so that
their lines can be distinguished. This file must not know the page around the figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.layout import middle
from backproplab.palette import INK, PAPER, TRIALS
from backproplab.report.axes import LETTERS, WORDS, Axis
from backproplab.report.canvas import svg
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.differences import ABSENT
from backproplab.report.scales import Scale, Shades
from backproplab.report.theme import SHADES
from backproplab.status import Status

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BELOW, LOWEST = -0.11, -0.2  # places of values off the scale, and of diverged trials
SHARED = 0.5  # share of the distance between values in which one value's trials are spread
NEAREST = 0.06  # least distance of two ticks
LOST = TRIALS[1][0]  # the color of a trial without a mean

Tick = tuple[float, str]


@dataclass(frozen=True)
class Column:
    """places: of each trial, best first; from 0 to 1, or BELOW, or LOWEST."""

    name: str
    places: Sequence[float]
    ticks: Sequence[Tick]


def parallel_figure(
    comparison: Comparison, trials: Sequence[RankedTrial], keys: Sequence[str]
) -> str:
    """A line for each of ``trials``, best first; at least one of them has a mean."""
    name, sign = comparison.metric.name, comparison.metric.sign
    means = [trial.mean(name) for trial in trials]
    measured = [mean for mean in means if mean is not None]
    shades, scale = Shades.of(measured, sign), Scale.of_metric(measured, sign)
    columns = [*(_key_column(key, trials) for key in keys), _metric_column(name, means, scale)]
    colors = [LOST if mean is None else shades.color(mean) for mean in means]

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.axis("off")
        axes.set(xlim=(-0.1, len(keys) + 0.4), ylim=(LOWEST - 0.03, 1.1))
        _draw_lines(axes, columns, colors)
        for at, column in enumerate(columns):
            _draw_column(axes, at, column)
        _draw_shades(axes, len(keys), shades, scale)

    return svg(draw, "parallel", (10, 4.4), f"{name} of each trial over its keys")


def _key_column(key: str, trials: Sequence[RankedTrial]) -> Column:
    values = [trial.values[key] for trial in trials]
    axis = Axis.of(key, [trial for trial in trials if trial.values[key] is not ABSENT])
    room = _room(axis)
    lift = room * np.linspace(1, 0, len(trials))
    places = [
        BELOW if value is ABSENT else (1 - room) * axis.fraction(value) + float(up)
        for value, up in zip(values, lift, strict=True)
    ]
    absent = [(BELOW, "not set")] if ABSENT in values else []
    return Column(axis.name, places, [*absent, *_key_ticks(axis, room)])


def _room(axis: Axis) -> float:
    """The share of the column in which one value's trials are spread; 0 for many values."""
    stands = [axis.fraction(tick) for tick in axis.ticks]
    gap = SHARED * float(min(np.diff(stands), default=0.0)) if len(stands) <= WORDS else 0.0
    return gap / (1 + gap)  # the first and last values need it too


def _key_ticks(axis: Axis, room: float) -> list[Tick]:
    if len(axis.ticks) > WORDS:
        return axis.round_ticks() if axis.is_number else []
    stands = [axis.fraction(tick) for tick in axis.ticks]
    texts = axis.short_labels
    middles = [(1 - room) * stand + room / 2 for stand in stands]
    return _apart(list(zip(middles, texts, strict=True)))


def _apart(ticks: Sequence[Tick]) -> list[Tick]:
    """The ticks that do not overlap the one before."""
    kept: list[Tick] = []
    for tick in ticks:
        if not kept or tick[0] - kept[-1][0] >= NEAREST:
            kept.append(tick)
    return kept


def _metric_column(name: str, means: Sequence[float | None], scale: Scale) -> Column:
    raw = [None if mean is None else scale.fraction(mean) for mean in means]
    places = [LOWEST if at is None else BELOW if at < 0 else min(at, 1.0) for at in raw]
    off = [(LOWEST, str(Status.DIVERGED)), (BELOW, "far out")]
    ticks = [*(tick for tick in off if tick[0] in places), *scale.ticks()]
    if any(at is not None and at > 1 for at in raw):
        end = f"≤ {scale.low:.2g}" if scale.falls else f"≥ {scale.high:.2g}"
        ticks = [*(tick for tick in ticks if 1 - tick[0] >= NEAREST), (1.0, end)]
    return Column(name, places, ticks)


def _draw_lines(axes: Axes, columns: Sequence[Column], colors: Sequence[str]) -> None:
    """Draw the lines, the best last, so that it is on top, and thicker."""
    for at in reversed(range(len(colors))):
        places = [column.places[at] for column in columns]
        dash, width = "--" if colors[at] == LOST else "-", 1.2 if at else 2.8
        axes.plot(places, dash, color=colors[at], linewidth=width, solid_capstyle="round")


def _draw_column(axes: Axes, at: int, column: Column) -> None:
    paper = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.0, "alpha": 0.8}
    plain: dict[str, Any] = {"parse_math": False, "zorder": 4}
    axes.plot([at, at], [0, 1], color=INK, linewidth=1, zorder=3)
    axes.text(at, 1.05, middle(column.name, LETTERS), ha="center", fontweight="bold", **plain)
    for place, text in column.ticks:
        axes.text(at + 0.02, place, text, va="center", fontsize=9, bbox=paper, **plain)


def _draw_shades(axes: Axes, at: int, shades: Shades, scale: Scale) -> None:
    """Draw the metric's axis in the colors of the lines."""
    edges = np.clip(shades.edges, scale.low, scale.high)
    places = [scale.fraction(float(edge)) for edge in edges]
    for (color, _), ends in zip(SHADES, pairwise(places), strict=True):
        axes.plot([at, at], ends, color=color, linewidth=7, solid_capstyle="butt", zorder=3)
