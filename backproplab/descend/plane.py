"""Descents in two variables as SVG: contours, the paths, ∇f at the start, f over the steps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from backproplab.descend.contours import along, contours, drawn
from backproplab.descend.picture import MARGIN, SIDE, TOP, Picture
from backproplab.explain.axes import Limits, Panel, limits_of, tip
from backproplab.explain.canvas import document, set_line
from backproplab.explain.notation import word
from backproplab.explain.typeset import Line

PLANE = (760.0, 480.0)  # of the panel with the contours


class Plane(Picture):
    def draw(self) -> str:
        across, up = self.window()
        panel = self.panel(MARGIN + 46, TOP, PLANE, across, up)
        taken = np.concatenate([along(panel, run.points) for run in self.shown.runs])
        lines = drawn(panel, contours(self.f, across, up), taken)
        parts = [*self.head(self.common()), *panel.clip("plane", list(lines))]
        parts += panel.axes(*(word(name) for name in self.f.names))
        parts += self.gradient(panel)
        for n, run in enumerate(self.shown.runs):
            parts += panel.path([(p[0], p[1]) for p in run.points], n, self.inks[n])
        parts += self.stars(panel, [(m[0], m[1]) for m in self.shown.minima])
        x, bottom = panel.x + PLANE[0] + 44, TOP
        if max(run.steps for run in self.shown.runs) > 300:
            parts += self.heights(x + 46, TOP, SIDE - 60, 200)
            bottom += 270
        parts += self.legend(x, bottom)
        height = max(TOP + PLANE[1] + 60, bottom + 60 + 66 * len(self.shown.runs))
        return document(self.f.title, x + SIDE + MARGIN, height, self.theme, parts)

    def window(self) -> tuple[Limits, Limits]:
        """Limits that hold the starts, the ends and the minima near them, and most of the paths."""
        points = [self._calm(run) for run in self.shown.runs]
        reached = [v.target for v in self.shown.verdicts if v.target is not None]
        whole = np.concatenate([*points, np.array(reached).reshape(-1, 2)])
        return limits_of(whole[:, 0], 0.12), limits_of(whole[:, 1], 0.12)

    def gradient(self, panel: Panel) -> Iterator[str]:
        """∇f at the start: the direction in which f grows fastest."""
        run = self.shown.runs[0]
        slope, start = run.slopes[0], run.points[0]
        if not np.isfinite(slope).all() or not np.linalg.norm(slope):
            return
        x, y = panel.at(*start)
        ahead = start + slope / np.linalg.norm(slope) * 1e-3 * (panel.across[1] - panel.across[0])
        u, v = np.subtract(panel.at(*ahead), (x, y))
        length = float(np.hypot(u, v)) or 1.0
        ink = self.theme.gradient_line
        yield (
            f'<path d="M{x:.1f} {y:.1f}l{38 * u / length:.1f} {38 * v / length:.1f}"'
            f' stroke="{ink}" stroke-width="2" stroke-dasharray="5 3"/>'
        )
        u, v = u / length, v / length
        yield tip(x + 46 * u, y + 46 * v, u, v, ink)
        u, v = 46 * u, 46 * v
        label = Line(15).tex(r"\nabla f", self.theme.gradient)
        if x + 1.25 * u - label.width - 12 < panel.x:  # no room at its end: above its middle
            yield from set_line(label, x + 0.5 * u, y + min(v, 0) - 8, "middle")
            return
        yield from set_line(
            label,
            x + 1.25 * u + (6 if u >= 0 else -6),
            y + 1.25 * v + 5,
            "start" if u >= 0 else "end",
        )

    def heights(self, x: float, y: float, width: float, height: float) -> Iterator[str]:
        """f above the lowest minimum over the steps, both logarithmic."""
        lowest = min((self.f.value(m) for m in self.shown.minima), default=None)
        rows = []
        for run in self.shown.runs:
            base = lowest if lowest is not None else float(np.nanmin(run.values))
            above = self.f.sign * (run.values - base)
            rows.append(np.where(np.isfinite(above) & (above > 0), above, np.nan)[1:])
        known = np.concatenate(rows)
        known = known[np.isfinite(known)]
        if known.size < 2:
            return
        up = (
            float(10 ** np.floor(np.log10(known.min()))),
            float(10 ** np.ceil(np.log10(known.max()))),
        )
        most = max(run.steps for run in self.shown.runs)
        limits = (1.0, float(most)), up
        panel = self.panel(x, y, (width, height), *limits, (True, True))
        yield from panel.axes("step, both axes logarithmic", "f" if not lowest else r"f - f_{min}")
        for n, (row, ink) in enumerate(zip(rows, self.inks, strict=True)):
            steps = np.unique(np.geomspace(1, max(len(row), 1), 400).astype(int)) - 1
            points = [
                (float(t + 1), float(row[t])) for t in steps if t < len(row) and np.isfinite(row[t])
            ]
            if len(points) > 1:
                line = [panel.polyline(points, ink)]
                at = [int(step) for step, _ in points]
                yield from panel.track(at, points, n, ink, line) if self.moving else line
