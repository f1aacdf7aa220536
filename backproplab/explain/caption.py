"""The caption below a graph: the product along each path, their sum, and what a nudge does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from backproplab.explain.canvas import badge, rectangle, set_line
from backproplab.explain.compare import NUDGE, Comparison
from backproplab.explain.drawing import BANDS
from backproplab.explain.lines import short
from backproplab.explain.notation import slope, tex, word
from backproplab.explain.paths import PathProduct
from backproplab.explain.report import expansion
from backproplab.explain.trace import Trace
from backproplab.explain.typeset import Line
from backproplab.palette import Theme

ROW, SIZE = 36.0, 17.0
LEFT = 30.0
FIRST = 76.0  # height of what stands above the first row


@dataclass(frozen=True)
class Caption:
    """What is said below the graph of a trace."""

    trace: Trace
    comparisons: Sequence[Comparison]

    def lay_out(self, width: float, theme: Theme) -> tuple[list[str], float, float]:
        """(the SVG parts, the width that they need, their height)."""
        title = Line(16).say("Multiply along a path, add over the paths", theme.ink, "strong")
        parts = [_rule(width, 0, theme), *set_line(title, LEFT, 28)]
        x, y, deep, wide = LEFT, FIRST, 0.0, width
        for block in self._blocks(theme):
            if x > LEFT and x + block.width > width - LEFT:
                x, y, deep = LEFT, y + deep + 30, 0.0
            parts += block.at(x, y)
            x += block.width + 44
            deep, wide = max(deep, block.height), max(wide, x + LEFT - 44)
        y += deep + 14
        parts.append(_rule(wide, y, theme))
        for line in _nudges(self.trace, self.comparisons, wide - 2 * LEFT, theme):
            y += 30
            parts += set_line(line, LEFT, y)
        return parts, wide, y + 24

    def _blocks(self, theme: Theme) -> Iterator[_Block]:
        trace = self.trace
        for i in trace.variables:
            count = trace.path_counts[i]
            few = [PathProduct(trace, i, p) for p in islice(trace.paths(i), BANDS)]
            fits = count <= BANDS and sum(path.width for path in few) < 110
            yield _Block(trace, i, few if fits else [], theme)


class _Block:
    """The derivative by one variable: a column for each path, rows aligned at the equals sign."""

    def __init__(
        self, trace: Trace, variable: int, paths: Sequence[PathProduct], theme: Theme
    ) -> None:
        node, self.theme = trace.nodes[variable], theme
        self.head = Line(SIZE).tex(slope(trace.result.name, node.name), theme.gradient)
        self.total = Line(SIZE).tex(" = ", theme.ink) if len(paths) != 1 else Line(SIZE)
        if len(paths) != 1:
            self.total.tex(tex(short(node.gradient)), theme.gradient, bold=True)
        if not paths:
            counted = f"{trace.path_counts[variable]:,} paths"
            self.total = Line(SIZE).tex(" = ", theme.ink).say(counted, theme.second, size=14)
            self.total.tex(" = ", theme.ink)
            self.total.tex(tex(short(node.gradient)), theme.gradient, bold=True)
        several = len(paths) > 1
        rows = max((len(path.forms) for path in paths), default=0)
        self.columns = [
            self._column(path, theme.paths[n][0] if several else theme.ink, several, rows)
            for n, path in enumerate(paths)
        ]
        self.rows = rows + 1
        self.widths = [max(line.width for line in column) for column in self.columns]
        pads = 56 * len(self.widths) if several else 20
        self.width = self.head.width + 30 + sum(self.widths) + pads + self.total.width
        self.height = (self.rows - 1) * ROW + 22 if paths else 22.0

    def _column(self, path: PathProduct, ink: str, several: bool, rows: int) -> list[Line]:
        forms = path.forms + path.forms[-1:] * (rows - len(path.forms))
        last = ink if several else self.theme.gradient
        lines = [Line(SIZE).tex(tex(form), ink) for form in forms]
        return [*lines, Line(SIZE).tex(tex(path.total), last, bold=True)]

    def at(self, x: float, y: float) -> Iterator[str]:
        yield from set_line(self.head, x, y)
        x += self.head.width + 12
        several = len(self.columns) > 1
        if not self.columns:
            yield from set_line(self.total, x - 12, y)
            return
        for row in range(self.rows):
            yield from set_line(Line(SIZE).tex("=", self.theme.ink), x, y + row * ROW)
        x += 26
        for n, (column, width) in enumerate(zip(self.columns, self.widths, strict=True)):
            if several:
                text, band = self.theme.paths[n]
                top, high = y - 36, (self.rows - 1) * ROW + 50
                yield rectangle(x, top, width + 24, high, "none", band, 7, 1.6)
                yield from badge(x + 2, top + 2, str(n + 1), text, self.theme)
            for row, line in enumerate(column):
                yield from set_line(line, x + 12 + width / 2, y + row * ROW, "middle")
                if n:
                    plus = Line(SIZE).tex("+", self.theme.ink)
                    yield from set_line(plus, x - 16, y + row * ROW, "middle")
            x += width + 24 + 32
        yield from set_line(self.total, x - 30, y + (self.rows - 1) * ROW)


def _nudges(
    trace: Trace, comparisons: Sequence[Comparison], width: float, theme: Theme
) -> Iterator[Line]:
    """``Nudge a by ε: f = 6 + 2 ε``, as many in a line as fit."""
    base = float(np.sum(trace.upstream * np.asarray(trace.result.value)))
    line = Line(16)
    for c in comparisons:
        if not np.isfinite([base, c.backprop, c.nudged]).all():
            continue
        sign = "=" if c.square is not None else r"\approx"
        name, _, index = c.variable.partition("[")
        shown = word(name) + (f"_{{{index[:-1]}}}" if index else "")
        new = Line(16).say("Nudge ", theme.ink, size=14).tex(shown, theme.ink)
        new.say(" by ", theme.ink, size=14).tex(r"\epsilon", theme.ink)
        new.say(":  ", theme.ink, size=14).tex(f"{word(trace.result.name)} {sign} ", theme.ink)
        new.tex(tex(expansion(base, c)), theme.ink)
        gives = f"  (ε = {NUDGE:g}: {c.nudged:.7g})"
        new.say(gives, theme.second, size=14)
        if line.width and line.width + 30 + new.width > width:
            yield line
            line = Line(16)
        line.skip(2 if line.width else 0).join(new)
    if line.width:
        yield line


def _rule(width: float, y: float, theme: Theme) -> str:
    return f'<path d="M{LEFT:.0f} {y:.1f}H{width - LEFT:.1f}" stroke="{theme.rules}"/>'
