"""Boxes and labels of a drawing set in type: their lines, and the sizes that follow."""

from __future__ import annotations

from dataclasses import dataclass

from backproplab.explain.drawing import Box
from backproplab.explain.notation import tex
from backproplab.explain.typeset import Line
from backproplab.palette import THEMES, Theme

TITLE, BELOW, LABEL = 19.0, 17.0, 16.0  # sizes of type, in pixels
PAD = 12.0  # inside a box, left and right
LEAST = 84.0  # width of the type, so that a sum that is not complete fits too
CUT = 60  # characters of a formula in a box


@dataclass(frozen=True)
class SetBox:
    """The formula with its value above, the gradient below."""

    upper: Line
    lower: Line | None

    @property
    def width(self) -> float:
        return max(self.upper.width, self.lower.width if self.lower else 0.0, LEAST) + 2 * PAD

    @property
    def above(self) -> float:
        """The height of the upper half."""
        return max(self.upper.ascent + self.upper.descent + 16, 36)

    @property
    def height(self) -> float:
        below = max(self.lower.ascent + self.lower.descent + 14, 30) if self.lower else 0.0
        return self.above + below


def set_box(box: Box, theme: Theme = THEMES["light"]) -> SetBox:
    """The lines of a box in the colors of a theme."""
    ink = theme.second if box.kind == "constant" else theme.ink
    upper = Line(TITLE).tex(tex(_cut(box.title)), ink)
    if box.value:
        upper.tex(" = ", ink).tex(tex(box.value), theme.value, bold=True)
    if not box.gradient:
        return SetBox(upper, None)
    lower = Line(BELOW)
    if box.slope:
        lower.tex(f"{tex(box.slope)} = ", theme.gradient)
    return SetBox(upper, lower.tex(tex(box.gradient), theme.gradient, bold=True))


def set_label(text: str, theme: Theme = THEMES["light"]) -> Line:
    """The local derivative on an arrow."""
    return Line(LABEL).tex(tex(text), theme.ink)


def _cut(text: str) -> str:
    return text if len(text) <= CUT else f"{text[: CUT - 3]}..."
