"""The metric against each key of a search: a point for each trial, the best five with their rank.

A diverged trial is in a hatched lane. This file must not know the page around a figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.landscape import MARGIN, metric_scale
from backproplab.report.markup import Markup
from backproplab.report.naming import Layout
from backproplab.report.numerals import three
from backproplab.report.outcomes import outcome
from backproplab.report.svg import Frame, circle, lane, svg, text

BEST = 5  # points with their rank


def slices(comparison: Comparison, keys: Sequence[str]) -> list[Markup]:
    """A picture for each key."""
    return [_slice(comparison, key) for key in keys]


def _slice(comparison: Comparison, key: str) -> Markup:
    name, axis = comparison.metric.name, Layout(comparison).axis(key)
    lost = [t for t in comparison.trials if t.mean(name) is None and outcome(t).lost]
    falls = comparison.metric.sign > 0
    top, bottom = (46.0 if lost and falls else 20.0), (218.0 if lost and not falls else 244.0)
    up = metric_scale(comparison, comparison.trials).wider()
    frame = Frame(50, 430, top, bottom, axis.scale.wider(MARGIN), up)
    low = frame.across.fraction(axis.scale.low)
    ticks = [(low + (1 - 2 * low) * at, label) for at, label in axis.ticks_on_scale(6)]
    parts = [text(8, 12, name), *frame.rows()]
    if lost:
        y = 20.0 if falls else bottom + 4
        parts += [lane(50, 430, y, 22), text(44, y + 15, "gone", "e")]
        places = [frame.x(axis.coordinate(trial.values[key])) for trial in lost]
        parts += [text(x, y + 16, "✗", "m xx") for x in places]
    parts += Frame(50, 430, top, 244, frame.across, up).columns(ticks, axis.name)
    for rank, trial in reversed(list(enumerate(comparison.trials, start=1))):
        parts += _point(trial, rank, frame.x(axis.coordinate(trial.values[key])), frame)
    return svg(460, 288, f"{name} against {axis.name}", parts)


def _point(trial: RankedTrial, rank: int, x: float, frame: Frame) -> list[Markup]:
    """The mark of a trial; a triangle at the edge if it is beyond the scale."""
    mean = trial.mean(trial.metric.name)
    if mean is None:
        return []
    y, told = frame.y(mean), f"number {rank}: {three(mean)}"
    if y < frame.top:
        return [text(x, frame.top + 9, "▲", "m cut")]
    if y > frame.bottom:
        return [text(x, frame.bottom - 1, "▼", "m cut")]
    if rank > BEST:
        return [circle(x, y, 3.2, "dot", told)]
    return [circle(x, y, 4.4, "dot top", told), text(x + 6, y + 4, str(rank), "lb")]
