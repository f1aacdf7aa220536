"""Difference quotients as SVG: secants of a function, and the error over h, which is a U."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from backproplab.explain.axes import Limits, Panel, limits_of, marker
from backproplab.explain.canvas import document, set_line
from backproplab.explain.compare import entries
from backproplab.explain.notation import tex, word
from backproplab.explain.nudges import TYPES, nudged
from backproplab.explain.trace import Trace
from backproplab.explain.typeset import Line
from backproplab.explain.values import Value
from backproplab.formulas.expression import Expression
from backproplab.palette import THEMES, Theme

SECANTS = (1.0, 0.5, 0.25)
MARGIN, TOP, WIDE, HIGH, BETWEEN = 34.0, 122.0, 400.0, 320.0, 90.0
SCHEMES = ("forward", "central")


def can_draw(seen: Trace) -> bool:
    """Whether f is a finite number with a finite slope."""
    gradients = [seen.nodes[i].gradient for i in seen.variables]
    finite = all(np.isfinite(x).all() for x in (seen.result.value, *gradients))
    return finite and not np.ndim(seen.result.value)


def render(
    expression: Expression, values: Mapping[str, Value], seen: Trace, theme: str = "light"
) -> str:
    """The SVG text, for the first variable, or the first entry of a vector."""
    colors = THEMES[theme]
    node = seen.nodes[seen.variables[0]]
    name, index, slope = next(entries(node.name, node.gradient))
    x = float(np.asarray(values[node.name])[index])

    def along(at: float) -> float:
        moved = np.array(values[node.name], np.float64)
        moved[index] = at
        return float(expression.evaluate({**values, node.name: moved})[-1].value)

    title = Line(22).tex(tex(seen.title), colors.ink).skip(1)
    title.say(f"at {name} = {x:.6g}", colors.second, size=16)
    left = Panel(MARGIN + 50, TOP, WIDE, HIGH, *_window(along, x), colors)
    rows = nudged(expression, values, node.name, index, slope)
    errors = {key: [max(row.errors[key], 1e-17) for row in rows] for key in rows[0].errors}
    known = np.array([e for column in errors.values() for e in column if np.isfinite(e)])
    up = float(10 ** np.floor(np.log10(known.min()))), 10.0
    place = left.x + WIDE + BETWEEN
    right = Panel(place, TOP, WIDE, HIGH, (1e-15, 1.0), up, colors, (True, True))
    parts = [
        *set_line(title, MARGIN, 46),
        *_secants(left, along, x, slope, name, colors),
        *_errors(right, [row.h for row in rows], errors, colors),
    ]
    return document(seen.title, place + WIDE + 190, TOP + HIGH + 70, colors, parts)


def _window(along: Callable[[float], float], x: float) -> tuple[Limits, Limits]:
    across = x - 0.5, x + 1.2 * SECANTS[0]
    return across, limits_of(np.array([along(t) for t in np.linspace(*across, 200)]), 0.15)


def _secants(
    panel: Panel, along: Callable[[float], float], x: float, slope: float, name: str, theme: Theme
) -> Iterator[str]:
    """f, its tangent, and secants from x to x + h."""
    points = [(float(t), along(float(t))) for t in np.linspace(*panel.across, 200)]
    lines = [panel.polyline([p for p in points if np.isfinite(p[1])], theme.contours, 2.4)]
    y = along(x)
    ends = panel.across
    lines.append(panel.polyline([(t, y + slope * (t - x)) for t in ends], theme.gradient_line, 2))
    for n, h in enumerate(SECANTS):
        steep = (along(x + h) - y) / h
        lines.append(
            panel.polyline([(t, y + steep * (t - x)) for t in ends], theme.runs[n + 2], 1.4)
        )
    yield from panel.clip("secants", lines)
    yield from panel.axes(word(name) if "[" not in name else name, "f")
    yield marker(*panel.at(x, y), 0, theme.ink, theme.ink, 5)
    for n, h in enumerate(SECANTS):
        yield marker(*panel.at(x + h, along(x + h)), n + 1, theme.runs[n + 2], theme.paper, 5)
        text = f"secant, h = {h:g}: slope {(along(x + h) - y) / h:.5g}".replace("-", "−")
        yield from set_line(
            Line(13).say(text, theme.runs[n + 2]), panel.x + 210 * (n % 2), 70 + 18 * (n // 2)
        )
    text = f"tangent: slope {slope:.5g}".replace("-", "−")
    yield from set_line(Line(13).say(text, theme.gradient), panel.x + 210, 88)


def _errors(
    panel: Panel, steps: list[float], errors: Mapping[tuple[str, str], list[float]], theme: Theme
) -> Iterator[str]:
    """The relative error over h: large h leaves out curvature, small h loses digits."""
    yield from panel.axes("h", "")
    head = Line(14).say("relative error of the quotient", theme.second)
    yield from set_line(head, panel.x - 4, panel.y - 12)
    for n, (dtype, scheme) in enumerate((d, s) for d in TYPES for s in SCHEMES):
        column, ink = errors[dtype, scheme], theme.runs[n]
        points = [(h, e) for h, e in zip(steps, column, strict=True) if np.isfinite(e)]
        yield panel.polyline(points, ink)
        for point in points:
            yield marker(*panel.at(*point), n, ink, theme.paper, 3.6)
        y = panel.y + 20 + 24 * n
        x = panel.x + panel.width + 24
        yield marker(x, y - 5, n, ink, theme.paper, 5)
        yield from set_line(Line(14).say(f"{scheme}, {dtype}", theme.ink), x + 14, y)
