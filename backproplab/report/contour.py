"""The metric over two numeric keys of a search: trials as points on filled contours.

Between trials the metric is interpolated linearly on Delaunay triangles, in the axes' scales;
outside of the trials nothing is drawn. This file must not know the page around the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from statistics import fmean
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.palette import INK, PAPER, TRIALS
from backproplab.report.axes import Axis
from backproplab.report.canvas import svg
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.importance import importances
from backproplab.report.scales import Shades
from backproplab.report.theme import SHADES
from backproplab.status import Status
from backproplab.text import number

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FEWEST_VALUES, FEWEST_POINTS = 5, 10
STRAIGHT = 0.99  # |correlation| from which points count as being on a line

Point = tuple[float, float]
Sides = tuple[Axis, Axis]


def contour_figure(comparison: Comparison) -> str:
    """The metric over the two most important numeric keys; "" if they do not span a surface."""
    sides = _sides(comparison)
    means = {} if sides is None else _means(comparison, sides)
    if sides is None or not _is_surface(means):
        return ""

    def draw(figure: Figure) -> None:
        _draw_surface(figure, comparison, means)
        _draw_trials(figure.axes[0], comparison, sides, means)
        for side, letter in zip(sides, "xy", strict=True):
            _dress(figure.axes[0], side, letter)

    return svg(draw, "contour", (7.5, 4.6), f"{comparison.metric.name} over two keys")


def _sides(comparison: Comparison) -> Sides | None:
    axes = [Axis.of(key, comparison.trials) for key, _ in importances(comparison)]
    numbers = [
        axis for axis in axes if axis.is_number and len(axis.ticks) - axis.apart >= FEWEST_VALUES
    ]
    return (numbers[0], numbers[1]) if len(numbers) > 1 else None


def on_scales(trials: Sequence[RankedTrial], sides: Sides) -> list[RankedTrial]:
    """The trials that have a number for both keys."""
    return [t for t in trials if all(side.is_on_scale(t.values[side.key]) for side in sides)]


def _point(trial: RankedTrial, sides: Sides) -> Point:
    x, y = (side.fraction(trial.values[side.key]) for side in sides)
    return x, y


def _means(comparison: Comparison, sides: Sides) -> dict[Point, float]:
    """The mean of the metric at each point, over the trials there."""
    found: dict[Point, list[float]] = {}
    for trial in on_scales(comparison.trials, sides):
        if (mean := trial.mean(comparison.metric.name)) is not None:
            found.setdefault(_point(trial, sides), []).append(mean)
    return {point: fmean(numbers) for point, numbers in found.items()}


def _is_surface(means: Mapping[Point, float]) -> bool:
    """Whether there are enough points that are neither all on a line nor all of one value."""
    if len(means) < FEWEST_POINTS or len(set(means.values())) < 2:
        return False
    places = np.array(list(means)).T
    return bool(places.std(axis=1).all()) and abs(np.corrcoef(places)[0, 1]) < STRAIGHT


def _draw_surface(figure: Figure, comparison: Comparison, means: Mapping[Point, float]) -> None:
    axes = figure.subplots()
    levels, colors = _bands(Shades.of(list(means.values()), comparison.metric.sign))
    x, y = np.array(list(means)).T
    surface = axes.tricontourf(x, y, list(means.values()), levels=levels, colors=colors)
    bar = figure.colorbar(surface, spacing="uniform", ticks=levels, aspect=28)
    bar.set_ticklabels([number(level) for level in levels])
    bar.outline.set_visible(False)
    bar.ax.set_title(comparison.metric.name, fontsize=10, loc="left", pad=12, parse_math=False)
    if comparison.metric.goal == "min":
        bar.ax.invert_yaxis()


def _bands(shades: Shades) -> tuple[list[float], list[str]]:
    """(ascending levels, the color between each and the next)."""
    edges = [float(edge) for edge in shades.edges]
    bands = zip(pairwise(edges), SHADES, strict=True)
    filled = sorted((sorted(ends), color) for ends, (color, _) in bands if ends[0] != ends[1])
    return [ends[0] for ends, _ in filled] + [filled[-1][0][1]], [color for _, color in filled]


def _draw_trials(
    axes: Axes, comparison: Comparison, sides: Sides, means: Mapping[Point, float]
) -> None:
    """Draw every trial as a dot, the best with a ring, × for a diverged one."""
    dot: dict[str, Any] = {"markeredgecolor": PAPER, "markeredgewidth": 0.6, "markersize": 5}
    ring: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 2, "markersize": 11}
    axes.plot(*_columns(list(means)), "o", color=INK, **dot)
    name, trials = comparison.metric.name, on_scales(comparison.trials, sides)
    best = [trial for trial in trials if trial is comparison.trials[0]]
    axes.plot(*_columns([_point(trial, sides) for trial in best]), "o", color=TRIALS[1][0], **ring)
    lost = [t for t in trials if t.mean(name) is None and Status.DIVERGED in t.status]
    axes.plot(*_columns([_point(trial, sides) for trial in lost]), "x", color=TRIALS[1][0])


def _columns(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    return [x for x, _ in points], [y for _, y in points]


def _dress(axes: Axes, side: Axis, letter: str) -> None:
    places, texts = zip(*side.round_ticks(), strict=True)
    margin = (-0.04, 1.04)
    axes.set(**{f"{letter}ticks": places, f"{letter}ticklabels": texts, f"{letter}lim": margin})
    getattr(axes, f"set_{letter}label")(side.name, parse_math=False)
