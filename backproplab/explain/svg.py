"""A drawing as SVG: one self-contained, well-formed ASCII file on a light background."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise

from backproplab.explain.drawing import FILLS, GRADIENT, INK, LINES, VALUE, Box, Drawing
from backproplab.explain.layout import LETTER, LINE, MARGIN, Layout, Point, Rectangle, arrange

HEADER = 34.0  # height of the title above, and of the legend below


def render(drawing: Drawing) -> str:
    """The SVG text."""
    layout = arrange(drawing)
    legend = "blue: values, computed left to right.  red: gradients, flowing back right to left"
    width = max(layout.width, len(legend) * LETTER + 2 * MARGIN)
    height = layout.height + 2 * HEADER
    letters = int((width - 2 * MARGIN) / LETTER)
    title = drawing.title
    shown = title if len(title) <= letters else f"{title[: letters - 3]}..."
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="img"'
        ' font-family="monospace" font-size="13">',
        f"<title>{escape(title)}</title>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8"'
        f' markerHeight="8" orient="auto"><path d="M0 0 8 4 0 8z" fill="{LINES}"/></marker></defs>',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        _text(MARGIN, HEADER - 8, shown, INK, "start", bold=True),
        f'<g transform="translate({(width - layout.width) / 2:.1f} {HEADER:.1f})">',
        *_body(drawing, layout),
        "</g>",
        _text(MARGIN, height - 12, legend, LINES, "start"),
        "</svg>",
    ]
    return "\n".join(parts).encode("ascii", "xmlcharrefreplace").decode() + "\n"


def _body(drawing: Drawing, layout: Layout) -> Iterator[str]:
    """The arrows, then labels and boxes, so that these are drawn over the arrows."""
    for route in layout.routes:
        yield (
            f'<path d="{_curve(route)}" fill="none" stroke="{LINES}" stroke-width="1.3"'
            ' marker-end="url(#head)"/>'
        )
    for arrow, room in zip(drawing.arrows, layout.labels, strict=True):
        if arrow.label:
            yield (
                f'<rect x="{room.x - room.width / 2:.1f}" y="{room.y - room.height / 2:.1f}"'
                f' width="{room.width:.1f}" height="{room.height:.1f}" fill="#ffffff"/>'
            )
            yield _text(room.x, room.y + 4.5, arrow.label, GRADIENT)
    for box, room in zip(drawing.boxes, layout.boxes, strict=True):
        yield from _box(box, room)


def _box(box: Box, room: Rectangle) -> Iterator[str]:
    left, top = room.x - room.width / 2, room.y - room.height / 2
    yield (
        f'<rect class="node" x="{left:.1f}" y="{top:.1f}" width="{room.width:.1f}"'
        f' height="{room.height:.1f}" rx="6" fill="{FILLS[box.kind]}" stroke="{LINES}"/>'
    )
    inks = [ink for text, ink in ((box.title, INK), (box.value, VALUE), (box.gradient, GRADIENT))
            if text]  # fmt: skip
    first = room.y - (len(box.lines) - 1) * LINE / 2 + 4.5
    for i, (line, ink) in enumerate(zip(box.lines, inks, strict=True)):
        yield _text(room.x, first + i * LINE, line, ink, bold=i == 0)


def _text(
    x: float, y: float, text: str, ink: str, anchor: str = "middle", bold: bool = False
) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{ink}" text-anchor="{anchor}"{weight}'
        f' xml:space="preserve">{escape(text)}</text>'
    )


def _curve(route: Sequence[Point]) -> str:
    """A path through the points, horizontal at each: straight in a column, an S between two."""
    words = [f"M{route[0][0]:.1f} {route[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(route):
        middle = (x0 + x1) / 2
        words.append(f"C{middle:.1f} {y0:.1f} {middle:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return " ".join(words)
