"""A panel of a figure: two axes with ticks, and paths of markers in them, as SVG."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor, hypot, log10

import numpy as np

from backproplab.arrays import Array
from backproplab.explain.canvas import set_line
from backproplab.explain.typeset import Line
from backproplab.palette import Theme

Limits = tuple[float, float]
SHAPES = ("circle", "triangle", "square", "diamond")
NEAR, LOOSE = 6.5, 20.0  # px between two markers of a path, at least; of a path of many steps
MANY = 300
LEFT, BELOW = 52.0, 42.0  # of a panel for its ticks


@dataclass(frozen=True)
class Panel:
    """A rectangle of the figure, and the limits of what it shows.

    log: logarithmic axes.  moving: paths tell at which step they are where, for a page's script.
    """

    x: float
    y: float
    width: float
    height: float
    across: Limits
    up: Limits
    theme: Theme
    log: tuple[bool, bool] = (False, False)
    moving: bool = False

    def at(self, x: float, y: float) -> tuple[float, float]:
        """A point in pixels; far outside it stays outside."""
        u = _share(x, self.across, self.log[0])
        v = _share(y, self.up, self.log[1])
        return self.x + u * self.width, self.y + (1 - v) * self.height

    def inside(self, x: float, y: float) -> bool:
        (left, right), (low, high) = self.across, self.up
        return left <= x <= right and low <= y <= high

    def axes(self, name_x: str, name_y: str) -> Iterator[str]:
        """The two axis lines with ticks and names."""
        t = self.theme
        line = f"M{self.x:.1f} {self.y:.1f}V{self.y + self.height:.1f}"
        yield f'<path d="{line}" stroke="{t.second}" stroke-width="1.2"/>'
        for value in ticks(self.up, self.log[1], self.height / 55):
            _, y = self.at(self.across[0], value)
            yield f'<path d="M{self.x:.1f} {y:.1f}h-5" stroke="{t.second}"/>'
            yield from set_line(_tick(value, self.log[1], t), self.x - 9, y + 4.5, "end")
        yield from self.axis(name_x)
        yield from set_line(Line(15).tex(name_y, t.ink), self.x - 4, self.y - 10)

    def axis(self, name: str) -> Iterator[str]:
        """The axis below with its ticks and name."""
        t = self.theme
        bottom, right = self.y + self.height, self.x + self.width
        line = f"M{self.x:.1f} {bottom:.1f}H{right:.1f}"
        yield f'<path d="{line}" stroke="{t.second}" stroke-width="1.2"/>'
        for value in ticks(self.across, self.log[0], self.width / 70):
            x, _ = self.at(value, self.up[0])
            yield f'<path d="M{x:.1f} {bottom:.1f}v5" stroke="{t.second}"/>'
            yield from set_line(_tick(value, self.log[0], t), x, bottom + 19, "middle")
        label = Line(15).tex(name, t.ink) if len(name) < 3 else Line(13).say(name, t.second)
        yield from set_line(label, right, bottom + 37, "end")

    def polyline(self, points: Sequence[tuple[float, float]], ink: str, width: float = 1.8) -> str:
        """A line through points of the axes, cut at the panel's frame by its clip path."""
        places = [self.at(*point) for point in points]
        text = "".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(places))
        return _stroke(text, ink, width)

    def clip(self, name: str, parts: Sequence[str]) -> list[str]:
        """Parts of which only what lies in the panel shows."""
        return [
            f'<clipPath id="{name}"><rect x="{self.x:.1f}" y="{self.y:.1f}"'
            f' width="{self.width:.1f}" height="{self.height:.1f}"/></clipPath>',
            f'<g clip-path="url(#{name})">',
            *parts,
            "</g>",
        ]

    def path(self, points: Sequence[tuple[float, float]], run: int, ink: str) -> Iterator[str]:
        """A descent: a line up to where it leaves the panel, hollow markers, a filled start."""
        parts = self._path(points, run, ink)
        yield from self.track(range(len(points)), points, run, ink, parts) if self.moving else parts

    def track(
        self,
        steps: Sequence[int],
        points: Sequence[tuple[float, float]],
        run: int,
        ink: str,
        parts: Iterable[str],
    ) -> Iterator[str]:
        """Parts that show where a run is at each step, up to where it leaves the panel."""
        places = [self.at(*point) for point in points[: _within(points, self) + 1]]
        if not places:
            yield from parts
            return
        kept = _thinned(places, 0.7)
        at = " ".join(f"{steps[n]},{places[n][0]:.1f},{places[n][1]:.1f}" for n in kept)
        yield f'<g class="track" data-at="{at}"><g class="whole">'
        yield from parts
        yield f"</g>{_stroke('', ink, 1.8)}"
        yield f'<g class="head">{marker(0, 0, run, self.theme.paper, ink, 7)}</g></g>'

    def _path(self, points: Sequence[tuple[float, float]], run: int, ink: str) -> Iterator[str]:
        places = [self.at(*point) for point in points]
        kept = _within(points, self)
        drawn = places[: kept + 1]
        if len(drawn) > 1:
            thin = [drawn[n] for n in _thinned(drawn, 0.7)]
            text = "".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(thin))
            yield _stroke(text, ink, 1.8)
        if kept < len(places) - 1 and drawn:
            yield from _leaving(drawn[-1], places[kept + 1], self, ink)
        for n in _thinned(drawn, NEAR if len(drawn) <= MANY else LOOSE)[1:]:
            yield marker(*drawn[n], run, ink, self.theme.paper)
        if drawn:
            yield marker(*drawn[0], run, ink, ink, 6.5)


def _stroke(text: str, ink: str, width: float) -> str:
    return (
        f'<path d="{text}" fill="none" stroke="{ink}" stroke-width="{width:g}"'
        ' stroke-linejoin="round"/>'
    )


def _share(value: float, limits: Limits, logarithmic: bool) -> float:
    low, high = limits
    if logarithmic:
        value, low, high = (log10(max(x, 1e-300)) for x in (value, low, high))
    return min(max((value - low) / (high - low), -50.0), 50.0)


def _within(points: Sequence[tuple[float, float]], panel: Panel) -> int:
    """The index of the last point before the path leaves the panel for good or at all."""
    for n, point in enumerate(points):
        if not (np.isfinite(point).all() and panel.inside(*point)):
            return n - 1
    return len(points) - 1


def _thinned(places: Sequence[tuple[float, float]], least: float) -> list[int]:
    """The numbers of the places, without those nearer than ``least`` pixels to the one before."""
    kept: list[int] = []
    for n, (x, y) in enumerate(places):
        if not kept or hypot(x - places[kept[-1]][0], y - places[kept[-1]][1]) >= least:
            kept.append(n)
    return kept


def _leaving(
    start: tuple[float, float], end: tuple[float, float], panel: Panel, ink: str
) -> Iterator[str]:
    """An arrow from the last point towards the next, up to the frame."""
    (x0, y0), (x1, y1) = start, end
    share = 1.0
    for a, b, low, high in ((x0, x1, panel.x, panel.x + panel.width),
                            (y0, y1, panel.y, panel.y + panel.height)):  # fmt: skip
        for edge in (low, high):
            if (b - edge) * (a - edge) < 0:
                share = min(share, (edge - a) / (b - a))
    x, y = x0 + share * (x1 - x0), y0 + share * (y1 - y0)
    length = max(hypot(x - x0, y - y0), 1e-9)
    u, v = (x - x0) / length, (y - y0) / length
    yield f'<path d="M{x0:.1f} {y0:.1f}L{x:.1f} {y:.1f}" stroke="{ink}" stroke-width="1.8"/>'
    yield tip(x, y, u, v, ink)


def tip(x: float, y: float, u: float, v: float, ink: str) -> str:
    """The tip of an arrow that ends at (x, y) in the direction (u, v), of length 1."""
    start = f"M{x:.1f} {y:.1f}L{x - 9 * u - 4 * v:.1f} {y - 9 * v + 4 * u:.1f}"
    return f'<path d="{start}L{x - 9 * u + 4 * v:.1f} {y - 9 * v - 4 * u:.1f}z" fill="{ink}"/>'


def marker(x: float, y: float, run: int, ink: str, fill: str, size: float = 4.2) -> str:
    """The mark of a run: a circle, triangle, square or diamond."""
    more = f'fill="{fill}" stroke="{ink}" stroke-width="1.5"'
    shape = SHAPES[run % len(SHAPES)]
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{size:g}" {more}/>'
    corners = {
        "triangle": ((0, -1.2), (1.1, 0.8), (-1.1, 0.8)),
        "square": ((-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)),
        "diamond": ((0, -1.25), (1.1, 0), (0, 1.25), (-1.1, 0)),
    }[shape]
    points = " ".join(f"{x + a * size:.1f},{y + b * size:.1f}" for a, b in corners)
    return f'<polygon points="{points}" {more}/>'


def star(x: float, y: float, theme: Theme, size: float = 9.0) -> str:
    """A minimum."""
    angles = [np.pi / 5 * n - np.pi / 2 for n in range(10)]
    radii = [size if n % 2 == 0 else 0.42 * size for n in range(10)]
    points = " ".join(
        f"{x + r * np.cos(a):.1f},{y + r * np.sin(a):.1f}"
        for a, r in zip(angles, radii, strict=True)
    )
    return (
        f'<polygon class="star" points="{points}" fill="{theme.paper}" stroke="{theme.ink}"'
        ' stroke-width="1.4"/>'
    )


def ticks(limits: Limits, logarithmic: bool, most: float) -> list[float]:
    """Round values within the limits, at most about ``most``."""
    low, high = limits
    if logarithmic:
        first, last = ceil(log10(low) - 1e-9), floor(log10(high) + 1e-9)
        step = max(1, ceil((last - first + 1) / max(most, 1)))
        return [10.0**n for n in range(first, last + 1, step)]
    raw = (high - low) / max(most, 1)
    size = 10 ** floor(log10(raw))
    step = next(size * m for m in (1, 2, 5, 10) if size * m >= raw)
    return [step * n for n in range(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)]


def _tick(value: float, logarithmic: bool, theme: Theme) -> Line:
    if logarithmic and not 1 <= value <= 1000:
        return Line(13).tex(f"10^{{{round(log10(value))}}}", theme.second)
    text = f"{round(value, 10) + 0.0:g}".replace("-", "−")
    return Line(13).say(text, theme.second)


def limits_of(values: Array, share: float = 0.08) -> Limits:
    """Limits around finite values, with a margin."""
    known = values[np.isfinite(values)]
    low, high = float(known.min()), float(known.max())
    room = share * (high - low) or 0.5
    return low - room, high + room
