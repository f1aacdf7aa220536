"""The metric over the keys that differ as inline SVG: against each key, and as a heat map.

Words of configs are drawn as text, never as mathematics or markup.
This file must not know the page around a figure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.arrays import Array
from backproplab.palette import FAINT, INK, TRIALS
from backproplab.report.axes import LANE, Axis, set_vertical
from backproplab.report.canvas import svg
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.scales import Scale
from backproplab.status import Status
from backproplab.text import counted, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Point = tuple[float, list[float]]  # coordinate of a key's value, metric of the trial's runs
PANEL = (4.8, 3.3)  # inches of one of several panels: readable on a phone
OPAQUE = 100  # more points are drawn fainter, because they overlap
BRIGHT, DEEP = "#fefefe", "#010101"  # of numbers in a heat map; not theme colors


def keys_figure(comparison: Comparison, keys: Sequence[str]) -> str:
    """The metric against each key: a point per trial, its range over seeds, × if it diverged.

    Points of pruned trials are hollow: they show the value at which the trial ended. A diverged
    run has no number: its × is in a hatched lane beyond the scale, on the worse side.
    """
    scale = _scale(comparison)
    lost = any(Status.DIVERGED in trial.status for trial in comparison.trials)
    lane = comparison.metric.sign if lost else 0

    def panel(key: str) -> Callable[[Figure], None]:
        def draw(figure: Figure) -> None:
            axes = figure.subplots()
            set_vertical(axes, scale, lane)
            _draw_key(axes, comparison, key, scale)
            axes.set_ylabel(comparison.metric.name, parse_math=False)

        return draw

    size = PANEL if len(keys) > 1 else (7, 3.4)
    names = [f"{comparison.metric.name} against {key}" for key in keys]
    pairs = enumerate(zip(keys, names, strict=True))
    return "".join(svg(panel(key), f"keys{at}", size, name) for at, (key, name) in pairs)


def left_out(comparison: Comparison) -> list[str]:
    """What the figure against the keys does not show as a number: counts, in words."""
    scale, name, trials = _scale(comparison), comparison.metric.name, comparison.trials
    means = [(trial, trial.mean(name)) for trial in trials]
    lost = sum(Status.DIVERGED in trial.status for trial in trials)
    far = sum(m is not None and not scale.low <= m <= scale.high for _, m in means)
    missing = sum(m is None and Status.DIVERGED not in t.status for t, m in means)
    texts = [f"{counted(lost, 'trial')} with diverged runs (hatched, ×)" if lost else ""]
    texts += [f"{counted(far, 'trial')} beyond the axis (triangles at its end)" if far else ""]
    texts += [f"{counted(missing, 'trial')} without {name} (not drawn)" if missing else ""]
    return [text for text in texts if text]


def _scale(comparison: Comparison) -> Scale:
    """The scale for the metric of every run, so that it contains ranges over seeds."""
    name = comparison.metric.name
    numbers = [number for trial in comparison.trials for number in trial.numbers(name)]
    return Scale.of_metric(numbers, comparison.metric.sign) if numbers else Scale(0, 1)


def _draw_key(axes: Axes, comparison: Comparison, key: str, scale: Scale) -> None:
    axis, trials, name = Axis.of(key, comparison.trials), comparison.trials, comparison.metric.name
    points, pruned = (
        sorted(
            (axis.coordinate(t.values[key]), numbers)
            for t in trials
            if (Status.PRUNED in t.status) is ended and (numbers := t.numbers(name))
        )
        for ended in (False, True)
    )
    if len(comparison.keys) == 1 and axis.is_number:
        on = [(x, fmean(n)) for x, n in points if x >= axis.places[axis.apart]]
        axes.plot(*_columns(on), color=FAINT, linewidth=1)
    _draw_ranges(axes, points, scale)
    _draw_means(axes, points, scale, color=TRIALS[0][0], markeredgewidth=0)
    _draw_means(axes, pruned, scale, markerfacecolor="none", markeredgecolor=TRIALS[0][0])
    height = 1 - LANE / 2 if comparison.metric.sign > 0 else LANE / 2
    lost = [(axis.coordinate(t.values[key]), height) for t in trials if Status.DIVERGED in t.status]
    lane = axes.get_xaxis_transform()
    axes.plot(*_columns(lost), "x", color=TRIALS[1][0], transform=lane)
    axis.dress(axes)


def _draw_ranges(axes: Axes, points: Sequence[Point], scale: Scale) -> None:
    """Draw lines from the smallest to the largest value on the scale, as one path."""
    clipped = [(x, np.clip(numbers, scale.low, scale.high)) for x, numbers in points]
    several = [(x, numbers) for x, numbers in clipped if len(numbers) > 1]
    ends = [end for x, n in several for end in ((x, min(n)), (x, max(n)), (x, np.nan))]
    axes.plot(*_columns(ends), color=TRIALS[0][0], alpha=0.5 * _strength(points))


def _draw_means(axes: Axes, points: Sequence[Point], scale: Scale, **style: Any) -> None:
    """Draw dots; for a value outside the axis, a triangle at that end."""
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
    """The metric over the two keys that differ, with numbers in cells; "" if mostly empty."""
    first, second = (Axis.of(key, comparison.trials) for key in comparison.keys)
    cells: dict[tuple[int, int], list[RankedTrial]] = {}
    for trial in comparison.trials:
        place = first.index(trial.values[first.key]), second.index(trial.values[second.key])
        cells.setdefault(place, []).append(trial)
    if not is_heat_map(first, second, len(cells)):
        return ""
    if len(first.ticks) < len(second.ticks):  # the longer axis is horizontal
        first, second = second, first
        cells = {(b, a): trials for (a, b), trials in cells.items()}

    def draw(figure: Figure) -> None:
        _draw_heat(figure.subplots(), comparison, (first, second), cells)

    statuses = [t.status for t in comparison.trials if t.status != Status.COMPLETED]
    widest = 0.4 + 0.085 * max(map(len, statuses), default=0)  # inches of a cell's text
    width = 2 + max(0.95, widest) * len(first.ticks)
    size = (max(5.0, width), 1.3 + 0.55 * len(second.ticks))
    return svg(draw, "heat", size, f"mean {comparison.metric.name} by two keys")


def is_heat_map(first: Axis, second: Axis, filled: int) -> bool:
    columns, rows = len(first.ticks), len(second.ticks)
    return max(columns, rows) <= 16 and 2 * filled >= columns * rows


def clipped(comparison: Comparison) -> tuple[int, Scale]:
    """(how many trials' means the colors of a heat map do not tell apart, the colors' scale)."""
    means = [m for t in comparison.trials if (m := t.mean(t.metric.name)) is not None]
    scale = Scale.of_metric(means, comparison.metric.sign) if means else Scale(0, 1)
    return sum(not scale.low <= mean <= scale.high for mean in means), scale


def _cell_text(value: float, trials: Sequence[RankedTrial]) -> str:
    """The number; below it what else there is to say: not all runs count in it."""
    statuses = dict.fromkeys(t.status for t in trials if t.status != Status.COMPLETED)
    known = [number(value)] if np.isfinite(value) else []
    return "\n".join([*known, *statuses])


def hatch(axes: Axes, column: int, row: int, color: str) -> None:
    """Mark a cell whose color is not its value."""
    from matplotlib.patches import Rectangle

    style: dict[str, Any] = {"facecolor": "none", "edgecolor": color, "linewidth": 0}
    axes.add_patch(Rectangle((column, row), 1, 1, hatch="////", alpha=0.35, **style))


def _draw_heat(
    axes: Axes,
    comparison: Comparison,
    sides: tuple[Axis, Axis],
    cells: Mapping[tuple[int, int], Sequence[RankedTrial]],
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
        shade = np.dot(picture.to_rgba(value)[:3], (0.299, 0.587, 0.114))
        known_one = np.isfinite(value)
        ink = INK if not known_one else DEEP if shade > 0.5 else BRIGHT
        text = _cell_text(value, trials)
        axes.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=ink, fontsize=9)
        if not known_one or not scale.low <= value <= high:
            hatch(axes, column, row, FAINT if not known_one else ink)
    for side, letter in zip(sides, "xy", strict=True):
        side.dress_cells(axes, letter)
