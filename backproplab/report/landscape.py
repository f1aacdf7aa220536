"""The metric against a key: of a grid as lines, a line for each value of the other key.

A diverged trial has no number: it is in a hatched lane, never a point. This file must not know the
page around the figure.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT
from backproplab.report.markup import Markup
from backproplab.report.naming import PANELS, Layout
from backproplab.report.numerals import both
from backproplab.report.outcomes import guess, outcome
from backproplab.report.scales import Scale
from backproplab.report.svg import (
    Frame,
    Point,
    apart,
    circle,
    labels_beside,
    lane,
    path,
    svg,
    text,
)
from backproplab.report.trials import RankedTrial

MARGIN = 0.06  # of the axis, at both ends
LEFT, TOP, LANE = 52.0, 22.0, 24.0
WIDTH, BOTTOM = 560.0, 324.0
SHIFT = 3.0  # pixels between the marks of two lines at one value


class Stage:
    """A frame for the metric of some trials against a key, with a lane for those that diverged.

    marks: the axes and the lane. lane: the height of marks in it.
    """

    def __init__(
        self,
        comparison: Comparison,
        axis: Axis,
        trials: Sequence[RankedTrial],
        right: float,
        bottom: float,
    ) -> None:
        self.axis, self.name = axis, comparison.metric.name
        lost = any(t.mean(self.name) is None and outcome(t).lost for t in trials)
        falls = comparison.metric.sign > 0  # what is worse is above
        room = LANE + 6 if lost else 0.0
        top, low = (TOP + room, bottom) if falls else (TOP, bottom - room)
        numbers = [number for trial in trials for number in trial.numbers(self.name)]
        scale = Scale.of_metric(numbers, comparison.metric.sign) if numbers else Scale(0, 1)
        self.frame = Frame(LEFT, right, top, low, axis.scale.wider(MARGIN), scale.wider())
        edge = TOP if falls else bottom - LANE
        self.lane = edge + LANE / 2 + 5
        self.marks = [text(8, 12, self.name), *self.frame.rows()]
        if lost:
            self.marks += [
                lane(LEFT, right, edge, LANE),
                text(LEFT - 7, self.lane - 1, "gone", "e"),
            ]
        outer = Frame(LEFT, right, TOP, bottom, self.frame.across, self.frame.up)
        self.marks += outer.columns(self._ticks(), axis.name)

    def _ticks(self) -> list[tuple[float, str]]:
        start = self.frame.across.fraction(self.axis.scale.low)
        return [(start + (1 - 2 * start) * at, label) for at, label in self.axis.ticks_on_scale(9)]

    def x(self, trial: RankedTrial) -> float:
        return self.frame.x(self.axis.coordinate(trial.values[self.axis.key]))

    def within(self, value: float) -> float:
        """The height of a value, at the edge for one beyond the scale."""
        return min(max(self.frame.y(value), self.frame.top), self.frame.bottom)

    def mark(self, x: float, value: float, radius: float, class_: str, title: str = "") -> Markup:
        """A dot; a triangle at the edge for a value beyond the scale."""
        y = self.frame.y(value)
        if self.frame.top <= y <= self.frame.bottom:
            return circle(x, y, radius, class_, title)
        above = y < self.frame.top
        return text(
            x, self.within(value) + (9 if above else -1), "▲" if above else "▼", f"m cut {class_}"
        )


def lines_figure(layout: Layout) -> Markup | None:
    """The metric against the numeric key of a grid; None if there is none."""
    comparison, (by_panel, by_color) = layout.comparison, layout.keys
    if not by_color or not layout.axis(by_color).is_number or len(layout.axis(by_color).ticks) < 2:
        return None
    values = layout.best_values(by_panel, PANELS) if by_panel else [None]
    rows = [layout.trials(by_panel, v) if by_panel else list(comparison.trials) for v in values]
    names = [comparison.label(by_panel, v) if by_panel else "" for v in values]
    names, room = labels_beside(names)
    every = [trial for row in rows for trial in row]
    axis = layout.axis(by_color)
    stage = Stage(comparison, axis, every, WIDTH - max(room, 30), BOTTOM)
    drawn = [_line(stage, row, at) for at, row in enumerate(rows)]
    heights = apart([end[1] for _, end in drawn], 16, TOP, BOTTOM)
    labels = [
        text(stage.frame.right + 10, height + 4, name, f"lb o{at}")
        for at, (height, name) in enumerate(zip(heights, names, strict=True), start=1)
    ]
    marks = [mark for marks, _ in drawn for mark in marks]
    parts = [*stage.marks, *_guessing(comparison, stage.frame), *marks, *labels]
    return svg(WIDTH, BOTTOM + 42, f"{comparison.metric.name} against {axis.name}", parts)


def _line(stage: Stage, row: Sequence[RankedTrial], at: int) -> tuple[list[Markup], Point]:
    """(marks of one line, its last place): mean and range of each trial; ✗ in the lane."""
    color, marks, line = f"o{at + 1}", [], list[Point]()
    for trial in sorted(row, key=stage.x):
        x, mean = stage.x(trial) + SHIFT * at - 4, trial.mean(stage.name)
        if mean is None:
            marks += [text(x, stage.lane, "✗", f"m xx {color}")] if outcome(trial).lost else []
            continue
        ends = [stage.within(value) for value in trial.numbers(stage.name)]
        marks.append(path([(x, min(ends)), (x, max(ends))], f"wh {color}"))
        title = both(mean, trial.std(stage.name))
        marks.append(stage.mark(x, mean, 4.2, f"mk {color}", title))
        if trial.values[stage.axis.key] is not ABSENT:
            line.append((x, stage.within(mean)))
    drawn = [path(line, f"ol {color}")] if line else []
    return [*drawn, *marks], line[-1] if line else (0.0, TOP)


def _guessing(comparison: Comparison, frame: Frame) -> list[Markup]:
    """A line at the loss of a guess, if it is on the scale."""
    chance = guess(comparison)
    if not chance or not 0 < frame.up.fraction(chance[0]) < 1:
        return []
    y = frame.y(chance[0])
    words = text(frame.left + 4, y - 5, f"guessing, {chance[1]}", "rf")
    return [path([(frame.left, y), (frame.right, y)], "ref"), words]
