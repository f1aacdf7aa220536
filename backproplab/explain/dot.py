"""A drawing in Graphviz's DOT language."""

from __future__ import annotations

from backproplab.explain.drawing import FILLS, GRADIENT, Drawing

HEAD = f"""\
digraph explain {{
  rankdir=LR;
  bgcolor="#ffffff";
  labelloc=t;
  fontname=monospace;
  node [shape=box, style="rounded,filled", fontname=monospace];
  edge [fontname=monospace, fontcolor="{GRADIENT}"];"""


def render(drawing: Drawing) -> str:
    """The DOT text: a node for each box, an edge for each arrow."""
    lines = [HEAD, f"  label={_quoted(drawing.title)};"]
    for box in drawing.boxes:
        label = _quoted("\n".join(box.lines))
        lines.append(f'  {_quoted(box.key)} [label={label}, fillcolor="{FILLS[box.kind]}"];')
    for arrow in drawing.arrows:
        source, target = drawing.boxes[arrow.source], drawing.boxes[arrow.target]
        label = f" [label={_quoted(arrow.label)}]" if arrow.label else ""
        lines.append(f"  {_quoted(source.key)} -> {_quoted(target.key)}{label};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
