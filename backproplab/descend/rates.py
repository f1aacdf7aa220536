"""Descents from one start as SVG: a panel for each on the same axes, the rates on a line below."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproplab.descend.curve import Curve
from backproplab.descend.path import Descent
from backproplab.descend.picture import MARGIN, TOP
from backproplab.descend.verdict import Verdict
from backproplab.descend.words import end_word, number
from backproplab.explain.axes import Panel, marker
from backproplab.explain.canvas import document, rectangle, set_line
from backproplab.explain.notation import word
from backproplab.explain.typeset import Line

SMALL, ROW = (230.0, 250.0), 4  # of a panel for one run; panels in a row
FIRST = 40  # steps that a panel draws


class Rates(Curve):
    @property
    def last(self) -> int:
        return min(super().last, FIRST)

    def draw(self) -> str:
        """A panel for each run on the same axes; below each how it ended."""
        runs = self.shown.runs
        short = [_cut(run) for run in runs]
        staying = [run for run in short if run.stop != "gone"] or short
        across, up = self.span(staying, 0.5)
        parts = list(self.head(self.common()))
        name = word(self.f.names[0])
        step_x, step_y = SMALL[0] + 62, SMALL[1] + 150
        for n, (run, verdict) in enumerate(zip(runs, self.shown.verdicts, strict=True)):
            x, y = MARGIN + 40 + n % ROW * step_x, TOP + 50 + n // ROW * step_y
            panel = self.panel(x, y, SMALL, across, up)
            parts += panel.clip(f"rate{n}", [self.graph(panel)])
            parts += panel.axes(name, "")
            points = list(zip(short[n].points[:, 0], short[n].values, strict=True))
            parts += panel.path(points, n, self.inks[n])
            parts += self.stars(panel, [(float(m[0]), self.f.value(m)) for m in self.shown.minima])
            parts += self.said(panel, run, verdict)
        rows = (len(runs) - 1) // ROW + 1
        bottom = TOP + 50 + rows * step_y
        scale = list(self.scale(bottom))
        width = MARGIN + 40 + min(len(runs), ROW) * step_x
        return document(
            self.f.title,
            max(width, 700),
            bottom + (110 if scale else 0),
            self.theme,
            [*parts, *scale],
        )

    def said(self, panel: Panel, run: Descent, verdict: Verdict) -> Iterator[str]:
        t, middle = self.theme, panel.x + panel.width / 2
        title = self.settings(run)
        if len({r.setting.optimizer.name for r in self.shown.runs}) > 1:
            title = Line(15).say(f"{run.setting.optimizer.name}  ", t.ink, "strong").join(title)
        yield from set_line(title, middle, panel.y - 32, "middle")
        ended = f"{end_word(self.f, verdict)}, {verdict.manner}"
        yield from set_line(Line(14).say(ended, t.ink, "strong"), middle, panel.y - 12, "middle")
        below = panel.y + panel.height + 58
        steps = Line(14).say(f"{run.steps:,} steps", t.second)
        if np.isfinite(verdict.factor) and verdict.factor:
            steps.say(f", each leaves {number(verdict.factor)}", t.second)
        yield from set_line(steps, middle, below, "middle")
        if run.steps > FIRST:
            yield from set_line(
                Line(13).say(f"drawn: the first {FIRST}", t.second), middle, below + 21, "middle"
            )

    def scale(self, y: float) -> Iterator[str]:
        """The rates on a line with 1/λ and the limit, which give the reason."""
        verdict = next(
            (v for v in self.shown.verdicts if v.limit and v.eigenvalues is not None), None
        )
        optimizers = {run.setting.optimizer.name for run in self.shown.runs}
        if (
            verdict is None
            or verdict.limit is None
            or verdict.eigenvalues is None
            or optimizers != {"sgd"}
        ):
            return
        t, x, width = self.theme, MARGIN + 40, 900.0
        most = max(
            1.2 * verdict.limit, *(1.05 * run.setting.learning_rate for run in self.shown.runs)
        )
        steep = float(verdict.eigenvalues[-1])
        marks = (0.0, 1 / steep, verdict.limit, most)
        names = ("same side each step", "changes sides each step", "leaves")
        fills = (t.paths[0][1], t.value, t.gradient_line)
        for a, b, name, fill in zip(marks, marks[1:], names, fills, strict=False):
            left, right = x + a / most * width, x + b / most * width
            yield rectangle(left, y, right - left, 20, fill, more=' fill-opacity=".25"')
            if right - left > 90:
                yield from set_line(Line(13).say(name, t.ink), (left + right) / 2, y + 40, "middle")
        for value, name in ((1 / steep, r"1/\lambda"), (verdict.limit, r"2/\lambda")):
            place_x = x + value / most * width
            yield f'<path d="M{place_x:.1f} {y - 6:.1f}v32" stroke="{t.ink}" stroke-width="1.5"/>'
            label = Line(15).tex(f"{name} = {number(value)}", t.ink)
            yield from set_line(label, place_x, y - 12, "middle")
        yield from set_line(Line(18).tex(r"\eta", t.ink), x - 24, y + 15)
        for n, run in enumerate(self.shown.runs):
            yield marker(
                x + run.setting.learning_rate / most * width,
                y + 10,
                n,
                self.inks[n],
                self.inks[n],
                7,
            )
        words = Line(14).tex(rf"\lambda = {number(steep)}", t.second)
        words.say(
            " is the curvature at the minimum: above 2/λ every step lands farther away", t.second
        )
        yield from set_line(words, x, y + 70)


def _cut(run: Descent) -> Descent:
    """The first steps of a run, which a small panel can show."""
    end = FIRST + 1
    return Descent(
        run.setting, run.points[:end], run.values[:end], run.slopes[:end], run.stop, run.near
    )
