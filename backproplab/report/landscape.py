"""The metric against a numeric key of a grid, a line for each value of the other key.

A diverged trial has no number: it is in a hatched lane, never a point. This file must not know the
page around the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.report.differences import ABSENT
from backproplab.report.markup import Markup
from backproplab.report.naming import PANELS, Layout
from backproplab.report.numerals import both
from backproplab.report.outcomes import guess, outcome
from backproplab.report.scales import Scale
from backproplab.report.svg import Frame, apart, circle, labels_beside, lane, path, svg, text

MARGIN = 0.06  # of the axis, at both ends


def metric_scale(comparison: Comparison, trials: Sequence[RankedTrial]) -> Scale:
    """The scale of the runs of these trials; what is far out and worse is beyond it."""
    name = comparison.metric.name
    numbers = [number for trial in trials for number in trial.numbers(name)]
    return Scale.of_metric(numbers, comparison.metric.sign) if numbers else Scale(0, 1)


def lines_figure(layout: Layout) -> Markup | None:
    """The metric against the numeric key of a grid, a line for each value of the other key."""
    comparison, (by_panel, by_color) = layout.comparison, layout.keys
    if not by_color or not layout.axis(by_color).is_number or len(layout.axis(by_color).ticks) < 2:
        return None
    values = layout.best_values(by_panel, PANELS) if by_panel else [None]
    rows = [layout.trials(by_panel, v) if by_panel else list(comparison.trials) for v in values]
    names = [comparison.label(by_panel, v) if by_panel else "" for v in values]
    return _lines(layout, rows, names)


def _lines(layout: Layout, rows: Sequence[Sequence[RankedTrial]], names: Sequence[str]) -> Markup:
    comparison, axis = layout.comparison, layout.axis(layout.keys[1])
    every = [trial for row in rows for trial in row]
    lost = [t for t in every if t.mean(t.metric.name) is None and outcome(t).lost]
    falls = comparison.metric.sign > 0
    top, bottom = (52.0 if lost and falls else 22.0), (294.0 if lost and not falls else 324.0)
    up = metric_scale(comparison, every).wider()
    names, room = labels_beside(names)
    right = 560 - max(room, 30)
    frame = Frame(52, right, top, bottom, axis.scale.wider(MARGIN), up)
    parts = [text(8, 12, comparison.metric.name), *frame.rows()]
    low = frame.across.fraction(axis.scale.low)
    ticks = [(low + (1 - 2 * low) * at, label) for at, label in axis.ticks_on_scale(9)]
    y = 22.0 if falls else bottom + 6
    if lost:
        parts += [lane(52, right, y, 24), text(45, y + 16, "gone", "e")]
    parts += _guessing(comparison, frame)
    outer = Frame(52, right, top, 324.0, frame.across, up)
    parts += outer.columns(ticks, axis.name)
    ends = []
    for at, row in enumerate(rows):
        marks, end = _one_line(layout, row, at, frame, y + 17)
        parts += marks
        ends.append(end)
    places = apart([end[1] for end in ends], 16, top, 324)
    parts += [
        text(right + 10, place + 4, name, f"lb fo{at + 1}")
        for at, (place, name) in enumerate(zip(places, names, strict=True))
    ]
    label = f"{comparison.metric.name} against {axis.name}"
    return svg(560, 366, label, parts)


def _one_line(
    layout: Layout, row: Sequence[RankedTrial], at: int, frame: Frame, hatched: float
) -> tuple[list[Markup], tuple[float, float]]:
    """(marks of one line, its last place): mean and range of each trial; ✗ in the lane."""
    key, name, color = layout.keys[1], layout.comparison.metric.name, f"o{at + 1}"
    axis, shift = layout.axis(key), 3.0 * at
    marks: list[Markup] = []
    line: list[tuple[float, float]] = []
    for trial in sorted(row, key=lambda t: axis.coordinate(t.values[key])):
        x = frame.x(axis.coordinate(trial.values[key])) + shift - 4
        mean = trial.mean(name)
        if mean is None:
            marks += [text(x, hatched, "✗", f"m xx f{color}")] if outcome(trial).lost else []
            continue
        y = min(max(frame.y(mean), frame.top), frame.bottom)
        ends = [min(max(frame.y(v), frame.top), frame.bottom) for v in trial.numbers(name)]
        told = f"{layout.comparison.label(key, trial.values[key])}: {both(mean, trial.std(name))}"
        marks.append(path([(x, min(ends)), (x, max(ends))], f"wh {color}"))
        off = frame.y(mean) != y
        marks.append(
            text(x, y + 4, "▲" if y == frame.top else "▼", f"m f{color}")
            if off
            else circle(x, y, 4.2, f"mk f{color}", told)
        )
        if trial.values[key] is not ABSENT:
            line.append((x, y))
    return [path(line, f"ol {color}"), *marks] if line else marks, line[-1] if line else (
        0.0,
        frame.top,
    )


def _guessing(comparison: Comparison, frame: Frame) -> list[Markup]:
    chance = guess(comparison)
    if not chance or not 0 < frame.up.fraction(chance[0]) < 1:
        return []
    y = frame.y(chance[0])
    return [
        path([(frame.left, y), (frame.right, y)], "ref"),
        text(frame.left + 4, y - 5, f"guessing, {chance[1]}", "rf"),
    ]
