"""Trace: all values of a forward and a backward pass of one expression, as plain data.

The numbers come from the library's own graph and backward pass; this file only reads them. It
knows no output format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward
from backproplab.autograd.graph import inputs_of, nodes
from backproplab.errors import ConfigError, Problem
from backproplab.explain.formula import (
    course_names,
    local_derivative,
    shown,
    write_numbers,
    write_step,
)
from backproplab.explain.values import Value
from backproplab.formulas.expression import Expression

PATHS = 64  # the most paths that are written out
RULES = {
    **dict.fromkeys(("add", "subtract", "negative"), "sum"),
    "multiply": "product",
    **dict.fromkeys(("divide", "reciprocal"), "quotient"),
    **dict.fromkeys(("power", "square", "sqrt", "cbrt"), "power"),
    **dict.fromkeys(("where", "maximum", "minimum", "max", "min", "take", "list"), "choice"),
}


@dataclass(frozen=True)
class GraphNode:
    """A value of the graph: ``c = a + b``, ``2 + 1``, 3, and df/dc.

    With vectors value and gradient are vectors.
    """

    name: str
    kind: Literal["variable", "constant", "step"]
    formula: str
    numbers: str
    value: Value
    gradient: Value


@dataclass(frozen=True)
class Edge:
    """An edge from a node to a node that uses it.

    source, target: indexes of nodes. rule: sum, product, quotient, power, choice, or "chain: sin'".
    formula, local: ∂target/∂source, as text and as a number, with vectors as a Jacobian.
    gradient: df/dtarget times ``local``; None if the source is a constant.
    """

    source: int
    target: int
    rule: str
    formula: str = ""
    local: Value = 0.0
    gradient: Value | None = None


@dataclass(frozen=True)
class Trace:
    """The graph of an expression at a point; nodes with inputs first, the result last.

    root, names: the autograd's graph, and the name of each of its tensors by id.
    upstream: what the backward pass starts with, 1 for a number.
    """

    text: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    root: Tensor
    names: Mapping[int, str]
    upstream: Value = 1.0

    @property
    def title(self) -> str:
        """``f = (a + b) * (b + 1)``."""
        return f"{self.result.name} = {self.text}" if self.edges else self.text

    @property
    def result(self) -> GraphNode:
        return self.nodes[-1]

    @property
    def variables(self) -> list[int]:
        """The indexes of the variables' nodes, in the order of the text."""
        return [i for i, node in enumerate(self.nodes) if node.kind == "variable"]

    @cached_property
    def outgoing(self) -> list[list[Edge]]:
        """For each node its edges towards the result, without those of constants."""
        found: list[list[Edge]] = [[] for _ in self.nodes]
        for edge in self.edges:
            if edge.gradient is not None:
                found[edge.source].append(edge)
        return found

    @cached_property
    def path_counts(self) -> list[int]:
        """For each node the number of paths to the result: the sum over its successors."""
        counts = [0] * len(self.nodes)
        counts[-1] = 1
        for i in reversed(range(len(self.nodes) - 1)):
            counts[i] = sum(counts[edge.target] for edge in self.outgoing[i])
        return counts

    def paths(self, node: int) -> Iterator[tuple[Edge, ...]]:
        """Every path from the result to ``node``, as edges from the result down."""
        stack: list[tuple[int, tuple[Edge, ...]]] = [(node, ())]
        while stack:
            here, below = stack.pop()
            if here == len(self.nodes) - 1:
                yield below
            for edge in reversed(self.outgoing[here]):
                stack.append((edge.target, (edge, *below)))


def product(path: Sequence[Edge]) -> Value:
    """The product of the local derivatives along a path, from the result down."""
    whole: Value = 1.0
    for edge in path:
        whole = _times(whole, edge.local)
    return whole


def _times(a: Value, b: Value) -> Value:
    with np.errstate(all="ignore"):  # infinities are shown, not warned of
        return a @ b if isinstance(a, np.ndarray) and isinstance(b, np.ndarray) else a * b


def plain(array: Array) -> Value:
    """A float where there are no axes."""
    return array if array.ndim else array.item()


def trace(
    expression: Expression, values: Mapping[str, Value], upstream: Value | None = None
) -> Trace:
    """Compute the expression at a point, forward and backward.

    upstream: the gradient that arrives at the result; by default 1, or a vector of ones. Values and
    derivatives may be infinite or NaN. Raises ConfigError if a part without variables is, or if
    shapes do not fit.
    """
    tensors = expression.evaluate(values)
    _check_constants(expression, tensors)
    root, order = tensors[-1], nodes(tensors[-1])
    names = course_names(expression, tensors, order)
    seed = _seed(root, upstream)
    with np.errstate(all="ignore"):
        gradients = backward(root, Tensor(seed), order)
        found = [
            GraphNode(
                names[id(x)], _kind(x), write_step(x, names), write_numbers(x),
                plain(x.value), plain(g.value),
            )
            for x, g in zip(order, gradients, strict=True)
        ]  # fmt: skip
        edges = _edges(order, names, [node.gradient for node in found])
    return Trace(expression.text, tuple(found), edges, root, names, plain(seed))


def _seed(root: Tensor, upstream: Value | None) -> Array:
    if upstream is None:
        return np.ones(root.shape)
    seed = np.asarray(upstream, np.float64)
    if seed.shape != root.shape:
        raise ConfigError(
            Problem(
                "--upstream",
                f"has shape {seed.shape}, the result {root.shape}",
                f"give {shown(np.ones(root.shape))}",
            )
        )
    return seed


def _kind(x: Tensor) -> Literal["variable", "constant", "step"]:
    if x.node is not None:
        return "step"
    return "variable" if x.tracked else "constant"


def _edges(
    order: Sequence[Tensor], names: Mapping[int, str], gradients: Sequence[Value]
) -> tuple[Edge, ...]:
    at = {id(x): i for i, x in enumerate(order)}
    edges = []
    for target, x in enumerate(order):
        for position, source in enumerate(inputs_of(x)):
            ends = at[id(source)], target, _rule(x)
            if source.tracked:
                slope = local_derivative(x, position, names)
                passed = gradients[target] * slope.value
                if isinstance(slope.value, np.ndarray):
                    flat = np.reshape(gradients[target], -1) @ slope.value
                    passed = plain(flat.reshape(source.shape))
                edges.append(Edge(*ends, slope.formula, slope.value, passed))
            else:
                edges.append(Edge(*ends))
    return tuple(edges)


def _rule(x: Tensor) -> str:
    name = x.node.op.name if x.node else ""
    return RULES.get(name, f"chain: {name}'")


def _check_constants(expression: Expression, tensors: Sequence[Tensor]) -> None:
    """Refuse what no choice of values mends: log(-1), a / 0."""
    for step, tensor, place in zip(expression.steps, tensors, expression.places, strict=True):
        inputs = [tensors[i] for i in step.inputs]
        by_zero = step.word == "divide" and not inputs[1].tracked and not inputs[1].value.all()
        if by_zero or not (tensor.tracked or np.isfinite(tensor.value).all()):
            what = "divides by 0" if by_zero else f"the value is {tensor.value}"
            raise ConfigError(Problem(place, what, "write a formula that has a value"))
