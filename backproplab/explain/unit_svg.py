"""A small network as SVG: weights and values above, gradients and δ below, the equations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from backproplab.explain.canvas import badge, document, middle_of, rectangle, set_line
from backproplab.explain.layout import Rectangle
from backproplab.explain.lines import joined
from backproplab.explain.notation import number as tex_number
from backproplab.explain.notation import tex, word
from backproplab.explain.typeset import Line
from backproplab.explain.unit_report import backward
from backproplab.explain.units import UnitLayer, UnitNet
from backproplab.palette import THEMES, Theme

LEFT, TOP = 30.0, 96.0
ACROSS, WIDER, DOWN = 300.0, 470.0, 236.0  # between layers (of three units), between units
BOX = Rectangle(0, 0, 148, 124)  # of a unit
LABEL = Rectangle(0, 0, 124, 44)  # of a weight
TABLE = 396.0
EQUATIONS = {
    "(1)": "error at the output layer",
    "(2)": "error at the layer before",
    "(3)": "gradient of a bias",
    "(4)": "gradient of a weight, to unit j from unit k",
}
GENERAL = {
    "(1)": r"\delta^L = \nabla_a C \odot f\prime(z^L)",
    "(2)": r"\delta^l = ((W^{l+1})^{T} \delta^{l+1}) \odot f\prime(z^l)",
    "(3)": r"\partial C / \partial b^l_j = \delta^l_j",
    "(4)": r"\partial C / \partial w^l_{jk} = a^{l-1}_k \delta^l_j",
}


def render(net: UnitNet, title: str, theme: str = "light") -> str:
    """The SVG text: at most 1200 px wide for 2-2-1."""
    return _Picture(net, THEMES[theme]).document(title)


class _Picture:
    def __init__(self, net: UnitNet, theme: Theme) -> None:
        self.net, self.theme = net, theme
        sizes = net.x.size, *(layer.z.size for layer in net.layers)
        crowded = any(min(pair) > 1 and max(pair) > 2 for pair in pairwise(sizes))
        self.across = WIDER if crowded or sizes.count(2) > 2 else ACROSS
        self.rows = max(sizes)
        self.bottom = TOP + self.rows * DOWN
        self.right = LEFT + 36 + len(net.layers) * self.across + BOX.width / 2 + 46
        self.taken: list[Rectangle] = []

    def document(self, title: str) -> str:
        beside = self.right + TABLE <= 1220
        x, y = (self.right, 96.0) if beside else (LEFT, self.bottom + 50)
        table, deep = self.table(x, y)
        width = self.right + TABLE if beside else max(self.right, LEFT + TABLE + 40)
        below = max(self.bottom, deep) + 40
        equations, height = self.equations(below, width)
        parts = [*self.head(title, width), *self.graph(), *table, *equations]
        return document(title, width, height, self.theme, parts)

    def head(self, title: str, width: float) -> Iterator[str]:
        t, net = self.theme, self.net
        yield from set_line(Line(22).say(title, t.ink, "strong"), LEFT, 38)
        line = Line(15).say("one example: ", t.second)
        for name, array in (("x", net.x), ("y", net.y)):
            values = ", ".join(f"{v:.4g}" for v in array)
            line.tex(f"{name} = ({values})", t.second).skip(1)
        line.say(f"cost: {net.loss_name}   {net.step}", t.second)
        yield from set_line(line, LEFT, 64)
        for y, text, ink in (
            (32, "values: forward, above →", t.value),
            (54, "← gradients: backward, below", t.gradient),
        ):
            yield from set_line(Line(13).say(text, ink), width - LEFT, y, "end")

    def place(self, layer: int, unit: int, count: int) -> Rectangle:
        """The place of a unit's box; layer 0 holds the inputs."""
        y = TOP + 60 + (self.rows - count) * DOWN / 2 + unit * DOWN + DOWN / 2 - 30
        x = LEFT + 36 if layer == 0 else LEFT + 36 + layer * self.across
        size = (68.0, 68.0) if layer == 0 else (BOX.width, BOX.height)
        return Rectangle(x, y, *size)

    def graph(self) -> Iterator[str]:
        labels: list[str] = []
        places = [[self.place(0, k, self.net.x.size) for k in range(self.net.x.size)]]
        for layer in self.net.layers:
            places.append([self.place(layer.number, j, layer.z.size) for j in range(layer.z.size)])
        self.taken = [room for column in places for room in column]
        for layer, here in zip(self.net.layers, places[1:], strict=True):
            for j, room in enumerate(here):
                if layer.bias is not None:
                    yield from self.bias(layer, j, room, labels)
        for layer, (before, here) in zip(self.net.layers, pairwise(places), strict=True):
            yield from self.weights(layer, before, here, labels)
        yield from labels
        for k, room in enumerate(places[0]):
            yield from self.input(k, room)
        for layer, here in zip(self.net.layers, places[1:], strict=True):
            for j, room in enumerate(here):
                yield from self.unit(layer, j, room)
            name = Line(14).say(f"layer {layer.number}: {layer.activation}", self.theme.second)
            yield from set_line(name, here[0].x, self.bottom + 8, "middle")
        if self.net.own_output:
            text = f"the loss applies {self.net.own_output}"
            yield from set_line(
                Line(13).say(text, self.theme.second), places[-1][0].x, self.bottom + 28, "middle"
            )

    def label(
        self, x: float, y: float, name: str, value: float, gradient: float, kind: str
    ) -> list[str]:
        t = self.theme
        room = Rectangle(x, y, LABEL.width, LABEL.height)
        self.taken.append(room)
        above = Line(15).tex(f"{word(name)} = ", t.ink).tex(tex_number(f"{value:.3g}"), t.value)
        below = (
            Line(15)
            .tex(rf"\partial C / \partial {kind} = ", t.gradient)
            .tex(tex_number(f"{gradient:.3g}"), t.gradient)
        )
        corner = x - LABEL.width / 2, y - LABEL.height / 2
        return [
            rectangle(*corner, LABEL.width, LABEL.height, t.paper, t.rules, 5, 1.2),
            *set_line(above, x, y - 5, "middle"),
            *set_line(below, x, y + 15, "middle"),
        ]

    def bias(self, layer: UnitLayer, j: int, room: Rectangle, labels: list[str]) -> Iterator[str]:
        y = room.y - BOX.height / 2 - 46
        yield self.arrow(room.x, y + 22, room.x, room.y - BOX.height / 2)
        m = next(m for m in self.net.moved[layer.number - 1] if m.name == layer.name("b", j))
        labels += self.label(room.x, y, m.name, m.old, m.gradient, "b")

    def weights(
        self,
        layer: UnitLayer,
        before: Sequence[Rectangle],
        here: Sequence[Rectangle],
        labels: list[str],
    ) -> Iterator[str]:
        moved = iter(self.net.moved[layer.number - 1])
        for j, target in enumerate(here):
            for k, source in enumerate(before):
                m = next(moved)
                step = 26.0
                x0, y0 = source.x + source.width / 2, source.y + (j - (len(here) - 1) / 2) * 12
                x1, y1 = target.x - target.width / 2, target.y + (k - (len(before) - 1) / 2) * step
                yield self.arrow(x0, y0, x1, y1)
                x, y = self.free(x0, y0, x1, y1, j == k)
                labels += self.label(x, y, m.name, m.old, m.gradient, "w")

    def free(
        self, x0: float, y0: float, x1: float, y1: float, straight: bool
    ) -> tuple[float, float]:
        """A place on the arrow for its label that touches no box and no other label."""
        first = (
            (0.5, 0.4, 0.6, 0.32, 0.68, 0.25, 0.75)
            if straight
            else (0.3, 0.26, 0.34, 0.7, 0.22, 0.5)
        )
        for t in (*first, *(n / 40 for n in range(8, 33))):
            x, y = x0 + t * (x1 - x0), y0 + t * (y1 - y0)
            room = Rectangle(x, y, LABEL.width + 6, LABEL.height + 6)
            if not any(room.overlaps(other) for other in self.taken):
                return x, y
        return x0 + 0.5 * (x1 - x0), y0 + 0.5 * (y1 - y0)

    def arrow(self, x0: float, y0: float, x1: float, y1: float) -> str:
        return (
            f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="{self.theme.second}"'
            ' stroke-width="1.6" marker-end="url(#head)"/>'
        )

    def input(self, k: int, room: Rectangle) -> Iterator[str]:
        t = self.theme
        yield (
            f'<circle class="node" cx="{room.x:.1f}" cy="{room.y:.1f}" r="34" fill="{t.value_fill}"'
            f' stroke="{t.second}" stroke-width="1.4"/>'
        )
        yield from set_line(Line(18).tex(word(f"x_{k + 1}"), t.ink), room.x, room.y - 4, "middle")
        yield from set_line(
            Line(15).tex(f"{self.net.x[k]:.3g}", t.value), room.x, room.y + 18, "middle"
        )

    def unit(self, layer: UnitLayer, j: int, room: Rectangle) -> Iterator[str]:
        t, net = self.theme, self.net
        left, top = room.x - room.width / 2, room.y - room.height / 2
        yield rectangle(
            left, top, room.width, room.height, t.paper, t.second, 8, 1.4, ' class="node"'
        )
        yield rectangle(left + 0.7, top + 0.7, room.width - 1.4, 76, t.value_fill, "none", 7)
        yield f'<path d="M{left:.1f} {top + 77:.1f}h{room.width:.1f}" stroke="{t.rules}"/>'
        z = (
            Line(17)
            .tex(f"{word(layer.name('z', j))} = ", t.ink)
            .tex(tex_number(f"{layer.z[j]:.3g}"), t.value)
        )
        last = layer.number == len(net.layers)
        names = [r"\hat{y}"] if last else []
        value = float(net.output[j]) if last else float(layer.a[j])
        if not (last and net.own_output):
            names.append(word(layer.name("a", j)))
        a = (
            Line(17)
            .tex(f"{' = '.join(names)} = ", t.ink)
            .tex(tex_number(f"{value:.3g}"), t.value, bold=True)
        )
        d = Line(17).tex(f"{word(layer.name('delta', j))} = ", t.gradient)
        d.tex(tex_number(f"{layer.delta[j]:.3g}"), t.gradient, bold=True)
        yield from set_line(z, room.x, top + 30, "middle")
        yield from set_line(a, room.x, top + 62, "middle")
        yield from set_line(d, room.x, middle_of(d, top + 100), "middle")
        number = "1" if last else "2"
        yield from badge(left + room.width - 3, top + room.height - 3, number, t.ink, t)

    def table(self, x: float, y: float) -> tuple[list[str], float]:
        t = self.theme
        columns = (0.0, 112.0, 124.0, 236.0, 300.0, 366.0)  # left edges, or right ones of numbers
        heads = (("Weight", 0, "start"), ("before", 1, "end"), ("rule", 2, "start"))
        more = (("gradient", 3, "end"), ("step", 4, "end"), ("after", 5, "end"))
        parts: list[str] = []
        for text, n, anchor in (*heads, *more):
            parts += set_line(Line(13).say(text, t.second, "strong"), x + columns[n], y, anchor)
        parts.append(self.rule(x, y + 10, t.ink))
        for moved in self.net.moved:
            for m in moved:
                y += 28
                parts += set_line(Line(15).tex(word(m.name), t.ink), x, y)
                for n, text, ink in (
                    (1, f"{m.old:.4f}", t.value), (3, f"{m.gradient:.4f}", t.gradient),
                    (4, f"{m.new - m.old:+.4f}", t.second), (5, f"{m.new:.4f}", t.ink),
                ):  # fmt: skip
                    cell = Line(15).tex(text, ink, bold=n == 5)
                    parts += set_line(cell, x + columns[n], y, "end")
                rule = tex(m.rule).replace(r" \cdot ", r" \, ")
                parts += set_line(Line(14).tex(rule, t.gradient), x + columns[2], y)
            parts.append(self.rule(x, y + 10, t.rules))
        y += 36
        line = (
            Line(16)
            .tex(r"C: \, ", t.ink)
            .tex(f"{self.net.loss:.4f}", t.value)
            .tex(r" \rightarrow ", t.ink)
        )
        line.tex(f"{self.net.after:.4f}", t.value, bold=True)
        words = "the step helped" if self.net.after < self.net.loss else "the step went too far"
        parts += set_line(line.skip(0.8).say(words, t.second, size=14), x, y)
        return parts, y + 10

    def rule(self, x: float, y: float, ink: str) -> str:
        return f'<path d="M{x:.1f} {y:.1f}h366" stroke="{ink}" stroke-width="1.2"/>'

    def equations(self, y: float, width: float) -> tuple[list[str], float]:
        t = self.theme
        title = "The four fundamental equations, with the numbers of this step"
        parts = [f'<path d="M{LEFT} {y:.1f}H{width - LEFT:.1f}" stroke="{t.rules}"/>']
        parts += set_line(Line(17).say(title, t.ink, "strong"), LEFT, y + 34)
        lines = [joined(line) for line in backward(self.net)]
        half, deepest = max((width - 2 * LEFT) * 0.56, 560), y
        for column, numbers in enumerate((("(1)", "(2)"), ("(3)", "(4)"))):
            x, down = LEFT + column * half, y + 74
            for number in numbers:
                parts += badge(x + 9, down - 6, number[1], t.ink, t)
                head = Line(18).tex(GENERAL[number], t.ink).skip(1)
                parts += set_line(head.say(EQUATIONS[number], t.second, size=14), x + 30, down)
                found = [line for line in lines if line.startswith(number)]
                for text in found[: 4 if column == 0 else 2]:
                    line = self.numbers(text[4:])
                    down += max(30, 12 + line.ascent + (line.descent if column else 0))
                    parts += set_line(line, x + 30, down)
                down += 44
            deepest = max(deepest, down)
        return parts, deepest

    def numbers(self, text: str) -> Line:
        """An equation with its numbers of four digits; the result is bold."""
        body, _, value = text.rpartition(" = ")
        line = Line(16).tex(f"{tex(body)} = ", self.theme.ink)
        return line.tex(tex_number(f"{float(value):.4g}"), self.theme.gradient, bold=True)
