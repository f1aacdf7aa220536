"""Landscapes as SVG: the line with its splits, the plane as contours, the path in it."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.descend.contours import along, contour_lines, drawn
from backproplab.explain.axes import Limits, Panel, limits_of, star
from backproplab.explain.canvas import document, set_line
from backproplab.explain.typeset import Line as Type
from backproplab.landscape.path import Path2D
from backproplab.landscape.surface import Line, Plane
from backproplab.palette import THEMES
from backproplab.text import short

MARGIN, TOP, BELOW = 34.0, 136.0, 60.0
WIDE, HIGH, SQUARE = 470.0, 400.0, 400.0  # of a panel with a line; of one with a plane
DASHES = ("", ' stroke-dasharray="7 4"')  # of each split's line
AXES = ("first random direction", "second random direction")
STEEP = 8.0  # times the middle half of the losses: what a line shows above its least


class Figure:
    """title: the run. aside: what is shown of it. theme: light or dark."""

    def __init__(self, title: str, aside: str, theme: str) -> None:
        self.title, self.theme = title, THEMES[theme]
        self.parts = [
            *set_line(Type(22).say(title, self.theme.ink, "strong"), MARGIN, 44),
            *set_line(Type(15).say(aside, self.theme.second), MARGIN, 72),
        ]

    def around(self, line: Line, plane: Plane) -> str:
        """The line at the left, the plane at the right."""
        self._line(line, "along the first direction")
        x = MARGIN + 60 + WIDE + 90
        panel = self._plane(plane, x, AXES, np.zeros((1, 2)))
        self.parts.append(star(*panel.at(0, 0), self.theme))
        return self._done(x + SQUARE)

    def between(self, line: Line, names: tuple[str, str]) -> str:
        """The line between two runs, with both marked."""
        panel = self._line(line, "0: this run, 1: the other")
        for place, name in zip((0.0, 1.0), names, strict=True):
            x, _ = panel.at(place, panel.up[0])
            dash = f'<path d="M{x:.1f} {panel.y:.1f}v{panel.height:.1f}" stroke-dasharray="4 4"'
            self.parts.append(f'{dash} stroke="{self.theme.rules}" stroke-width="1.4"/>')
            label = Type(13).say(name, self.theme.second)
            self.parts += set_line(label, x, panel.y - 10, "middle")
        return self._done(MARGIN + 60 + WIDE)

    def path(self, path: Path2D) -> str:
        """The plane of the path, and the path from its filled start to the star."""
        names = tuple(
            f"{which} principal direction ({share:.0%})"
            for which, share in zip(("first", "second"), path.shares, strict=True)
        )
        panel = self._plane(path.plane, MARGIN + 60, (names[0], names[1]), path.places)
        self.parts += panel.path([(x, y) for x, y in path.places], 0, self.theme.runs[0])
        self.parts.append(star(*panel.at(0, 0), self.theme))
        return self._done(MARGIN + 60 + SQUARE + 60)

    def _line(self, line: Line, name: str) -> Panel:
        every = np.concatenate(list(line.losses.values()))
        across = float(line.places[0]), float(line.places[-1])
        panel = Panel(MARGIN + 60, TOP, WIDE, HIGH, across, _shown(every), self.theme)
        self.parts += panel.axes(name, "")
        for n, (split, losses) in enumerate(line.losses.items()):
            points = list(zip(line.places, losses, strict=True))
            kept = [(float(x), float(y)) for x, y in points if np.isfinite(y)]
            ink, dash = self.theme.runs[n], DASHES[n % len(DASHES)]
            drawn = panel.polyline(kept, ink, 2.2).replace("/>", f"{dash}/>")
            self.parts += panel.clip(f"line{n}", [drawn])
            x, y = panel.x + 150 * n, TOP - 34
            key = f'<path d="M{x:.1f} {y - 5:.1f}h30" stroke="{ink}" stroke-width="2.2"{dash}/>'
            words = Type(14).say(f"{split} loss", self.theme.ink)
            self.parts += [key, *set_line(words, x + 38, y)]
        return panel

    def _plane(self, plane: Plane, x: float, names: tuple[str, str], path: Array) -> Panel:
        """path: (t, 2), that will be drawn in it."""
        limits: list[Limits] = [(float(a[0]), float(a[-1])) for a in (plane.across, plane.up)]
        panel = Panel(x, TOP, SQUARE, SQUARE, limits[0], limits[1], self.theme)
        lines = contour_lines(plane.across, plane.up, plane.losses)
        self.parts += panel.clip("plane", list(drawn(panel, lines, along(panel, path))))
        self.parts += panel.axes(names[0], "")
        self.parts += set_line(Type(13).say(names[1], self.theme.second), x - 4, TOP - 10)
        heights = Type(14).say(f"lines of equal train loss, {span(plane.losses)}", self.theme.ink)
        self.parts += set_line(heights, x - 4, TOP - 34)
        return panel

    def _done(self, right: float) -> str:
        width, height = right + MARGIN, TOP + max(HIGH, SQUARE) + BELOW
        return document(self.title, max(width, 560), height, self.theme, self.parts)


def _shown(losses: Array) -> Limits:
    """Limits of what a line shows: all of it, or what is not far above its middle half."""
    known = losses[np.isfinite(losses)]
    if not known.size:
        return 0.0, 1.0
    quarter, three = np.quantile(known, (0.25, 0.75))
    top = three + STEEP * max(three - quarter, 1e-12)
    return limits_of(known[known <= top]) if (known <= top).any() else limits_of(known)


def span(losses: Array) -> str:
    """``0.0123 to 3.2``."""
    known = losses[np.isfinite(losses)]
    return f"{short(known.min())} to {short(known.max())}" if known.size else "nowhere finite"
