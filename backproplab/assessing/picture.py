"""What all figures of an assessment share: a title, panels, bars with names, and a legend."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.explain.axes import Limits, Panel, marker
from backproplab.explain.canvas import document, rectangle, set_line, within_page
from backproplab.explain.typeset import Line
from backproplab.explain.widths import width_of
from backproplab.layout import shortened
from backproplab.palette import Theme

Point = tuple[float, float]
MARGIN, TOP, LEFT = 28.0, 104.0, 64.0
SIDE = 360.0  # of a square panel
BELOW = 56.0
DASHES = ("", ' stroke-dasharray="8 4"', ' stroke-dasharray="2 3"')
LETTERS = 22  # of a name beside a figure
ROW = 24.0  # of bars with names
SHADE = 0.5  # most opacity of a cell: the ink on it stays readable


class Part:
    """One aspect of how good a model's answers are: its numbers, and their figure."""

    name: ClassVar[str]

    @property
    def title(self) -> str:
        """What the figure is."""
        raise NotImplementedError

    @property
    def aside(self) -> str:
        """What it is of, and its most important number."""
        raise NotImplementedError

    def tree(self) -> dict[str, object]:
        """Every number, by name."""
        raise NotImplementedError

    def draw(self, picture: Picture) -> None:
        """Add everything below the title."""
        raise NotImplementedError

    def figure(self, theme: Theme) -> str:
        """As SVG."""
        picture = self._drawn(theme)
        return document(self.title, *picture.size, theme, picture.parts)

    def within_page(self, theme: Theme) -> str:
        """As SVG for an HTML page that declares the theme's colors."""
        picture = self._drawn(theme)
        return within_page(self.title, *picture.size, picture.parts)

    def _drawn(self, theme: Theme) -> Picture:
        picture = Picture(self.title, self.aside, theme)
        self.draw(picture)
        return picture


@dataclass(frozen=True)
class Bar:
    """spread: of a line through its end, to both sides."""

    name: str
    value: float
    text: str
    spread: float = 0.0


class Picture:
    """An SVG that grows by what is drawn on it."""

    def __init__(self, title: str, aside: str, theme: Theme) -> None:
        self.theme = theme
        self.right, self.bottom = MARGIN, TOP
        self.parts: list[str] = []
        self.words(title, MARGIN, 42, 20, "strong")
        self.words(aside, MARGIN, 66, 14, second=True)

    def words(
        self, text: str, x: float, y: float, size: float = 13, face: str = "sans",
        second: bool = False, anchor: str = "start",
    ) -> None:  # fmt: skip
        """A line of text; the picture becomes as wide as it needs."""
        line = Line(size).say(text, self.theme.second if second else self.theme.ink, face)  # type: ignore[arg-type]
        self.parts += set_line(line, x, y, anchor)
        end = {"start": line.width, "middle": line.width / 2, "end": 0.0}[anchor]
        self.reach(x + end, y)

    def slanted(self, text: str, x: float, y: float) -> None:
        """A text that rises to the right."""
        glyphs = set_line(Line(13).say(text, self.theme.ink), 0, 0)
        self.parts += [f'<g transform="translate({x:.1f} {y:.1f}) rotate(-50)">', *glyphs, "</g>"]
        self.reach(x + 0.65 * 13 * width_of(text, "sans"), y)

    def reach(self, x: float, y: float) -> None:
        """Let the picture have at least this size, without its margin."""
        self.right, self.bottom = max(self.right, x), max(self.bottom, y)

    def panel(
        self, across: Limits, up: Limits, names: tuple[str, str],
        x: float = MARGIN + LEFT, y: float = TOP, width: float = SIDE, height: float = SIDE,
    ) -> Panel:  # fmt: skip
        """Two axes with their names."""
        panel = Panel(x, y, width, height, across, up, self.theme)
        self.parts += panel.axes(names[0], "")
        self.words(names[1], x - 4, y - 10, second=True)
        self.reach(x + width, y + height + 37)
        return panel

    def line(self, panel: Panel, points: Sequence[Point], number: int) -> None:
        """A curve in the color and the dashes of its number."""
        dashes, ink = self.look(number)
        drawn = panel.polyline(_corners(panel, points), ink, 2.0).replace("/>", f"{dashes}/>")
        self.parts.append(drawn)

    def reference(self, panel: Panel, points: Sequence[Point]) -> None:
        """A thin dotted line to compare with."""
        drawn = panel.polyline(points, self.theme.second, 1.2)
        self.parts.append(drawn.replace("/>", ' stroke-dasharray="2 4"/>'))

    def look(self, number: int) -> tuple[str, str]:
        """(dashes, color): those of different numbers differ, up to 18."""
        inks = self.theme.runs
        return DASHES[number // len(inks) % len(DASHES)], inks[number % len(inks)]

    def legend(self, entries: Sequence[tuple[str, str]], x: float, heads: tuple[str, str]) -> None:
        """A name with the look of its number, and a value at the right."""
        names = shortened([name for name, _ in entries], LETTERS)
        room = 13 * max(width_of(name, "sans") for name in [*names, heads[0]])
        end = x + 44 + room + 24 + 13 * width_of(max(heads[1], "0.0000", key=len), "sans")
        self.words(heads[0], x + 44, TOP + 4, second=True)
        self.words(heads[1], end, TOP + 4, second=True, anchor="end")
        for n, (name, (_, value)) in enumerate(zip(names, entries, strict=True)):
            y, (dashes, ink) = TOP + 30 + 23 * n, self.look(n)
            style = f'stroke="{ink}" stroke-width="2.4"{dashes}'
            self.parts.append(f'<path d="M{x:.1f} {y - 4.5:.1f}h34" {style}/>')
            self.words(name, x + 44, y)
            self.words(value, end, y, anchor="end")
        self.reach(end, TOP)

    def bars(self, bars: Sequence[Bar], axis: str, heads: tuple[str, str]) -> None:
        """A bar for each name from 0 on, and a text behind it."""
        names = shortened([bar.name for bar in bars], LETTERS)
        left = MARGIN + 13 * max(width_of(name, "sans") for name in [*names, heads[0]]) + 12
        ends = np.array([[bar.value - bar.spread, bar.value + bar.spread] for bar in bars])
        known = np.append(ends[np.isfinite(ends)], 0.0)
        low, high = (1.04 * float(end) for end in (known.min(), known.max()))
        size = SIDE, ROW * len(bars)
        limits = low, high if high > low else low + 1
        panel = Panel(left, TOP, *size, limits, (0, 1), self.theme)
        self.parts += panel.axis(axis)
        self.reach(left + SIDE, TOP + size[1] + 37)
        text = 13 * max(width_of(bar.text, "sans") for bar in bars)
        end = left + SIDE + 24 + max(text, 13 * width_of(heads[1], "sans"))
        self.words(heads[0], left - 12, TOP - 10, second=True, anchor="end")
        self.words(heads[1], end, TOP - 10, second=True, anchor="end")
        for n, (bar, name) in enumerate(zip(bars, names, strict=True)):
            y = TOP + ROW * (n + 0.5)
            self.words(name, left - 12, y + 4.5, anchor="end")
            self.words(bar.text, end, y + 4.5, anchor="end")
            if np.isfinite(bar.value):
                self.parts += self._bar(panel, bar, y)
        self.reach(end, panel.y + panel.height)

    def _bar(self, panel: Panel, bar: Bar, y: float) -> Iterator[str]:
        zero, end = panel.at(0, 0)[0], panel.at(bar.value, 0)[0]
        x, width = min(zero, end), abs(end - zero)
        yield rectangle(x, y - 7, width, 14, self.theme.value, more=f' fill-opacity="{SHADE}"')
        if bar.spread:
            first, last = (panel.at(bar.value + s * bar.spread, 0)[0] for s in (-1, 1))
            line = f"M{first:.1f} {y:.1f}H{last:.1f}"
            yield f'<path d="{line}" stroke="{self.theme.ink}" stroke-width="1.4"/>'
        yield marker(end, y, 0, self.theme.value, self.theme.value, 3.4)

    @property
    def size(self) -> tuple[float, float]:
        """Width and height."""
        return self.right + MARGIN, self.bottom + MARGIN


def _corners(panel: Panel, points: Sequence[Point]) -> list[Point]:
    """The points without those that half a pixel does not tell from the one before."""
    places = np.array([panel.at(*point) for point in points])
    cells = np.round(2 * places)
    moved = np.any(np.diff(cells, axis=0) != 0, axis=1)
    kept = np.concatenate([[True], moved])
    kept[-1] = True
    return [point for point, keep in zip(points, kept, strict=True) if keep]


def figure(number: float) -> str:
    """Four digits, with the sign of a minus."""
    return f"{number:.4g}".replace("-", "−")


def points_of(*arrays: Array) -> list[Point]:
    """Points from two arrays (n,)."""
    return [(float(x), float(y)) for x, y in zip(*arrays, strict=True)]
