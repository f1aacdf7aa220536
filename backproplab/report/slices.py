"""The metric against each key of a search: a point for each trial, the best five with their rank.

A diverged trial is in a hatched lane. This file must not know the page around a figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.comparison import Comparison
from backproplab.report.landscape import Stage
from backproplab.report.markup import Markup
from backproplab.report.naming import Layout
from backproplab.report.numerals import three
from backproplab.report.outcomes import outcome
from backproplab.report.svg import svg, text
from backproplab.report.trials import RankedTrial

BEST = 5  # points with their rank
RIGHT, BOTTOM = 430.0, 244.0


def slices(comparison: Comparison, keys: Sequence[str]) -> list[Markup]:
    """A picture for each key."""
    return [_slice(comparison, key) for key in keys]


def _slice(comparison: Comparison, key: str) -> Markup:
    axis = Layout(comparison).axis(key)
    stage = Stage(comparison, axis, comparison.trials, RIGHT, BOTTOM)
    ranked = reversed(list(enumerate(comparison.trials, start=1)))  # the best on top
    points = [mark for rank, trial in ranked for mark in _point(stage, trial, rank)]
    return svg(460, BOTTOM + 44, f"{stage.name} against {axis.name}", [*stage.marks, *points])


def _point(stage: Stage, trial: RankedTrial, rank: int) -> list[Markup]:
    x, mean = stage.x(trial), trial.mean(stage.name)
    if mean is None:
        return [text(x, stage.lane, "✗", "m xx")] if outcome(trial).lost else []
    if rank > BEST:
        return [stage.mark(x, mean, 3.2, "dot")]
    label = text(x + 6, stage.within(mean) + 4, str(rank), "lb")
    return [stage.mark(x, mean, 4.4, "dot top", f"number {rank}: {three(mean)}"), label]
