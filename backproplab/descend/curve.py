"""Descents in one variable as SVG: the curve with the steps, and x over the steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backproplab.descend.path import Descent
from backproplab.descend.picture import MARGIN, SIDE, TOP, Picture
from backproplab.explain.axes import Limits, Panel, limits_of, marker
from backproplab.explain.canvas import document, set_line
from backproplab.explain.notation import word
from backproplab.explain.typeset import Line

CURVE = (520.0, 380.0)  # of the panel with the curve


class Curve(Picture):
    def draw(self) -> str:
        """One variable: the curve with its steps, and x over the steps."""
        runs, minima = self.shown.runs, [float(m[0]) for m in self.shown.minima]
        across, up = self.span(self.shown.runs)
        panel = self.panel(MARGIN + 40, TOP, CURVE, across, up)
        name = word(self.f.names[0])
        parts = [*self.head(self.common()), *panel.clip("curve", [self.graph(panel)])]
        parts += panel.axes(name, f"f({name})")
        for n, run in enumerate(runs):
            points = list(zip(run.points[:, 0], run.values, strict=True))
            parts += panel.path(points, n, self.inks[n])
        parts += self.tangent(panel, runs[0])
        parts += self.stars(panel, [(m, self.f.value([m])) for m in minima])
        for m, verdict in self._named_minima():
            x, y = panel.at(m, self.f.value([m]))
            if panel.inside(m, self.f.value([m])):
                label = Line(13).say(verdict, self.theme.ink, "strong")
                parts += set_line(label, x, y + 27, "middle")
        parts += self.over_steps(panel.x + CURVE[0] + 96, runs, name)
        x = panel.x + CURVE[0] + 96 + 320 + 30
        parts += self.legend(x, TOP)
        height = max(TOP + CURVE[1] + 70, TOP + 60 + 66 * len(runs))
        return document(self.f.title, x + SIDE + MARGIN, height, self.theme, parts)

    def _named_minima(self) -> list[tuple[float, str]]:
        found = [float(m[0]) for m in self.shown.minima]
        if len(found) < 2:
            return []
        low = self.f.sign * self.f.value([found[0]])
        words = (
            ("lowest known", "local minimum")
            if self.f.sign > 0
            else ("highest known", "local maximum")
        )
        return [
            (m, words[self.f.sign * self.f.value([m]) > low + 1e-9 * max(1.0, abs(low))])
            for m in found
        ]

    def span(self, runs: Sequence[Descent], room: float = 0.12) -> tuple[Limits, Limits]:
        points = np.concatenate([self._calm(run) for run in runs]).ravel()
        reached = [float(v.target[0]) for v in self.shown.verdicts if v.target is not None]
        across = limits_of(np.array([*points, *reached]), room)
        inner = limits_of(np.array([*points, *reached]), max(0.04, 0.8 * room - 0.06))
        heights = self.f.on(np.linspace(*inner, 200))
        return across, limits_of(heights, 0.1)

    def graph(self, panel: Panel) -> str:
        x = np.linspace(*panel.across, 400)
        y = self.f.on(x)
        kept = np.isfinite(y)
        return panel.polyline(list(zip(x[kept], y[kept], strict=True)), self.theme.contours, 2.4)

    def tangent(self, panel: Panel, run: Descent) -> Iterator[str]:
        """f′ at the start: a short line along the curve."""
        x, y, slope = float(run.points[0, 0]), float(run.values[0]), float(run.slopes[0, 0])
        if not np.isfinite([y, slope]).all():
            return
        half = 0.07 * (panel.across[1] - panel.across[0])
        rise = 0.16 * (panel.up[1] - panel.up[0])
        half = min(half, rise / abs(slope)) if slope else half
        line = panel.polyline(
            [(x - half, y - half * slope), (x + half, y + half * slope)],
            self.theme.gradient_line,
            2,
        )
        yield line.replace("/>", ' stroke-dasharray="5 3"/>')

    def over_steps(self, x: float, runs: Sequence[Descent], name: str) -> Iterator[str]:
        most = max(run.steps for run in runs)
        shown = np.concatenate([self._calm(run) for run in runs]).ravel()
        limits = (0.0, float(max(most, 1))), limits_of(shown)
        panel = self.panel(x, TOP, (300, CURVE[1]), *limits)
        yield from panel.axes("step", name)
        for n, run in enumerate(runs):
            picked = np.unique(np.linspace(0, run.steps, 400).astype(int))
            points = [
                (float(t), float(run.points[t, 0])) for t in picked if np.isfinite(run.points[t, 0])
            ]
            line = [panel.polyline(points, self.inks[n])]
            if self.moving:
                line = [*panel.track([int(t) for t, _ in points], points, n, self.inks[n], line)]
            yield from panel.clip(f"steps{n}", line)
            if panel.inside(*points[0]):
                yield marker(*panel.at(*points[0]), n, self.inks[n], self.inks[n], 6)
