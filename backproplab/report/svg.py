"""A picture as SVG in the page: text stays text, colors are classes of the style sheet.

Coordinates are pixels of the view box. This file must not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from backproplab.layout import shortened
from backproplab.report.markup import Markup, element
from backproplab.report.scales import Scale

Point = tuple[float, float]
LETTER = 8.6  # pixels of a bold letter on a phone, where letters are largest
LETTERS = 16  # of a label beside a frame


@dataclass(frozen=True)
class Frame:
    """The area of the data: its sides, and the scales along them. Scales may fall."""

    left: float
    right: float
    top: float
    bottom: float
    across: Scale
    up: Scale

    def x(self, value: float) -> float:
        return self.left + (self.right - self.left) * self.across.fraction(value)

    def y(self, value: float) -> float:
        """Values beyond the scale are far outside of the frame, but finite."""
        fraction = min(max(self.up.fraction(value), -9.0), 9.0)
        return self.bottom - (self.bottom - self.top) * fraction

    def points(self, xs: Iterable[float], ys: Iterable[float]) -> list[Point]:
        return [(self.x(x), self.y(y)) for x, y in zip(xs, ys, strict=True)]

    def rows(self) -> list[Markup]:
        """Lines across, each with its number at the left."""
        marks = []
        for tick, label in self.up.ticks():
            y = self.bottom - (self.bottom - self.top) * tick
            marks.append(path([(self.left, y), (self.right, y)], "gr"))
            marks.append(text(self.left - 7, y + 4, label, "e"))
        return marks

    def columns(self, ticks: Sequence[tuple[float, str]], name: str = "") -> list[Markup]:
        """The axis below, with its numbers by place from 0 to 1; its name in the last corner."""
        marks = [path([(self.left, self.bottom), (self.right, self.bottom)], "ax")]
        for place, label in ticks:
            x = self.left + (self.right - self.left) * place
            marks.append(path([(x, self.bottom), (x, self.bottom + 4)], "tk"))
            marks.append(text(x, self.bottom + 18, label, "m"))
        middle = (self.left + self.right) / 2
        return [*marks, text(middle, self.bottom + 37, name, "m")] if name else marks


def svg(
    width: float,
    height: float,
    label: str,
    parts: Iterable[Markup],
    class_: str = "fig",
    **data: str,
) -> Markup:
    """The picture. label: the text that a screen reader speaks. data: ``data-`` attributes."""
    given = {f"data-{name}": text for name, text in data.items()}
    box = f"0 0 {width:g} {height:g}"
    return element(
        "svg", *parts, class_=class_, viewBox=box, role="img", **{"aria-label": label}, **given
    )


def path(points: Sequence[Point], class_: str, closed: bool = False) -> Markup:
    """A line through the points."""
    joined = "L".join(f"{_short(x)} {_short(y)}" for x, y in points)
    return element("path", d=f"M{joined}{'Z' if closed else ''}", class_=class_)


def text(x: float, y: float, words: str, class_: str = "") -> Markup:
    return element("text", words, x=_short(x), y=_short(y), class_=class_)


def circle(x: float, y: float, radius: float, class_: str, title: str = "") -> Markup:
    named = [element("title", title)] if title else []
    return element("circle", *named, cx=_short(x), cy=_short(y), r=f"{radius:g}", class_=class_)


def labels_beside(names: Sequence[str]) -> tuple[list[str], float]:
    """(the names, long ones shortened in the middle; the pixels that they need beside a frame)."""
    texts = shortened(names, LETTERS)
    return texts, 16 + LETTER * max(map(len, texts), default=0)


def lane(left: float, right: float, top: float, height: float) -> Markup:
    """A hatched strip: what is in it has no number."""
    sides = {"x": _short(left), "y": _short(top), "width": _short(right - left)}
    return element("rect", class_="hatch", fill="url(#hatch)", height=_short(height), **sides)


def apart(
    places: Sequence[float], gap: float = 15.0, top: float = 0.0, end: float = 1e9
) -> list[float]:
    """The places moved so far that labels of ``gap`` pixels do not overlap, in their order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    found = [0.0] * len(places)
    last = top - gap
    for at in order:
        last = found[at] = max(places[at], last + gap)
    limit = end
    for at in reversed(order):
        limit = found[at] = min(found[at], limit)
        limit -= gap
    return found


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")
