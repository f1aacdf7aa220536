"""What all figures of descents share: the title, the legend, the calm part of a path."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.descend import Shown
from backproplab.descend.path import Descent
from backproplab.descend.scan import box
from backproplab.descend.words import end_word, number, place
from backproplab.explain.axes import Limits, Panel, marker, star
from backproplab.explain.canvas import set_line
from backproplab.explain.notation import tex, word
from backproplab.explain.typeset import Line
from backproplab.palette import Theme

MARGIN, TOP = 34.0, 122.0
SIDE = 330.0  # of the column with the legend


class Picture:
    """moving: for a page whose script moves along the paths."""

    def __init__(self, shown: Shown, theme: Theme, moving: bool = False) -> None:
        self.shown, self.f, self.theme, self.moving = shown, shown.objective, theme, moving
        self.inks = [theme.runs[n % len(theme.runs)] for n in range(len(shown.runs))]

    @property
    def last(self) -> int:
        """The last step that is drawn."""
        return max(run.steps for run in self.shown.runs)

    def draw(self) -> str:
        """The SVG text."""
        raise NotImplementedError

    def panel(
        self, x: float, y: float, size: tuple[float, float], across: Limits, up: Limits,
        log: tuple[bool, bool] = (False, False),
    ) -> Panel:  # fmt: skip
        return Panel(x, y, *size, across, up, self.theme, log, self.moving)

    def head(self, aside: str) -> Iterator[str]:
        names = ", ".join(word(name) for name in self.f.names)
        line = Line(24).tex(f"f({names}) = {tex(self.f.text)}", self.theme.ink)
        if line.width > 900:
            line = Line(15).say(self.f.title[:110], self.theme.ink, "serif")
        yield from set_line(line, MARGIN, 46)
        yield from set_line(Line(15).say(aside, self.theme.second), MARGIN, 86)

    def common(self) -> str:
        """What all runs share, in words."""
        runs = self.shown.runs
        starts = {run.setting.start for run in runs}
        parts = [f"from {_place(next(iter(starts)))}"] if len(starts) == 1 else []
        names = {run.setting.optimizer.name for run in runs}
        parts += [next(iter(names))] if len(names) == 1 else []
        rates = {run.setting.learning_rate for run in runs}
        parts += [f"learning rate {number(next(iter(rates)))}"] if len(rates) == 1 else []
        return ", ".join([*parts, f"until within {self.shown.tolerance:g} of a minimum"])

    def _calm(self, run: Descent) -> Array:
        """The points of a run; of one that leaves those within three boxes of its start."""
        limits = box([np.array(run.setting.start)], self.shown.minima[:1])
        low, high = np.array(limits).T
        kept = np.isfinite(run.points).all(axis=1)
        kept &= ((run.points >= 2 * low - high) & (run.points <= 2 * high - low)).all(axis=1)
        return run.points[kept]

    def stars(self, panel: Panel, places: Sequence[tuple[float, float]]) -> Iterator[str]:
        for point in places:
            if panel.inside(*point):
                yield star(*panel.at(*point), self.theme)

    def legend(self, x: float, y: float) -> Iterator[str]:
        """Marker, name, settings, and steps at the right."""
        title = Line(13).say("steps, and where it ended", self.theme.second)
        yield from set_line(title, x + SIDE, y + 4, "end")
        for n, (run, verdict) in enumerate(zip(self.shown.runs, self.shown.verdicts, strict=True)):
            line = y + 36 + 66 * n
            yield f'<path d="M{x:.1f} {line - 5:.1f}h36" stroke="{self.inks[n]}" stroke-width="2"/>'
            yield marker(x + 18, line - 5, n, self.inks[n], self.theme.paper, 5.5)
            name = Line(16).say(run.setting.optimizer.name, self.theme.ink, "strong")
            yield from set_line(name, x + 48, line)
            steps = Line(16).say(f"{run.steps:,}", self.theme.ink, "strong")
            yield from set_line(steps, x + SIDE, line, "end")
            yield from set_line(self.settings(run), x + 48, line + 21)
            ended = f"{end_word(self.f, verdict)}, {verdict.manner}"
            yield from set_line(Line(13).say(ended, self.theme.second), x + SIDE, line + 21, "end")

    def settings(self, run: Descent) -> Line:
        """``η = 0.11, μ = 0.4444``; with several starts the start."""
        t = self.theme
        line = Line(15).tex(rf"\eta = {number(run.setting.learning_rate)}", t.second)
        if (beta := getattr(run.setting.optimizer, "momentum", None)) is not None:
            line.tex(rf", \, \mu = {number(beta)}", t.second)
        if len({r.setting.start for r in self.shown.runs}) > 1:
            line.say(f"  from {_place(run.setting.start)}", t.second, size=13)
        return line


def _place(start: Sequence[float]) -> str:
    """A start with the sign of a minus, as axes have it."""
    return place(np.array(start)).replace("-", "−")
