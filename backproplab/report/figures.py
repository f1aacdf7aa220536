"""The report's figures as inline SVG: learning curves, metric against key, heat map.

Words of configs are text, never mathematics or markup.
This file must not know the page around a figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from backproplab.report.axes import Axis, set_log
from backproplab.report.canvas import svg
from backproplab.report.comparison import Comparison, Trial
from backproplab.report.scales import SPAN
from backproplab.report.series import Band
from backproplab.report.theme import OTHER, TRIALS
from backproplab.text import number
from backproplab.train.figures import FAINT, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bands = Mapping[str, Band]
POINTS = 100  # of a curve, at most
BRIGHT, DEEP = "#fefefe", "#010101"  # the numbers in a heat map: no colors of the theme


def curves_figure(panels: Sequence[str], best: Sequence[Bands], others: Sequence[Bands]) -> str:
    """Metrics over epochs, a panel each: mean lines with min-max bands, the others in grey."""

    def draw(figure: Figure) -> None:
        grid = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False)
        for axes, name in zip(grid.flat, panels, strict=False):
            _draw_curves(axes, name, best, others)
        for axes in grid.flat[len(panels) :]:
            axes.remove()

    return svg(draw, "curves", (10, 3.3 * -(-len(panels) // 2)), "learning curves")


def _draw_curves(axes: Axes, name: str, best: Sequence[Bands], others: Sequence[Bands]) -> None:
    from matplotlib.ticker import MaxNLocator

    for bands in others:
        if name in bands:
            epochs, mean = _thinned(bands[name].epochs, bands[name].mean)
            axes.plot(epochs, mean, color=OTHER[0], linewidth=0.8, marker=_marker(epochs))
    shown = [bands[name] for bands in best if name in bands]
    for at, bands in reversed(list(enumerate(best))):
        if name in bands:
            _draw_band(axes, bands[name], at)
    _set_limits(axes, shown)
    axes.set_title(_in_words(name), loc="left", fontweight="bold", parse_math=False)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _draw_band(axes: Axes, band: Band, at: int) -> None:
    color, line = TRIALS[at][0], "-" if at < len(TRIALS) // 2 else "--"
    epochs, mean, low, high = _thinned(band.epochs, band.mean, band.low, band.high)
    if (high > low).any():
        axes.fill_between(epochs, low, high, color=color, alpha=0.18, linewidth=0)
    axes.plot(epochs, mean, line, color=color, linewidth=1.8, marker=_marker(epochs))


def _set_limits(axes: Axes, shown: Sequence[Band]) -> None:
    """The range of the best trials; what leaves it is cut off."""
    if not shown:
        return
    low, high = min(b.low.min() for b in shown), max(b.high.max() for b in shown)
    if low > 0 and high / low > SPAN:
        set_log(axes, "y")
        axes.set_ylim(low / 1.2, high * 1.2)
    else:
        margin = 0.06 * (high - low) or 0.5
        axes.set_ylim(low - margin, high + margin)


def _thinned(*columns: Any) -> tuple[Any, ...]:
    """At most POINTS of each column, the last among them."""
    step = -(-len(columns[0]) // POINTS)
    return tuple(column[::-1][::step][::-1] for column in columns)


def _marker(epochs: Any) -> str:
    return "o" if len(epochs) == 1 else ""


def _in_words(name: str) -> str:
    """``val_loss``: validation loss."""
    for prefix, word in (("val_", "validation"), ("test_", "test")):
        if name.startswith(prefix):
            return f"{word} {name.removeprefix(prefix)}"
    return f"training {name}"


def keys_figure(comparison: Comparison, keys: Sequence[str]) -> str:
    """The metric against each key: a point a trial, its range over seeds, × where it diverged."""

    def draw(figure: Figure) -> None:
        rows, columns = -(-len(keys) // 3), min(3, len(keys))
        grid = figure.subplots(rows, columns, squeeze=False, sharey=True)
        for axes, key in zip(grid.flat, keys, strict=False):
            _draw_key(axes, comparison, key)
        for axes in grid[:, 0]:
            axes.set_ylabel(comparison.metric.name, parse_math=False)
        for axes in grid.flat[len(keys) :]:
            axes.remove()

    size = (10 if len(keys) > 1 else 7, 3.4 * -(-len(keys) // 3))
    return svg(draw, "keys", size, f"{comparison.metric.name} against the keys")


def _draw_key(axes: Axes, comparison: Comparison, key: str) -> None:
    axis, name = Axis.of(key, comparison.trials), comparison.metric.name
    places = [axis.place(trial.values[key]) for trial in comparison.trials]
    points = [(x, trial.numbers(name)) for x, trial in zip(places, comparison.trials, strict=True)]
    points = sorted((x, numbers) for x, numbers in points if numbers)
    means = [fmean(numbers) for _, numbers in points]
    line = "-" if len(comparison.keys) == 1 and axis.is_number else "none"
    for x, numbers in points:
        axes.vlines(x, min(numbers), max(numbers), color=TRIALS[0][0], alpha=0.5)
    axes.plot([x for x, _ in points], means, color=FAINT, linestyle=line, linewidth=1)
    axes.plot([x for x, _ in points], means, "o", color=TRIALS[0][0], markersize=4.5)
    if means and min(means) > 0 and max(means) / min(means) > SPAN:
        set_log(axes, "y")
    lost = [x for x, t in zip(places, comparison.trials, strict=True) if "diverged" in t.status]
    top = axes.get_xaxis_transform()
    axes.plot(lost, [0.97] * len(lost), "x", color=TRIALS[1][0], transform=top)
    axes.margins(y=0.12)
    axis.dress(axes)


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
    import numpy as np
    from matplotlib.colors import LogNorm, Normalize

    values = np.full((len(sides[1].ticks), len(sides[0].ticks)), np.nan)
    for (column, row), trials in cells.items():
        means = [mean for t in trials if (mean := t.mean(t.metric.name)) is not None]
        values[row, column] = np.mean(means) if means else np.nan
    known = values[np.isfinite(values)]
    low, high = (known.min(), known.max()) if len(known) else (0.0, 1.0)
    wide = low > 0 and high / low > SPAN
    norm = (LogNorm if wide else Normalize)(low, high if high > low else low + 1)
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
