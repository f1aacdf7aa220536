"""Drawing: boxes and arrows with their texts, without positions.

SVG, DOT and Markdown show the same boxes. A constant gets a new box at each use: it has no
gradient to add up, and a long arrow from a shared box would show nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backproplab.explain.trace import Edge, GraphNode, Trace

Kind = Literal["variable", "constant", "step", "result"]
VALUE, GRADIENT, INK, LINES = "#1a5fb4", "#b3261e", "#222222", "#6b7280"
FILLS: dict[Kind, str] = {
    "variable": "#eaf2fd",
    "constant": "#f3f3f3",
    "step": "#ffffff",
    "result": "#fdf4dc",
}


@dataclass(frozen=True)
class Box:
    """One box; ``key`` is unique in the drawing, ``value`` and ``gradient`` may be empty."""

    key: str
    kind: Kind
    title: str
    value: str = ""
    gradient: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(text for text in (self.title, self.value, self.gradient) if text)


@dataclass(frozen=True)
class Arrow:
    """From box ``source`` to box ``target`` (indexes); ``label`` is the gradient flowing back."""

    source: int
    target: int
    label: str = ""


@dataclass(frozen=True)
class Drawing:
    """Boxes in topological order: each arrow leads to a later box."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]


def of_trace(trace: Trace) -> Drawing:
    """The graph of an expression: a value in each node, a gradient on each edge."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    at: dict[int, int] = {}
    incoming: list[list[Edge]] = [[] for _ in trace.nodes]
    for edge in trace.edges:
        incoming[edge.target].append(edge)
    for i, node in enumerate(trace.nodes):
        if node.kind == "constant":
            continue
        sources = []
        for edge in incoming[i]:
            if edge.gradient is None:
                boxes.append(_constant(trace.nodes[edge.source].name, boxes))
            sources.append(at[edge.source] if edge.gradient is not None else len(boxes) - 1)
        at[i] = len(boxes)
        boxes.append(_box(trace, node))
        labels = ["" if edge.gradient is None else short(edge.gradient) for edge in incoming[i]]
        arrows += [Arrow(s, at[i], label) for s, label in zip(sources, labels, strict=True)]
    return Drawing(trace.title, tuple(boxes), tuple(arrows))


def _box(trace: Trace, node: GraphNode) -> Box:
    title = node.name if node.formula == node.name else f"{node.name} = {node.formula}"
    kind: Kind = "result" if node is trace.result and node.kind == "step" else node.kind
    gradient = f"d{trace.result.name}/d{node.name} = {short(node.gradient)}"
    return Box(node.name, kind, title, short(node.value), gradient)


def _constant(name: str, boxes: list[Box]) -> Box:
    before = sum(box.title == name for box in boxes)
    return Box(f"{name} ({before + 1})" if before else name, "constant", name)


def short(value: float) -> str:
    """The value with six significant digits, which fit into a box."""
    return f"{value:.6g}"
