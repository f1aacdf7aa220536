"""Trace: all values of a forward and a backward pass of one expression, as plain data.

The numbers come from the library's own graph and backward pass; this file only reads them. It
knows no output format.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Literal

import numpy as np

from backproplab.autograd import Tensor, backward
from backproplab.autograd.graph import inputs_of, nodes, number
from backproplab.errors import ConfigError, Problem
from backproplab.explain.expression import Expression
from backproplab.explain.formula import course_names, local_derivative, write_step

PATHS = 64  # the most paths that are written out
RULES = {
    **dict.fromkeys(("add", "subtract", "negative"), "sum"),
    "multiply": "product",
    **dict.fromkeys(("divide", "reciprocal"), "quotient"),
    **dict.fromkeys(("power", "square", "sqrt", "cbrt"), "power"),
    **dict.fromkeys(("where", "maximum", "minimum"), "choice"),
}


@dataclass(frozen=True)
class GraphNode:
    """A value of the graph: ``c = a + b``, 3, and df/dc."""

    name: str
    kind: Literal["variable", "constant", "step"]
    formula: str
    value: float
    gradient: float


@dataclass(frozen=True)
class Edge:
    """An edge from a node to a node that uses it.

    source, target: indexes of nodes. rule: sum, product, quotient, power, choice, or "chain: sin'".
    formula, local: ∂target/∂source, as text and as a number.
    gradient: df/dtarget times ``local``; None if the source is a constant.
    """

    source: int
    target: int
    rule: str
    formula: str = ""
    local: float = 0.0
    gradient: float | None = None


@dataclass(frozen=True)
class Trace:
    """The graph of an expression at a point; nodes with inputs first, the result last.

    root, names: the autograd's graph, and the name of each of its tensors by id.
    """

    text: str
    nodes: tuple[GraphNode, ...]
    edges: tuple[Edge, ...]
    root: Tensor
    names: Mapping[int, str]

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


def product(path: Sequence[Edge]) -> float:
    """The product of the local derivatives along a path."""
    return prod(edge.local for edge in path)


def trace(expression: Expression, values: Mapping[str, float]) -> Trace:
    """Compute the expression at a point, forward and backward.

    Raises ConfigError if a value or a derivative is not a finite number.
    """
    tensors = expression.evaluate(values)
    _check_values(expression, tensors, values)
    root, order = tensors[-1], nodes(tensors[-1])
    names = course_names(expression, tensors, order)
    with np.errstate(all="ignore"):
        gradients = backward(root, Tensor(np.float64(1)), order)
    found = [
        GraphNode(names[id(x)], _kind(x), write_step(x, names), x.value.item(), g.value.item())
        for x, g in zip(order, gradients, strict=True)
    ]
    edges = _edges(order, names, [node.gradient for node in found])
    _check_derivatives(found, edges)
    return Trace(expression.text, tuple(found), edges, root, names)


def _kind(x: Tensor) -> Literal["variable", "constant", "step"]:
    if x.node is not None:
        return "step"
    return "variable" if x.tracked else "constant"


def _edges(
    order: Sequence[Tensor], names: Mapping[int, str], gradients: Sequence[float]
) -> tuple[Edge, ...]:
    at = {id(x): i for i, x in enumerate(order)}
    edges = []
    for target, x in enumerate(order):
        for position, source in enumerate(inputs_of(x)):
            ends = at[id(source)], target, _rule(x)
            if source.tracked:
                slope = local_derivative(x, position, names)
                passed = gradients[target] * slope.value
                edges.append(Edge(*ends, slope.formula, slope.value, passed))
            else:
                edges.append(Edge(*ends))
    return tuple(edges)


def _rule(x: Tensor) -> str:
    name = x.node.op.name if x.node else ""
    return RULES.get(name, f"chain: {name}'")


def _check_values(
    expression: Expression, tensors: Sequence[Tensor], values: Mapping[str, float]
) -> None:
    for tensor, column in zip(tensors, expression.columns, strict=True):
        if not np.isfinite(tensor.value):
            point = ", ".join(f"{name} = {number(value)}" for name, value in values.items())
            raise ConfigError(
                Problem(
                    f"expression, column {column}",
                    f"the value is {tensor.value}" + (f" at {point}" if point else ""),
                    "choose values where every step is a finite number",
                )
            )


def _check_derivatives(found: Sequence[GraphNode], edges: Sequence[Edge]) -> None:
    for edge in edges:
        source, target = found[edge.source], found[edge.target]
        if edge.gradient is not None and not np.isfinite(edge.gradient):
            slope = edge.gradient if np.isfinite(edge.local) else edge.local
            raise ConfigError(
                f"d{target.name}/d{source.name} of {target.name} = {target.formula} is {slope}"
                f" at {source.name} = {number(source.value)}: it has no finite derivative there"
            )
