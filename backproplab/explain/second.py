"""Second derivatives term by term: f″(g) g′² + f′(g) g″ on any graph; implicit derivatives.

Each step v with inputs u contributes df/dv times Σ ∂²v/∂uᵢ∂uⱼ · duᵢ/dx · duⱼ/dy: the sum over the
steps is ∂²f/∂x∂y. For f(g(x)) these are f″(g) g′², of the last step, and f′(g) g″, of g's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from backproplab.autograd import Tensor, apply, backward
from backproplab.autograd.graph import inputs_of, nodes
from backproplab.errors import ConfigError, Problem
from backproplab.explain.formula import write
from backproplab.explain.lines import Line, factor, line, rounded, short
from backproplab.explain.report import Section
from backproplab.explain.trace import Trace, trace
from backproplab.explain.values import Value
from backproplab.formulas.expression import Expression

MOST = 3  # variables whose mixed derivatives are shown
ON_CURVE = 1e-9


@dataclass(frozen=True)
class Term:
    """One step's part of ∂²f/∂x∂y: with symbols, with formulas, with numbers, and its value."""

    step: str
    forms: tuple[str, str, str]
    value: float


def section(seen: Trace) -> Section:
    """Every second derivative, term by term. Raises ConfigError for vectors."""
    return Section(
        "Second derivatives", list(_lines(seen)), "a term for each step that is curved", True
    )


def _lines(seen: Trace) -> Iterator[Line]:
    variables = seen.variables
    f = seen.result.name
    pairs = [(i, j) for n, i in enumerate(variables) for j in variables[n:]]
    for i, j in pairs if len(variables) <= MOST else [(i, i) for i in variables]:
        x, y = seen.nodes[i].name, seen.nodes[j].name
        head = f"d2{f}/d{x}2" if i == j else f"d2{f}/(d{x} d{y})"
        found = list(terms(seen, i, j))
        for term in found:
            yield (
                (f"{term.step}: ", "aside"),
                (" = ".join(term.forms) + " = ", ""),
                (rounded(term.value), ""),
            )
        total = sum(term.value for term in found)
        words = " + ".join(factor(float(f"{term.value:.12g}")) for term in found) or "0"
        sums = f"{head} = {words} = " if len(found) > 1 else f"{head} = "
        yield ((sums, ""), (rounded(total), "gradient"))


def hessian(seen: Trace) -> dict[tuple[str, str], float]:
    """∂²f/∂x∂y by the names of its variables."""
    return {
        (seen.nodes[i].name, seen.nodes[j].name): sum(term.value for term in terms(seen, i, j))
        for i in seen.variables
        for j in seen.variables
    }


def terms(seen: Trace, x: int, y: int) -> Iterator[Term]:
    """The terms of ∂²f/∂x∂y that are not 0."""
    order = nodes(seen.root)
    if any(tensor.ndim for tensor in order):
        raise ConfigError(Problem("--order 2", "takes numbers, not vectors", "write x0, x1, …"))
    at = {id(tensor): n for n, tensor in enumerate(order)}
    by_x, by_y = (_slopes(seen, variable) for variable in (x, y))
    f = seen.result.name
    for n, tensor in enumerate(order):
        gradient = float(seen.nodes[n].gradient)
        places = [at[id(u)] for u in inputs_of(tensor)]
        for i, u in enumerate(places):
            for j, w in enumerate(places):
                if not (by_x[u] and by_y[w] and gradient):
                    continue
                formula, value = _curvature(tensor, i, j, seen.names)
                if value == 0:
                    continue
                names = seen.nodes[n].name, seen.nodes[u].name, seen.nodes[w].name
                curved = (
                    f"d2{names[0]}/d{names[1]}2"
                    if u == w
                    else f"d2{names[0]}/(d{names[1]} d{names[2]})"
                )
                ends = (
                    (names[1], seen.nodes[x].name, by_x[u]),
                    (names[2], seen.nodes[y].name, by_y[w]),
                )
                slopes = [f"d{a}/d{b}" for a, b, _ in ends]
                numbers = [factor(s) for _, _, s in ends]
                forms = (
                    " * ".join([f"d{f}/d{names[0]}", curved, *slopes]),
                    " * ".join([factor(gradient), f"({formula})", *numbers]),
                    " * ".join([factor(gradient), factor(value), *numbers]),
                )
                yield Term(names[0], forms, gradient * value * by_x[u] * by_y[w])


def _slopes(seen: Trace, variable: int) -> list[float]:
    """∂node/∂variable of each node, forward through the graph."""
    found = [0.0] * len(seen.nodes)
    found[variable] = 1.0
    for edge in seen.edges:  # in the order of their targets
        if edge.gradient is not None:
            found[edge.target] += float(edge.local) * found[edge.source]
    return found


def _curvature(tensor: Tensor, i: int, j: int, names: Mapping[int, str]) -> tuple[str, float]:
    """∂²(a step)/∂(input i)∂(input j): the derivative of the op's own rule."""
    node = tensor.node
    assert node is not None, "a leaf has no inputs"
    rule = node.op.rule(i)
    if rule is None:
        return "0", 0.0
    inputs = [Tensor(x.value, None, x.tracked) for x in node.inputs]  # in x ** x two different
    one = Tensor(np.float64(1), None, True)
    with np.errstate(all="ignore"):
        y = apply(node.op, *inputs, **node.settings)
        slope = rule(Tensor(np.float64(1)), y, *inputs, **node.settings)
        if not slope.tracked:
            return "0", 0.0
        (found,) = backward(slope, one, [inputs[j]])
    named = {id(new): names[id(x)] for new, x in zip(inputs, node.inputs, strict=True)}
    text = write(found, {**named, id(y): names[id(tensor)], id(one): "1"})
    return text, float(found.value)


def implicit(expression: Expression, values: Mapping[str, Value], name: str) -> Section:
    """dy/dx = -F_x / F_y and y″ for a curve F = 0 through the point. Raises ConfigError."""
    if name not in expression.variables:
        raise ConfigError(Problem("--implicit", f"the equation has no variable {name}"))
    seen = trace(expression, values)
    size = max([1.0, *(abs(float(v)) for v in values.values())])
    if not abs(float(seen.result.value)) <= ON_CURVE * size:
        miss = short(seen.result.value)
        raise ConfigError(
            Problem("--implicit", f"the point is not on the curve: left - right = {miss}")
        )
    gradients = {seen.nodes[i].name: float(seen.nodes[i].gradient) for i in seen.variables}
    if gradients[name] == 0:
        raise ConfigError(
            Problem("--implicit", f"dF/d{name} is 0 here: {name} is no function nearby")
        )
    return Section(
        "Implicit",
        list(_implicit_lines(seen, gradients, name)),
        f"F = left - right = 0 defines {name}",
        True,
    )


def _implicit_lines(seen: Trace, gradients: dict[str, float], y: str) -> Iterator[Line]:
    curved = hessian(seen)
    yield line(f"dF/d{y} = {short(gradients[y])}")
    for x in gradients:
        if x == y:
            continue
        slope = -gradients[x] / gradients[y]
        yield line(f"dF/d{x} = {short(gradients[x])}")
        numbers = f"-{factor(gradients[x])} / {factor(gradients[y])}"
        yield ((f"d{y}/d{x} = -dF/d{x} / dF/d{y} = {numbers} = ", ""), (rounded(slope), "gradient"))
        bend = curved[x, x] + 2 * curved[x, y] * slope + curved[y, y] * slope**2
        parts = f"{short(curved[x, x])} + 2 * {factor(curved[x, y])} * {factor(slope)}"
        parts += f" + {factor(curved[y, y])} * {factor(slope)}**2"
        second = f"-(Fxx + 2 * Fxy * d{y}/d{x} + Fyy * (d{y}/d{x})**2) / Fy"
        text = f"d2{y}/d{x}2 = {second} = -({parts}) / {factor(gradients[y])} = "
        yield ((text, ""), (rounded(-bend / gradients[y]), "gradient"))
