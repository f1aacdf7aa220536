"""A page that walks through both passes with a slider: one HTML file, without network.

Each part of the drawing knows the steps at which it shows; the script only hides and shows, so that
nothing moves. Without scripts the last step shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from backproplab.explain.boxes import set_box, set_label
from backproplab.explain.canvas import STYLE, middle_of, rectangle, set_line
from backproplab.explain.drawing import Drawing
from backproplab.explain.layout import FRAME, Layout, Rectangle, arrange
from backproplab.explain.notation import pretty, tex
from backproplab.explain.steps import Step, steps
from backproplab.explain.svg import curve, tex_point
from backproplab.explain.switch import colors, variables
from backproplab.explain.trace import Trace
from backproplab.explain.typeset import Line
from backproplab.palette import Theme

MOST = 150  # steps of a page
LEAST = 0.62  # of its size to which a graph shrinks: type stays at 10 pixels; then it scrolls


def render(drawing: Drawing, trace: Trace) -> str:
    """The page of a trace; a formula with more than ``MOST`` steps gets its first ones."""
    taken = steps(trace)[: MOST + 1]
    theme = variables()
    parts = files("backproplab.explain")
    page = parts.joinpath("page.html").read_text("utf-8")
    title = Line(26).tex(tex(drawing.title), theme.ink).skip(1)
    title.join(Line(17).tex(rf"\text{{at }} \, {tex_point(drawing.aside[3:])}", theme.second))
    for name, text in {
        "TITLE": escape(pretty(drawing.title)), "COLORS": colors(), "TYPE": STYLE,
        "HEAD": inline(title), "GRAPH": _graph(drawing, trace, taken, theme),
        "SENTENCES": "\n".join(_sentences(taken)), "RULES": "\n".join(_rules(taken, theme)),
        "SCALE": "\n".join(_scale(taken)), "LAST": str(len(taken) - 1),
        "FORWARD": str(_first(taken, "forward")), "BACKWARD": str(_first(taken, "backward")),
    }.items():  # fmt: skip
        page = page.replace(f"@{name}@", text)
    return page


def _first(taken: Sequence[Step], phase: str) -> int:
    return next((n for n, step in enumerate(taken) if step.phase == phase), 0)


def _when(start: int, end: int | None, parts: Sequence[str], name: str = "") -> str:
    """Parts that show from a step on, until the one before ``end``."""
    until = "" if end is None else f' data-to="{end}"'
    kind = f' class="{name}"' if name else ""
    return f'<g{kind} data-from="{start}"{until}>{"".join(parts)}</g>'


def _graph(drawing: Drawing, trace: Trace, taken: Sequence[Step], theme: Theme) -> str:
    drawing = drawing.without_constants()
    layout = arrange(drawing)
    at = {box.key: n for n, box in enumerate(drawing.boxes)}
    parts = [
        f'<svg viewBox="0 0 {layout.width:.0f} {layout.height:.0f}" role="img"'
        f' style="max-width:{layout.width * 1.1:.0f}px;min-width:{layout.width * LEAST:.0f}px" xmlns="http://www.w3.org/2000/svg">',
        '<defs><marker id="head" viewBox="0 0 10 8" refX="9" refY="4" markerWidth="10"'
        ' markerHeight="8" markerUnits="userSpaceOnUse" orient="auto">'
        f'<path d="M0 0 10 4 0 8z" fill="{theme.second}"/></marker></defs>',
        *_arrows(drawing, trace, taken, layout, theme),
        *_boxes(drawing, trace, taken, layout, at, theme),
        "</svg>",
    ]
    return "".join(parts)


def _arrows(
    drawing: Drawing, trace: Trace, taken: Sequence[Step], layout: Layout, theme: Theme
) -> Iterator[str]:
    order = _edge_steps(drawing, trace, taken)
    for n, (route, room) in enumerate(zip(layout.routes, layout.labels, strict=True)):
        line = curve(route, room)
        if (step := order.get(n)) is not None:
            band = (
                f'<path d="{line}" fill="none" stroke="{theme.gradient_line}" stroke-width="14"'
                ' stroke-opacity=".4"/>'
            )
            yield _when(step, step + 1, [band], "now")
        yield (
            f'<path d="{line}" fill="none" stroke="{theme.second}" stroke-width="1.8"'
            ' marker-end="url(#head)"/>'
        )
    for n, (arrow, room) in enumerate(zip(drawing.arrows, layout.labels, strict=True)):
        if not arrow.label or n not in order:
            continue
        label = set_label(arrow.label, theme)
        left, top = room.x - room.width / 2, room.y - room.height / 2
        frame = rectangle(left, top, room.width, room.height, theme.paper, theme.rules, 5)
        y = room.y + room.height / 2 + 9
        back = (
            f'<path d="M{room.x + 24:.1f} {y:.1f}h-44m7 -4l-7 4l7 4" fill="none"'
            f' stroke="{theme.gradient_line}" stroke-width="2"/>'
        )
        yield _when(
            order[n], None, [frame, *set_line(label, left + FRAME, middle_of(label, room.y))]
        )
        yield _when(order[n], order[n] + 1, [back], "now")


def _edge_steps(drawing: Drawing, trace: Trace, taken: Sequence[Step]) -> dict[int, int]:
    """The step in which each arrow of the drawing is used."""
    free: dict[tuple[str, str], list[int]] = {}
    for n, step in enumerate(taken):
        if step.edge is not None:
            ends = trace.nodes[step.edge.source].name, trace.nodes[step.edge.target].name
            free.setdefault(ends, []).append(n)
    found = {}
    for n, arrow in enumerate(drawing.arrows):
        ends = drawing.boxes[arrow.source].key, drawing.boxes[arrow.target].key
        if free.get(ends):
            found[n] = free[ends].pop(0)
    return found


def _boxes(
    drawing: Drawing, trace: Trace, taken: Sequence[Step], layout: Layout,
    at: dict[str, int], theme: Theme,
) -> Iterator[str]:  # fmt: skip
    seen: dict[int, list[tuple[int, str, bool]]] = {n: [] for n in at.values()}
    for n, step in enumerate(taken):
        if step.node >= 0:
            place = at[trace.nodes[step.node].name]
            seen[place].append((n, step.gradient, step.phase == "forward"))
    for place, (box, room) in enumerate(zip(drawing.boxes, layout.boxes, strict=True)):
        lines = set_box(box, theme)
        left, top = room.x - room.width / 2, room.y - room.height / 2
        yield rectangle(left, top, room.width, room.height, theme.paper, theme.second, 8)
        name = Line(19).tex(tex(box.title), theme.ink)
        end = next((n for n, _, forward in seen[place] if forward), 1)
        y = middle_of(lines.upper, top + lines.above / 2)
        yield _when(0, end, set_line(name, room.x, y, "middle"))
        fill = rectangle(
            left + 1, top + 1, room.width - 2, lines.above - 1, theme.value_fill, "none", 7
        )
        yield _when(end, None, [fill, *set_line(lines.upper, room.x, y, "middle")])
        gradients = [(n, text) for n, text, forward in seen[place] if not forward]
        below = Rectangle(
            room.x, top + (lines.above + room.height) / 2, room.width, room.height - lines.above
        )
        for k, (n, text) in enumerate(gradients):
            until = gradients[k + 1][0] if k + 1 < len(gradients) else None
            yield _when(n, until, _gradient(box.slope, text, below, theme))
        for n, _, forward in seen[place]:
            ink = theme.value if forward else theme.gradient_line
            frame = rectangle(
                left - 4, top - 4, room.width + 8, room.height + 8, "none", ink, 11, 2.6
            )
            yield _when(n, n + 1, [frame], "now")


def _gradient(slope: str, text: str, room: Rectangle, theme: Theme) -> list[str]:
    line = _written(slope, text, theme, 17)
    if line.width > room.width - 12:  # the box has room for the whole sum, which may be shorter
        line = _written(slope, text, theme, 17 * (room.width - 12) / line.width)
    left, top = room.x - room.width / 2 + 1, room.y - room.height / 2 + 1
    fill = rectangle(left, top, room.width - 2, room.height - 2, theme.gradient_fill, "none", 7)
    return [fill, *set_line(line, room.x, middle_of(line, room.y), "middle")]


def _written(slope: str, text: str, theme: Theme, size: float) -> Line:
    line = Line(size).tex(f"{tex(slope)} = ", theme.gradient)
    return line.tex(tex(text), theme.gradient, bold="..." not in text)


def _sentences(taken: Sequence[Step]) -> Iterator[str]:
    for n, step in enumerate(taken):
        head = "Start" if n == 0 else f"Step {n} of {len(taken) - 1}. {pretty(step.title)}"
        yield (
            f'<div class="say {step.phase}" data-from="{n}" data-to="{n + 1}">'
            f"<h2>{escape(head)}</h2><p>{escape(pretty(step.sentence))}</p></div>"
        )


def _rules(taken: Sequence[Step], theme: Theme) -> Iterator[str]:
    """A card for each rule, with its use where it is in use; then the chain rule."""
    forward = [n for n, step in enumerate(taken) if step.phase == "forward"]
    yield _card("Forward", "compute each node from its inputs", forward, [])
    rules: dict[str, list[int]] = {}
    for n, step in enumerate(taken):
        if step.edge is not None:
            rules.setdefault(step.edge.rule, []).append(n)
    for rule, used in rules.items():
        general = taken[used[0]].general
        body = inline(Line(18).tex(tex(general), theme.ink)) if general else ""
        here = [(n, inline(Line(17).tex(tex(taken[n].here), theme.ink))) for n in used]
        yield _card(_title(rule), body, used, here)
    every = [n for used in rules.values() for n in used]
    chain = inline(Line(18).tex(tex("df/du = df/dv * dv/du"), theme.ink))
    here = [(n, inline(Line(17).tex(tex(taken[n].chain), theme.gradient))) for n in sorted(every)]
    yield _card("Chain rule", chain, every, here)
    yield _card("Sum over paths", "gradients that meet at a node are added", [len(taken) - 1], [])


def _title(rule: str) -> str:
    """``Product rule``, ``Derivative of sin`` for ``chain: sin'``."""
    function = rule.removeprefix("chain: ")
    return f"{rule.capitalize()} rule" if function == rule else f"Derivative of {function[:-1]}"


def _card(title: str, body: str, used: Sequence[int], here: Sequence[tuple[int, str]]) -> str:
    uses = "".join(
        f'<p class="here" data-from="{n}" data-to="{n + 1}">here: {text}</p>' for n, text in here
    )
    marks = " ".join(map(str, used))
    empty = '<p class="here none">&nbsp;</p>' if here else ""
    return (
        f'<section class="card" data-used="{marks}"><h3>{escape(title)}</h3><p>{body}</p>'
        f'<div class="uses">{empty}{uses}</div></section>'
    )


def _scale(taken: Sequence[Step]) -> Iterator[str]:
    """The colored scale below the slider."""
    for phase, found in groupby(taken[1:], key=lambda step: step.phase):
        yield f'<span class="{phase}" style="flex:{len(list(found))}">{phase}</span>'


def inline(line: Line) -> str:
    """A formula within a line of text."""
    up, down = line.ascent + 3, line.descent + 3
    return (
        f'<svg class="math" width="{line.width + 4:.1f}" height="{up + down:.1f}"'
        f' style="vertical-align:{-down:.1f}px">{"".join(set_line(line, 1, up))}</svg>'
    )
