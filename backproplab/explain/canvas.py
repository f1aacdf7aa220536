"""SVG by hand: shapes, and lines of type at their places. Text stays text."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from backproplab.explain.typeset import Line
from backproplab.palette import Theme

STYLE = """.serif,.italic,.bold{font-family:'Times New Roman','Liberation Serif',Times,serif}\
.italic{font-style:italic}.bold{font-weight:bold}\
.sans,.strong{font-family:Arial,'Liberation Sans',Helvetica,sans-serif}.strong{font-weight:bold}\
.sign{font-family:'DejaVu Sans','Segoe UI Symbol','Apple Symbols',sans-serif}\
text{white-space:pre}"""


def document(title: str, width: float, height: float, theme: Theme, parts: Sequence[str]) -> str:
    """A self-contained, well-formed ASCII file."""
    text = "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}"'
        f' width="{width:.0f}" height="{height:.0f}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 10 8" refX="9" refY="4" markerWidth="10"'
        ' markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0 10 4 0 8z" fill="{theme.second}"/></marker></defs>',
        f'<rect width="100%" height="100%" fill="{theme.paper}"/>',
        *parts,
        "</svg>",
    ])  # fmt: skip
    return text.encode("ascii", "xmlcharrefreplace").decode() + "\n"


def within_page(title: str, width: float, height: float, parts: Sequence[str]) -> str:
    """The same for an HTML page, whose style sheet has the faces and may have the colors."""
    box = f'viewBox="0 0 {width:.0f} {height:.0f}" style="max-width:{width:.0f}px"'
    return (
        f'<svg class="drawn" {box} role="img"><title>{escape(title)}</title>{"".join(parts)}</svg>'
    )


def set_line(line: Line, x: float, y: float, anchor: str = "start") -> list[str]:
    """A line of type; x is its start, middle or end, y its baseline."""
    x -= {"start": 0.0, "middle": line.width / 2, "end": line.width}[anchor]
    found = [
        f'<text x="{x + g.x:.1f}" y="{y + g.y:.1f}" class="{g.face}" font-size="{g.size:.1f}"'
        f' fill="{g.ink}">{escape(g.text)}</text>'
        for g in line.glyphs
    ]
    return found + [
        f'<path d="M{x + r.x:.1f} {y + r.y:.1f}h{r.width:.1f}" stroke="{r.ink}"/>'
        for r in line.rules
    ]


def middle_of(line: Line, y: float) -> float:
    """The baseline that puts the line's middle at y."""
    return y + (line.ascent - line.descent) / 2


def rectangle(
    x: float, y: float, width: float, height: float, fill: str, stroke: str = "none",
    radius: float = 0.0, weight: float = 1.4, more: str = "",
) -> str:  # fmt: skip
    """A rectangle by its corner; ``more``: further attributes."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="{radius:g}"'
        f' fill="{fill}" stroke="{stroke}" stroke-width="{weight:g}"{more}/>'
    )


def badge(x: float, y: float, text: str, fill: str, theme: Theme) -> list[str]:
    """A number in a filled circle."""
    number = Line(13).say(text, theme.paper, "strong")
    return [
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="9" fill="{fill}"/>',
        *set_line(number, x, y + 4.6, "middle"),
    ]
