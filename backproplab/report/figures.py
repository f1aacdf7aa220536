"""The metric over the keys that differ as inline SVG: against each key, and as a heat map.

Words of configs are text, never mathematics or markup.
This file must not know the page around a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.arrays import Array
from backproplab.report.axes import Axis, set_vertical
from backproplab.report.canvas import svg
from backproplab.report.comparison import Comparison, Trial
from backproplab.report.scales import Scale
from backproplab.report.theme import TRIALS
from backproplab.status import Status
from backproplab.text import number
from backproplab.train.figures import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, list[float]]  # a place of a key, and the metric of its trial's runs
OPAQUE = 100  # points that may cover each other; of more, each is fainter
BRIGHT, DEEP = "#fefefe", "#010101"  # the numbers in a heat map: no colors of the theme


def keys_figure(comparison: Comparison, keys: Sequence[str]) -> str:
    """The metric against each key: a point a trial, its range over seeds, × where it diverged.

    Points of trials that were pruned are hollow: they are of where it ended.
    """
    scale = _scale(comparison)

    def draw(figure: Figure) -> None:
        rows, columns = -(-len(keys) // 3), min(3, len(keys))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, key in zip(grid.flat, keys, strict=False):
            _draw_key(axes, comparison, key, scale)
        set_vertical(grid[0, 0], scale)
        for axes in grid[:, 0]:
            axes.set_ylabel(comparison.metric.name, parse_math=False)
        for axes in grid.flat[len(keys) :]:
            axes.remove()

    size = (10 if len(keys) > 1 else 7, 3.4 * -(-len(keys) // 3))
    return svg(draw, "keys", size, f"{comparison.metric.name} against the keys")


def _scale(comparison: Comparison) -> Scale:
    """Of the metric of every run, so that a range over seeds is on it too."""
    name = comparison.metric.name
    numbers = [number for trial in comparison.trials for number in trial.numbers(name)]
    return Scale.of_metric(numbers, comparison.metric.sign) if numbers else Scale(0, 1)


def _draw_key(axes: Axes, comparison: Comparison, key: str, scale: Scale) -> None:
    axis, trials, name = Axis.of(key, comparison.trials), comparison.trials, comparison.metric.name
    points, pruned = (
        sorted(
            (axis.place(t.values[key]), numbers)
            for t in trials
            if (Status.PRUNED in t.status) is ended and (numbers := t.numbers(name))
        )
        for ended in (False, True)
    )
    if len(comparison.keys) == 1 and axis.is_number:
        axes.plot(*_columns([(x, fmean(n)) for x, n in points]), color=FAINT, linewidth=1)
    _draw_ranges(axes, points)
    _draw_means(axes, points, scale, color=TRIALS[0][0], markeredgewidth=0)
    _draw_means(axes, pruned, scale, markerfacecolor="none", markeredgecolor=TRIALS[0][0])
    lost = [(axis.place(t.values[key]), 0.97) for t in trials if Status.DIVERGED in t.status]
    top = axes.get_xaxis_transform()
    axes.plot(*_columns(lost), "x", color=TRIALS[1][0], transform=top)
    axis.dress(axes)


def _draw_ranges(axes: Axes, points: Sequence[Point]) -> None:
    """Lines from the smallest to the largest, as one path."""
    several = [(x, numbers) for x, numbers in points if len(numbers) > 1]
    ends = [end for x, n in several for end in ((x, min(n)), (x, max(n)), (x, np.nan))]
    axes.plot(*_columns(ends), color=TRIALS[0][0], alpha=0.5 * _strength(points))


def _draw_means(axes: Axes, points: Sequence[Point], scale: Scale, **style: Any) -> None:
    """Dots; triangles at the end of the axis that they are beyond."""
    x, means = _columns([(x, fmean(numbers)) for x, numbers in points])
    above, below = means > scale.high, means < scale.low
    for chosen, marker in ((~above & ~below, "o"), (above, "^"), (below, "v")):
        ends = np.clip(means[chosen], scale.low, scale.high)
        axes.plot(x[chosen], ends, marker, markersize=5.5, alpha=_strength(points), **style)


def _strength(points: Sequence[Point]) -> float:
    return min(1.0, (OPAQUE / max(len(points), 1)) ** 0.5)


def _columns(points: Sequence[tuple[float, float]]) -> Array:
    return np.array(points).reshape(-1, 2).T


def heat_figure(comparison: Comparison) -> str:
    """The metric over the two keys that differ, the number in its cell; "" where it would be
    mostly empty."""
    first, second = (Axis.of(key, comparison.trials) for key in comparison.keys)
    cells: dict[tuple[int, int], list[Trial]] = {}
    for trial in comparison.trials:
        place = first.index(trial.values[first.key]), second.index(trial.values[second.key])
        cells.setdefault(place, []).append(trial)
    if not is_heat_map(first, second, len(cells)):
        return ""
    if len(first.ticks) < len(second.ticks):  # the longer one goes to the right
        first, second = second, first
        cells = {(b, a): trials for (a, b), trials in cells.items()}

    def draw(figure: Figure) -> None:
        _draw_heat(figure.subplots(), comparison, (first, second), cells)

    size = (max(5.0, 2 + 0.95 * len(first.ticks)), 1.3 + 0.5 * len(second.ticks))
    return svg(draw, "heat", size, f"mean {comparison.metric.name} by two keys")


def is_heat_map(first: Axis, second: Axis, filled: int) -> bool:
    columns, rows = len(first.ticks), len(second.ticks)
    return max(columns, rows) <= 16 and 2 * filled >= columns * rows


def _draw_heat(
    axes: Axes,
    comparison: Comparison,
    sides: tuple[Axis, Axis],
    cells: Mapping[tuple[int, int], Sequence[Trial]],
) -> None:
    from matplotlib.colors import LogNorm, Normalize

    values = np.full((len(sides[1].ticks), len(sides[0].ticks)), np.nan)
    for (column, row), trials in cells.items():
        means = [mean for t in trials if (mean := t.mean(t.metric.name)) is not None]
        values[row, column] = np.mean(means) if means else np.nan
    known = values[np.isfinite(values)]
    scale = Scale.of_metric(known, comparison.metric.sign) if len(known) else Scale(0, 1)
    high = scale.high if scale.high > scale.low else scale.low + 1
    norm = (LogNorm if scale.is_log else Normalize)(scale.low, high)
    colors = "cividis_r" if comparison.metric.goal == "min" else "cividis"
    picture = axes.pcolormesh(
        np.ma.masked_invalid(values), cmap=colors, norm=norm, edgecolors="face", linewidth=0.5
    )
    for (column, row), trials in cells.items():
        value = values[row, column]
        text = number(value) if np.isfinite(value) else trials[0].status
        shade = np.dot(picture.to_rgba(value)[:3], (0.299, 0.587, 0.114))
        ink = INK if not np.isfinite(value) else DEEP if shade > 0.5 else BRIGHT
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=9)
    for side, letter in zip(sides, "xy", strict=True):
        side.dress_cells(axes, letter)
