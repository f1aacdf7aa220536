"""Report: the text of ``explain``, as sections of lines and tables.

The terminal and Markdown show the same report; this file knows no output format.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice

from backproplab.autograd.graph import number
from backproplab.explain.compare import Comparison, relative_difference
from backproplab.explain.drawing import short
from backproplab.explain.trace import PATHS, Edge, Trace, product

FORMULA = 150  # characters after which a symbolic derivative is cut
SUSPECT = 1e-4  # a relative difference that truncation and rounding do not explain


@dataclass(frozen=True)
class ReportTable:
    """Rows under headers; the columns named in ``left`` hold words, the others numbers."""

    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    title: str
    body: list[str] | ReportTable


@dataclass(frozen=True)
class Report:
    title: str
    sections: list[Section]


def of_trace(trace: Trace, comparisons: list[Comparison]) -> Report:
    """The report of an expression: forward, backward, paths, the derivative in three ways."""
    f = trace.result.name
    return Report(
        trace.title,
        [
            Section("Forward: the value of each node", forward(trace)),
            Section(
                f"Backward: from d{f}/d{f} = 1, by the chain rule along each edge", backward(trace)
            ),
            Section("Paths: a product along each; their sum is the derivative", paths(trace)),
            Section("Three ways to the same derivative", three_ways(trace, comparisons)),
            Section("Symbolic derivatives", formulas(trace, comparisons)),
        ],
    )


def forward(trace: Trace) -> list[str]:
    """``c = a + b = 3``, a line for each node that is not a constant."""
    lines = []
    for node in trace.nodes:
        parts = [node.name] if node.formula == node.name else [node.name, node.formula]
        if node.kind != "constant":
            lines.append(" = ".join([*parts, number(node.value)]))
    return lines


def backward(trace: Trace) -> ReportTable:
    """Each edge with its rule, its local derivative, and the gradient that flows along it."""
    rows: list[tuple[str, ...]] = []
    for edge in sorted(trace.edges, key=lambda edge: -edge.target):  # from the result down
        if edge.gradient is None:
            continue
        source, target = trace.nodes[edge.source], trace.nodes[edge.target]
        local = short(edge.local)
        written = f"{edge.formula} = {local}" if edge.formula != local else local
        flow = f"{short(target.gradient)} * {local} = {short(edge.gradient)}"
        slope = f"d{target.name}/d{source.name}"
        rows.append((f"{target.name} -> {source.name}", edge.rule, f"{slope} = {written}", flow))
    headers = ("edge", "rule", "local derivative", "gradient passed on")
    return ReportTable(headers, rows, headers)


def paths(trace: Trace) -> list[str]:
    """Each variable's paths with their products and sum; only the sum above ``PATHS`` paths."""
    lines: list[str] = []
    for i in trace.variables:
        node, count = trace.nodes[i], trace.path_counts[i]
        slope = f"d{trace.result.name}/d{node.name}"
        if count > PATHS:
            lines.append(
                f"{node.name}: {count:,} paths, their sum {slope} = {rounded(node.gradient)}"
            )
            continue
        found = list(islice(trace.paths(i), PATHS))
        products = [product(path) for path in found]
        lines += [_path(trace, i, path) for path in found]
        terms = " + ".join(_term(p) for p in products)
        total = rounded(sum(products))
        lines.append(f"{slope} = {terms} = {total}" if count > 1 else f"{slope} = {total}")
    return lines


def _path(trace: Trace, variable: int, path: tuple[Edge, ...]) -> str:
    """``f -> c -> b: 2 * 1 = 2``."""
    ends = [edge.target for edge in path] + [variable]
    names = " -> ".join(trace.nodes[i].name for i in ends)
    factors = " * ".join(_term(edge.local) for edge in path) or "1"
    total = rounded(product(path))
    return f"{names}: {factors} = {total}" if len(path) > 1 else f"{names}: {total}"


def _term(value: float) -> str:
    return f"({rounded(value)})" if value < 0 else rounded(value)


def three_ways(trace: Trace, comparisons: list[Comparison]) -> ReportTable:
    """The derivatives in three ways; "off by" is the relative difference to backprop's."""
    headers = ("derivative", "numeric", "off by", "symbolic", "off by", "backprop")
    rows: list[tuple[str, ...]] = []
    for c in comparisons:
        exact = c.symbolic.value
        numeric = f"{c.numeric:.10g}", _difference(c.numeric, c.backprop)
        symbolic = ("-", "-") if exact is None else (number(exact), _difference(exact, c.backprop))
        slope = f"d{trace.result.name}/d{c.variable}"
        rows.append((slope, *numeric, *symbolic, number(c.backprop)))
    return ReportTable(headers, rows, ("derivative",))


def _difference(a: float, b: float) -> str:
    return f"{relative_difference(a, b):.1e}" if a != b else "0"


def formulas(trace: Trace, comparisons: list[Comparison]) -> list[str]:
    """The symbolic derivatives, cut if long, and a warning if numeric and backprop differ."""
    lines = []
    for c in comparisons:
        text = c.symbolic.formula
        if len(text) > FORMULA:
            text = f"{text[:FORMULA]} ... ({len(text):,} characters)"
        sign = ":" if c.symbolic.value is None else " ="
        lines.append(f"d{trace.result.name}/d{c.variable}{sign} {text}")
    if any(not relative_difference(c.numeric, c.backprop) < SUSPECT for c in comparisons):
        lines.append("numeric and backprop differ: a kink, an edge of the domain, or a steep slope")
    return lines


def rounded(value: float) -> str:
    """12 significant digits: enough to add up by hand, without the last bits of rounding."""
    return number(float(f"{value:.12g}"))
