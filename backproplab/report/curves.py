"""Learning curves as inline SVG: metrics over the epochs, or over time, the best trials in color.

A long curve is drawn through the extremes of its stretches: what a screen can show of it.
This file must not know the page around the figure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.arrays import Array
from backproplab.measures import label_of
from backproplab.report.axes import set_log, set_vertical
from backproplab.report.canvas import svg
from backproplab.report.scales import Scale
from backproplab.report.series import Band
from backproplab.report.theme import OTHER, TRIALS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bands = Mapping[str, Band]
BANDED = 3  # best trials that show their range over seeds: more would cover each other
POINTS, FAINT_POINTS = 200, 100  # of a curve at most: in color, in grey


@dataclass(frozen=True)
class Panel:
    """A metric over epochs, or over what ``unit`` names; at least one of ``best`` has it."""

    name: str
    best: Sequence[Bands]
    others: Sequence[Bands] = ()
    unit: str = "epoch"


def curves_figure(panels: Sequence[Panel]) -> str:
    """Metrics, a panel each: mean lines, min-max bands of the first, others in grey."""

    def draw(figure: Figure) -> None:
        grid = figure.subplots(-(-len(panels) // 2), min(2, len(panels)), squeeze=False)
        for axes, panel in zip(grid.flat, panels, strict=False):
            _draw_curves(axes, panel)
        for axes in grid.flat[len(panels) :]:
            axes.remove()

    return svg(draw, "curves", (10, 3.3 * -(-len(panels) // 2)), "learning curves")


def is_cut(panel: Panel) -> bool:
    """Whether the best trials leave the axis of a panel."""
    values = _values(panel)
    scale = Scale.of(values)
    return bool(values.min() < scale.low or values.max() > scale.high)


def _values(panel: Panel) -> Array:
    """All that is drawn in color."""
    name, best = panel.name, panel.best
    means = [bands[name].mean for bands in best if name in bands]
    ends = [end for bands in best[:BANDED] if (b := bands.get(name)) for end in (b.low, b.high)]
    return np.concatenate([*means, *ends])


def _draw_curves(axes: Axes, panel: Panel) -> None:
    name, scale = panel.name, Scale.of(_values(panel))
    for bands in panel.others:
        if name in bands:
            style = {"color": OTHER[0], "linewidth": 0.8, "zorder": 0.5}  # below the bands
            _draw_line(axes, bands[name], FAINT_POINTS, **style)
    for at, bands in reversed(list(enumerate(panel.best))):
        if name in bands:
            _draw_trial(axes, bands[name].within(scale.low, scale.high), at)
    set_vertical(axes, scale)
    title = label_of(name) + (f" by {panel.unit}" if panel.unit != "epoch" else "")
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    _set_horizontal(axes, panel.unit)


def _set_horizontal(axes: Axes, unit: str) -> None:
    """Epochs by their number, anything else by its logarithm: it may differ by orders."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel(unit)
    if unit == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    set_log(axes, "x")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_trial(axes: Axes, band: Band, at: int) -> None:
    color, dash = TRIALS[at][0], "-" if at < len(TRIALS) // 2 else "--"
    if at < BANDED and (band.high > band.low).any():
        kept = np.union1d(extremes(band.low, POINTS), extremes(band.high, POINTS))
        ends = band.low[kept], band.high[kept]
        axes.fill_between(band.at[kept], *ends, color=color, alpha=0.18, linewidth=0)
    width = 1.8 if len(band.mean) <= POINTS else 1.2
    _draw_line(axes, band, POINTS, color=color, linewidth=width, linestyle=dash)


def _draw_line(axes: Axes, band: Band, points: int, **style: Any) -> None:
    kept = extremes(band.mean, points)
    axes.plot(band.at[kept], band.mean[kept], marker="o" if len(kept) == 1 else "", **style)


def extremes(curve: Array, points: int) -> Array:
    """Places of the first and the last value and of the extremes of each stretch: (<= points,)."""
    places = np.arange(len(curve))
    if len(curve) <= points:
        return places
    stretches = np.array_split(places, points // 2 - 1)
    found = [at[pick(curve[at])] for at in stretches for pick in (np.argmin, np.argmax)]
    return np.unique([0, *found, len(curve) - 1])
