"""A drawing as SVG: value above and gradient below in each node, local derivatives on edges."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from backproplab.explain.boxes import SetBox, set_box, set_label
from backproplab.explain.canvas import badge, document, middle_of, rectangle, set_line
from backproplab.explain.caption import Caption
from backproplab.explain.drawing import Box, Drawing
from backproplab.explain.layout import FRAME, MARGIN, Layout, Point, Rectangle, arrange
from backproplab.explain.notation import assignments, tex
from backproplab.explain.typeset import Line
from backproplab.palette import THEMES, Theme

HEADER = 84.0  # height of the title and the legend
NARROW = 640.0  # the least width of a picture
DASHES = "", ' stroke-dasharray="9 4"', ' stroke-dasharray="3 3"', ' stroke-dasharray="14 3 3 3"'


def render(drawing: Drawing, caption: Caption | None = None, theme: str = "light") -> str:
    """The SVG text; the caption stands below the graph."""
    colors, drawing = THEMES[theme], drawing.without_constants()
    layout = arrange(drawing)
    title = _title(drawing, colors)
    width = max(layout.width, NARROW, title.width + 260)
    below = caption.lay_out(width, colors) if caption else ([], width, 0.0)
    width = max(width, below[1])
    left = (width - layout.width) / 2
    parts = [
        *set_line(title, MARGIN, 42),
        *_legend(width, colors),
        f'<g transform="translate({left:.1f} {HEADER:.1f})">',
        *_body(drawing, layout, colors),
        "</g>",
        f'<g transform="translate(0 {HEADER + layout.height:.1f})">',
        *below[0],
        "</g>",
    ]
    height = HEADER + layout.height + below[2]
    return document(drawing.title, width, height, colors, parts)


def _title(drawing: Drawing, theme: Theme) -> Line:
    line = Line(24)
    if len(drawing.title) <= 90:
        line.tex(tex(drawing.title), theme.ink)
    else:
        line.say(f"{drawing.title[:87]}...", theme.ink, "serif", 16)
    if drawing.aside and len(drawing.aside) < 80:
        line.skip(1.2).join(Line(17).tex(rf"\text{{{drawing.aside[:3]}}}", theme.second))
        line.join(Line(17).tex(tex_point(drawing.aside[3:]), theme.second))
    return line


def tex_point(aside: str) -> str:
    """``a = 2, b = 1`` as TeX."""
    return r", \, ".join(tex(part) for part in assignments(aside))


def _legend(width: float, theme: Theme) -> Iterator[str]:
    right = width - MARGIN
    for y, text, ink in (
        (30, "values: forward →", theme.value),
        (52, "← gradients: backward", theme.gradient),
        (72, "on an edge: the local derivative", theme.second),
    ):
        yield from set_line(Line(13).say(text, ink), right, y, "end")


def _body(drawing: Drawing, layout: Layout, theme: Theme) -> Iterator[str]:
    """Bands and arrows, then labels and boxes, so that these are drawn over the arrows."""
    for arrow, route, room in zip(drawing.arrows, layout.routes, layout.labels, strict=True):
        for n, path in enumerate(arrow.paths):
            yield (
                f'<path d="{curve(route, room)}" fill="none" stroke="{theme.paths[path][1]}"'
                f' stroke-width="{15 - 6 * n}" stroke-opacity=".5"{DASHES[path]}/>'
            )
    for route, room in zip(layout.routes, layout.labels, strict=True):
        yield (
            f'<path d="{curve(route, room)}" fill="none" stroke="{theme.second}"'
            ' stroke-width="1.8" marker-end="url(#head)"/>'
        )
    for arrow, route, room in zip(drawing.arrows, layout.routes, layout.labels, strict=True):
        for n, path in enumerate(arrow.paths):
            (x0, y0), (x1, y1) = route[0], route[1]
            x = (x0 + x1) / 2 + 14 * (n - (len(arrow.paths) - 1) / 2)
            yield from badge(x, (y0 + y1) / 2, str(path + 1), theme.paths[path][0], theme)
        if arrow.label:
            frame = theme.paths[arrow.paths[0]][1] if arrow.paths else theme.rules
            yield _rectangle(room, theme.paper, frame, 5)
            line = set_label(arrow.label, theme)
            left = room.x - room.width / 2 + FRAME
            yield from set_line(line, left, middle_of(line, room.y))
    for box, room in zip(drawing.boxes, layout.boxes, strict=True):
        yield from _box(box, set_box(box, theme), room, theme)


def _rectangle(room: Rectangle, fill: str, stroke: str, radius: float, more: str = "") -> str:
    left, top = room.x - room.width / 2, room.y - room.height / 2
    return rectangle(left, top, room.width, room.height, fill, stroke, radius, 1.4, more)


def _box(box: Box, lines: SetBox, room: Rectangle, theme: Theme) -> Iterator[str]:
    left, top = room.x - room.width / 2, room.y - room.height / 2
    edge = theme.second
    if lines.lower is None:
        yield _rectangle(room, theme.value_fill, edge, 8, ' class="node"')
    else:
        yield _rectangle(room, theme.paper, edge, 8, ' class="node"')
        w, h = room.width - 1.4, lines.above - 0.7
        yield (
            f'<path d="M{left + 0.7:.1f} {top + lines.above:.1f}v{-h + 7.3:.1f}a7.3 7.3 0 0 1'
            f' 7.3 -7.3h{w - 14.6:.1f}a7.3 7.3 0 0 1 7.3 7.3v{h - 7.3:.1f}z"'
            f' fill="{theme.value_fill}"/>'
        )
        line = f"M{left:.1f} {top + lines.above:.1f}h{room.width:.1f}"
        yield f'<path d="{line}" stroke="{theme.rules}"/>'
        middle = (top + lines.above + room.y + room.height / 2) / 2
        yield from set_line(lines.lower, room.x, middle_of(lines.lower, middle), "middle")
    baseline = middle_of(lines.upper, top + lines.above / 2)
    yield from set_line(lines.upper, room.x, baseline, "middle")


def curve(route: Sequence[Point], label: Rectangle) -> str:
    """A path through the points, horizontal at each: straight in a column, an S between two.

    Straight to the label's middle, and on from there, where the line stays under the label.
    """
    points = list(route)
    middle = label.x, label.y
    hidden = [_hidden(end, label) if label.height else False for end in (route[0], route[-1])]
    if len(route) == 4 and all(hidden):
        points = [route[0], middle, route[-1]]
        return " ".join(f"{'L' if n else 'M'}{x:.1f} {y:.1f}" for n, (x, y) in enumerate(points))
    words = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for (x0, y0), (x1, y1) in pairwise(points):
        between = (x0 + x1) / 2
        words.append(f"C{between:.1f} {y0:.1f} {between:.1f} {y1:.1f} {x1:.1f} {y1:.1f}")
    return " ".join(words)


def _hidden(end: Point, label: Rectangle) -> bool:
    """Whether the line from an end to the label's middle enters the label at its side."""
    x, y = end
    rise = abs((y - label.y) / (x - label.x)) * label.width / 2 if x != label.x else label.height
    return rise <= label.height / 2
