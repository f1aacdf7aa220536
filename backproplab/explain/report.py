"""Report: the text of ``explain``, as sections of lines and tables.

The terminal and Markdown show the same report; this file knows no output format. Formulas are in
Python's spelling (notation.py writes them with signs or as TeX); each piece of a line has a role,
such as "value" or "gradient", for its color.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.graph import number
from backproplab.explain.compare import NUDGE, Comparison, relative_difference
from backproplab.explain.formula import shown
from backproplab.explain.lines import Line, factor, line, short
from backproplab.explain.paths import paths
from backproplab.explain.rules import GENERAL
from backproplab.explain.trace import PATHS, Edge, GraphNode, Trace, product
from backproplab.explain.values import Value

FORMULA = 150  # characters after which a symbolic derivative is cut
LONG = 60  # characters after which a step is not repeated with numbers
SUSPECT = 1e-4  # a relative difference that truncation and rounding do not explain
ROUNDING = 1e-9  # an absolute one that rounding explains, times the size of f


@dataclass(frozen=True)
class ReportTable:
    """Rows under headers; the columns named in ``left`` hold words, the others numbers.

    roles: of columns with a color. rank: of columns that may be left out where they do not fit,
    the largest first; ``math``: columns that hold formulas.
    """

    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]
    left: tuple[str, ...] = ()
    roles: tuple[tuple[str, str], ...] = ()
    ranks: tuple[tuple[str, int], ...] = ()
    math: tuple[str, ...] = ()


@dataclass(frozen=True)
class Section:
    """aside: a few words after the title. math: its lines are formulas."""

    title: str
    body: list[Line] | ReportTable
    aside: str = ""
    math: bool = False


@dataclass(frozen=True)
class Report:
    title: str
    sections: list[Section]
    aside: str = ""


def of_trace(trace: Trace, comparisons: list[Comparison]) -> Report:
    """The report of an expression: forward, backward, paths, the derivative in three ways."""
    f = trace.result.name
    vector = isinstance(trace.upstream, np.ndarray)
    begins = "from upstream" if vector else f"from d{f}/d{f} ="
    times = "Jacobian" if vector else "local derivative"
    passes = f"{begins} {shown(trace.upstream)}; each edge multiplies by its {times}"
    multiply = "multiply along a path, add over the paths"
    sections = [
        Section("Forward", forward(trace), "values, inputs first", True),
        Section("Backward", backward(trace), passes),
        Section("Paths", list(paths(trace)), multiply, True),
    ]
    if vector:
        rows = "a row for each entry of the result"
        sections.append(Section("Jacobian", list(jacobians(trace)), rows))
    sections.append(Section("Check", check(trace, comparisons)))
    if notes := [line(text, "aside") for text in remarks(comparisons)]:
        sections.append(Section("", notes))
    return Report(trace.title, sections, f"at {point(trace)}")


def point(trace: Trace) -> str:
    """``a = 2, b = 1``."""
    places = (trace.nodes[i] for i in trace.variables)
    return ", ".join(f"{node.name} = {short(node.value)}" for node in places)


def forward(trace: Trace) -> list[Line]:
    """``c = a + b = 2 + 1 = 3``, a line for each node that is not a constant."""
    lines: list[Line] = []
    for node in trace.nodes:
        if node.kind == "constant":
            continue
        parts = [node.name] if node.formula == node.name else [node.name, node.formula]
        repeated = node.formula, shown(node.value)
        if node.numbers and len(node.numbers) <= LONG and node.numbers not in repeated:
            parts.append(node.numbers)
        lines.append(((f"{' = '.join(parts)} = ", ""), (shown(node.value), "value")))
    return lines


def flow(trace: Trace) -> Iterator[tuple[Edge, Value, bool]]:
    """Each edge in the order of the backward pass: the edge, the gradient of its source so far,
    and whether that is complete."""
    sofar: dict[int, Value] = {}
    waiting = [len(edges) for edges in trace.outgoing]
    for edge in sorted(trace.edges, key=lambda edge: -edge.target):  # from the result down
        if edge.gradient is not None:
            waiting[edge.source] -= 1
            sofar[edge.source] = sofar.get(edge.source, 0.0) + edge.gradient
            yield edge, sofar[edge.source], waiting[edge.source] == 0


def backward(trace: Trace) -> ReportTable:
    """Each edge with its rule, its local derivative, and the gradient that arrives."""
    rows: list[tuple[str, ...]] = []
    f = trace.result.name
    for edge, sofar, complete in flow(trace):
        source, target = trace.nodes[edge.source], trace.nodes[edge.target]
        words = (
            f"{source.name} + eps moves {f} by {_times_eps(sofar, signed=True)}"
            if complete and not np.ndim(source.value)
            else "" if complete else f"{source.name} is used again: not complete"
        )  # fmt: skip
        rows.append((
            f"{target.name} -> {source.name}", edge.rule, GENERAL.get(edge.rule, ""),
            f"d{target.name}/d{source.name} = {local(edge)}",
            f"d{f}/d{source.name} = {arrival(edge, target, sofar, complete)}", words,
        ))  # fmt: skip
    headers = "edge", "rule", "in general", "local derivative", "gradient that arrives", "in words"
    return ReportTable(
        headers, rows, headers, (("gradient that arrives", "gradient"),),
        (("in words", 4), ("in general", 3), ("rule", 2), ("local derivative", 1)), headers[2:5],
    )  # fmt: skip


def local(edge: Edge) -> str:
    """``d = 2``: the local derivative as a formula and as a number, once if they are equal."""
    value = matrix(edge.local) if isinstance(edge.local, np.ndarray) else short(edge.local)
    if not value:
        return edge.formula
    same = not edge.formula or edge.formula.strip("-").replace(".", "", 1).isdecimal()
    return value if same else f"{edge.formula} = {value}"


def matrix(local: Array) -> str:
    """A Jacobian that fits into a line: a row, a column, or a diagonal; else ""."""
    if 1 in local.shape:
        return shown(local.ravel(), 4)
    if local.shape[0] == local.shape[1] and not local[~np.eye(len(local), dtype=bool)].any():
        return f"diag({shown(np.diag(local), 4)})"
    return ""


def arrival(edge: Edge, target: GraphNode, sofar: Value, complete: bool) -> str:
    """``3 + 2 * 1 = 5``, or ``3 * 1 = 3 + ...`` while more will come."""
    assert edge.gradient is not None
    if isinstance(edge.local, np.ndarray):
        text = short(sofar)
        return text if complete else f"{text} + ..."
    with np.errstate(all="ignore"):
        before = np.asarray(sofar - edge.gradient)
    first = before != 0
    text = f"{factor(target.gradient)} * {factor(edge.local)}"
    text = f"{short(before.item())} + {text}" if first else text
    return f"{text} = {short(sofar)}" + ("" if complete else " + ...")


def jacobians(trace: Trace) -> Iterator[Line]:
    """∂f/∂x row by row, and the product that the backward pass computes."""
    f, count = trace.result.name, np.size(trace.result.value)
    for i in trace.variables:
        if trace.path_counts[i] > PATHS:
            continue
        parts = [np.asarray(product(path)) for path in trace.paths(i)]
        whole = sum(np.eye(count) * p if p.ndim < 2 else p for p in parts)
        for n, row in enumerate(np.atleast_2d(whole)):
            head = f"d{f}/d{trace.nodes[i].name} = "
            yield ((head if n == 0 else " " * len(head), ""), (shown(row), "gradient"))
        upstream, gradient = shown(trace.upstream), shown(trace.nodes[i].gradient)
        yield ((f"transposed, times {upstream}: ", "aside"), (gradient, "gradient"))


def check(trace: Trace, comparisons: list[Comparison]) -> ReportTable:
    """The derivatives in three ways; "off by" is the relative difference to backprop's."""
    f = trace.result.name
    base = float(np.sum(trace.upstream * np.asarray(trace.result.value)))
    headers = ("derivative", "backprop", "numeric", "off by", "symbolic", f"eps = {NUDGE}")
    rows: list[tuple[str, ...]] = []
    for c in comparisons:
        text, exact = c.symbolic.formula, c.symbolic.value
        if len(text) > FORMULA:
            text = f"{text[:FORMULA]} ... ({len(text):,} characters)"
        symbolic = text if exact is None else f"{text} = {short(exact)}"
        numeric = f"{c.numeric:.10g}", _difference(c.numeric, c.backprop)
        rows.append((f"d{f}/d{c.variable}", number(c.backprop), *numeric, symbolic, nudge(base, c)))
    left = ("derivative", "symbolic", headers[5])
    ranks = (("symbolic", 2), (headers[5], 1))
    return ReportTable(headers, rows, left, (("backprop", "gradient"),), ranks)


def nudge(base: float, c: Comparison) -> str:
    """``6 + 2 eps = 6.002``: what the slope predicts, and what the nudged variable gives."""
    if not np.isfinite([base, c.nudged, c.backprop]).all():
        return shown(c.nudged)
    sign = "~" if c.square is None else "="
    return f"{expansion(base, c)} {sign} {c.nudged:.7g}"


def expansion(base: float, c: Comparison) -> str:
    """``6 + 5 eps + eps**2``, the last term only where nothing follows it."""
    text = f"{short(base)} {'-' if c.backprop < 0 else '+'} {_times_eps(c.backprop)}"
    if c.square:
        text += f" {'-' if c.square < 0 else '+'} {_times_eps(c.square)}**2"
    return text


def _times_eps(value: Value, signed: bool = False) -> str:
    size: Value = value if signed else np.abs(value)
    if np.ndim(size) == 0 and abs(size) == 1:
        return "eps" if size > 0 else "-eps"
    return f"{short(size)} * eps"


def _difference(a: float, b: float) -> str:
    return f"{relative_difference(a, b):.1e}" if a != b else "0"


def remarks(comparisons: list[Comparison]) -> Iterator[str]:
    """A verdict, or a warning if numeric and backprop differ."""
    if not all(np.isfinite(c.backprop) for c in comparisons):
        return
    if not all(map(agree, comparisons)):
        yield "numeric and backprop differ: a kink, an edge of the domain, or a steep slope"
    elif comparisons:
        exact = all(c.symbolic.value is not None for c in comparisons)
        yield "All three agree." if exact else "Both agree."


def agree(c: Comparison) -> bool:
    """Whether truncation and rounding explain the difference of numeric and backprop."""
    rounding = ROUNDING * max(1.0, abs(c.nudged))
    return relative_difference(c.numeric, c.backprop) < SUSPECT or (
        abs(c.numeric - c.backprop) < rounding
    )
