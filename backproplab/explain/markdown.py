"""A report in Markdown with its formulas as LaTeX, so that a student can hand it in.

GitHub, Jupyter, Pandoc and VS Code show ``$…$`` and ``$$…$$`` as mathematics.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.explain.drawing import Drawing
from backproplab.explain.lines import Line, joined
from backproplab.explain.notation import assignments, pretty, tex
from backproplab.explain.report import Report, ReportTable, Section


def render(report: Report, drawing: Drawing) -> str:
    """The Markdown text. Words that could be read as markup are put in code spans."""
    graph = Section("The graph, from the result down", [((x, ""),) for x in text_graph(drawing)])
    parts = [f"# {_title(report)}"]
    for section in (*report.sections, graph):
        parts += [f"## {section.title}{f': {section.aside}' if section.aside else ''}"] * bool(
            section.title
        )
        parts.append(_body(section))
    return "\n\n".join(parts) + "\n"


def _title(report: Report) -> str:
    if not report.aside:
        return f"`{report.title}`"
    point = ", ".join(f"${tex(part)}$" for part in assignments(report.aside.removeprefix("at ")))
    return f"${tex(report.title)}$ at {point}"


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
    if isinstance(section.body, ReportTable):
        return _table(section.body)
    if section.math:
        return _aligned(section.body)
    if all(role == "aside" for line in section.body for _, role in line):
        return "\n".join(joined(line) for line in section.body)
    return "\n".join(["```text", *(joined(line) for line in section.body), "```"])


def _aligned(lines: Sequence[Line]) -> str:
    """Equations below each other at their first equals sign; a row that begins with one goes on."""
    rows = []
    for line in lines:
        text = "".join(text for text, role in line if "->" not in text)
        left, equals, right = text.partition(" = ")
        if equals and not left.strip():
            rows.append(f"& = {tex(' '.join(right.split()))}")
        elif equals:
            rows.append(f"{tex(left.strip())} & = {tex(' '.join(right.split()))}")
        else:
            rows.append(f"& {tex(' '.join(text.split()))}")
    body = " \\\\\n".join(rows)
    return f"$$\n\\begin{{aligned}}\n{body}\n\\end{{aligned}}\n$$"


def _table(table: ReportTable) -> str:
    words = [header in table.left for header in table.headers]
    rows = [
        [_cell(cell, header, table) for cell, header in zip(row, table.headers, strict=True)]
        for row in table.rows
    ]
    rule = [":---" if word else "---:" for word in words]
    heads = [pretty(header) for header in table.headers]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, rule, *rows))


def _cell(cell: str, header: str, table: ReportTable) -> str:
    if header in table.math and cell:
        return f"${tex(cell)}$"
    return f"`{pretty(cell)}`" if header in table.left and cell else cell
