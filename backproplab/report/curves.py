"""Learning curves as inline SVG: metrics over epochs or time, the best trials in color.

A long curve is drawn through the extremes of its sections, which look the same on a screen.
This file must not know the page around the figure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from backproplab.arrays import Array
from backproplab.measures import label_of
from backproplab.palette import TRIALS
from backproplab.report.axes import set_log, set_vertical
from backproplab.report.canvas import svg
from backproplab.report.scales import Scale
from backproplab.report.series import Band
from backproplab.report.theme import OTHER

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Bands = Mapping[str, Band]
PANEL = (4.8, 3.3)  # inches of a panel: readable on a phone
BANDED = 3  # number of best trials whose range over seeds is drawn; more would overlap
POINTS, FAINT_POINTS = 200, 100  # most points of a curve: in color, in gray


@dataclass(frozen=True)
class Panel:
    """A metric over epochs or another ``unit``; at least one of ``best`` has it.

    lost: which of ``best`` have diverged runs.
    """

    name: str
    best: Sequence[Bands]
    others: Sequence[Bands] = ()
    unit: str = "epoch"
    lost: Collection[int] = ()


def curves_figure(panels: Sequence[Panel]) -> str:
    """A figure for each metric: mean lines, min-max bands of the first trials, others in gray."""

    def drawn(panel: Panel) -> Callable[[Figure], None]:
        return lambda figure: _draw_curves(figure.subplots(), panel)

    names = [f"{panel.name} by {panel.unit}" for panel in panels]
    pairs = enumerate(zip(panels, names, strict=True))
    return "".join(svg(drawn(panel), f"curves{at}", PANEL, name) for at, (panel, name) in pairs)


def is_cut(panel: Panel) -> bool:
    """Whether values of the best trials are outside a panel's axis."""
    values = _values(panel)
    scale = Scale.of(values)
    return bool(values.min() < scale.low or values.max() > scale.high)


def _values(panel: Panel) -> Array:
    """All values that are drawn in color."""
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
            _draw_trial(axes, bands[name], at, scale)
            if at in panel.lost:
                _draw_end(axes, bands[name], at, scale)
    set_vertical(axes, scale)
    title = label_of(name) + (f" by {panel.unit}" if panel.unit != "epoch" else "")
    axes.set_title(title, loc="left", fontweight="bold", parse_math=False)
    _set_horizontal(axes, panel.unit)


def _set_horizontal(axes: Axes, unit: str) -> None:
    """Set a linear axis for epochs, else a logarithmic one: values may differ by magnitudes."""
    from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel(unit)
    if unit == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        return
    set_log(axes, "x")
    low, high = axes.get_xlim()
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0,) if high > 100 * low else (1.0, 2.0, 5.0)))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _draw_trial(axes: Axes, band: Band, at: int, scale: Scale) -> None:
    """Draw the mean where it is on the scale, and a triangle at the end where it leaves it."""
    color, dash = TRIALS[at][0], "-" if at < len(TRIALS) // 2 else "--"
    near = band.within(scale.low, scale.high)
    if at < BANDED and (near.high > near.low).any():
        kept = np.union1d(extremes(near.low, POINTS), extremes(near.high, POINTS))
        ends = near.low[kept], near.high[kept]
        axes.fill_between(band.at[kept], *ends, color=color, alpha=0.18, linewidth=0)
    width = 1.8 if len(band.mean) <= POINTS else 1.2
    kept = extremes(near.mean, POINTS)
    x, mean = band.at[kept], band.mean[kept]
    off = (mean < scale.low) | (mean > scale.high)
    marker = "o" if len(kept) == 1 else ""
    shown = np.where(off, np.nan, mean)
    axes.plot(x, shown, marker=marker, color=color, linewidth=width, linestyle=dash)
    leaves = off & ~np.roll(off, 1)
    leaves[:1] = off[:1]
    for chosen, mark, end in (
        (mean > scale.high, "^", scale.high),
        (mean < scale.low, "v", scale.low),
    ):
        places = x[leaves & chosen]
        axes.plot(places, np.full(len(places), end), mark, color=color, markersize=6)


def _draw_end(axes: Axes, band: Band, at: int, scale: Scale) -> None:
    """Draw × after the last value of a trial that diverged: there is no number to draw."""
    last = min(max(float(band.mean[-1]), scale.low), scale.high)
    axes.plot(band.at[-1:], [last], "x", color=TRIALS[at][0], markersize=9, markeredgewidth=2)


def _draw_line(axes: Axes, band: Band, points: int, **style: Any) -> None:
    kept = extremes(band.mean, points)
    axes.plot(band.at[kept], band.mean[kept], marker="o" if len(kept) == 1 else "", **style)


def extremes(curve: Array, points: int) -> Array:
    """Indexes of the first and last value and the extremes of each section: (<= points,)."""
    places = np.arange(len(curve))
    if len(curve) <= points:
        return places
    stretches = np.array_split(places, points // 2 - 1)
    found = [at[pick(curve[at])] for at in stretches for pick in (np.argmin, np.argmax)]
    return np.unique([0, *found, len(curve) - 1])
