"""A report in Markdown, with the graph as text, so that a student can hand it in."""

from __future__ import annotations

from backproplab.explain.drawing import Drawing
from backproplab.explain.report import Report, ReportTable, Section


def render(report: Report, drawing: Drawing) -> str:
    """The Markdown text. Text that could be read as markup is put in code spans."""
    graph = Section("The graph, from the result down", text_graph(drawing))
    parts = [f"# `{report.title}`"]
    for section in (graph, *report.sections):
        parts += [f"## {section.title}", _body(section)]
    return "\n\n".join(parts) + "\n"


def text_graph(drawing: Drawing) -> list[str]:
    """A line for each box, indented below the box it leads to; a shared box is expanded once."""
    inputs: list[list[int]] = [[] for _ in drawing.boxes]
    for arrow in drawing.arrows:
        inputs[arrow.target].append(arrow.source)
    lines: list[str] = []
    seen: set[int] = set()
    stack = [(len(drawing.boxes) - 1, 0)]
    while stack:
        number, depth = stack.pop()
        box = drawing.boxes[number]
        indent = "  " * depth
        if number in seen and inputs[number]:
            lines.append(f"{indent}{box.key}: see above")
            continue
        seen.add(number)
        lines.append(indent + "   ".join(box.lines))
        stack.extend((source, depth + 1) for source in reversed(inputs[number]))
    return lines


def _body(section: Section) -> str:
    if isinstance(section.body, list):
        return "\n".join(["```text", *section.body, "```"])
    return _table(section.body)


def _table(table: ReportTable) -> str:
    words = [header in table.left for header in table.headers]
    rows = [
        [f"`{cell}`" if word else cell for cell, word in zip(row, words, strict=True)]
        for row in table.rows
    ]
    rule = [":---" if word else "---:" for word in words]
    return "\n".join(f"| {' | '.join(row)} |" for row in (list(table.headers), rule, *rows))
