"""A drawing in Graphviz's DOT language."""

from __future__ import annotations

from backproplab.explain.drawing import Drawing, Kind
from backproplab.palette import THEMES


def render(drawing: Drawing, theme: str = "light") -> str:
    """The DOT text: a node for each box, an edge for each arrow."""
    colors = THEMES[theme]
    fills: dict[Kind, str] = {
        "variable": colors.value_fill, "constant": colors.paper,
        "step": colors.value_fill, "result": colors.gradient_fill,
    }  # fmt: skip
    ink = f'fontname=monospace, fontcolor="{colors.ink}", color="{colors.second}"'
    lines = [
        "digraph explain {",
        "  rankdir=LR;",
        f'  bgcolor="{colors.paper}";',
        "  labelloc=t;",
        f'  fontname=monospace; fontcolor="{colors.ink}";',
        f'  node [shape=box, style="rounded,filled", {ink}];',
        f"  edge [{ink}];",
        f"  label={_quoted(drawing.title)};",
    ]
    for box in drawing.boxes:
        label = _quoted("\n".join(box.lines))
        lines.append(f'  {_quoted(box.key)} [label={label}, fillcolor="{fills[box.kind]}"];')
    for arrow in drawing.arrows:
        source, target = drawing.boxes[arrow.source], drawing.boxes[arrow.target]
        label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
        lines.append(f"  {_quoted(source.key)} -> {_quoted(target.key)}{label};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
