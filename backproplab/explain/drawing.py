"""Drawing: boxes and arrows with their formulas, without positions.

SVG, DOT and Markdown show the same boxes. A constant gets a new box at each use: it has no
gradient to add up, and a long arrow from a shared box would show nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from backproplab.explain.lines import short
from backproplab.explain.report import local
from backproplab.explain.trace import Edge, GraphNode, Trace

Kind = Literal["variable", "constant", "step", "result"]
BANDS = 4  # the most paths that are drawn


@dataclass(frozen=True)
class Box:
    """One box; ``key`` is unique in the drawing, ``value`` and ``gradient`` may be empty.

    title: ``c = a + b``. slope: ``df/dc``, whose value the gradient is.
    """

    key: str
    kind: Kind
    title: str
    value: str = ""
    gradient: str = ""
    slope: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        gradient = f"{self.slope} = {self.gradient}" if self.slope else self.gradient
        return tuple(text for text in (self.title, self.value, gradient) if text)


@dataclass(frozen=True)
class Arrow:
    """From box ``source`` to box ``target`` (indexes).

    label: the local derivative, ``df/dc = d = 2``. paths: the numbers of the paths that take it.
    """

    source: int
    target: int
    label: str = ""
    paths: tuple[int, ...] = ()


@dataclass(frozen=True)
class Drawing:
    """Boxes in topological order: each arrow leads to a later box."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    aside: str = ""

    def without_constants(self) -> Drawing:
        """The same without boxes of constants, which the formulas name too."""
        kept = [n for n, box in enumerate(self.boxes) if box.kind != "constant"]
        at = {old: new for new, old in enumerate(kept)}
        arrows = [
            replace(arrow, source=at[arrow.source], target=at[arrow.target])
            for arrow in self.arrows
            if arrow.source in at
        ]
        return replace(self, boxes=tuple(self.boxes[n] for n in kept), arrows=tuple(arrows))


def of_trace(trace: Trace, aside: str = "") -> Drawing:
    """The graph of an expression: value and gradient in each node, local derivatives on edges."""
    boxes: list[Box] = []
    arrows: list[Arrow] = []
    at: dict[int, int] = {}
    taken = banded(trace)[1]
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
        arrows += [
            Arrow(source, at[i], _label(trace, edge), taken.get(id(edge), ()))
            for source, edge in zip(sources, incoming[i], strict=True)
        ]
    return Drawing(trace.title, tuple(boxes), tuple(arrows), aside)


def banded(trace: Trace) -> tuple[int, Mapping[int, tuple[int, ...]]]:
    """The variable whose paths are drawn (-1 if none has several), and the paths of each edge."""
    several = [i for i in trace.variables if 1 < trace.path_counts[i] <= BANDS]
    if not several:
        return -1, {}
    variable = max(several, key=lambda i: trace.path_counts[i])
    found: dict[int, tuple[int, ...]] = {}
    for number, path in enumerate(trace.paths(variable)):
        for edge in path:
            found[id(edge)] = (*found.get(id(edge), ()), number)
    return variable, found


def _label(trace: Trace, edge: Edge) -> str:
    if edge.gradient is None:
        return ""
    source, target = trace.nodes[edge.source], trace.nodes[edge.target]
    return f"d{target.name}/d{source.name} = {local(edge)}"


def _box(trace: Trace, node: GraphNode) -> Box:
    title = node.name if node.formula == node.name else f"{node.name} = {node.formula}"
    kind: Kind = "result" if node is trace.result and node.kind == "step" else node.kind
    slope = f"d{trace.result.name}/d{node.name}"
    return Box(node.name, kind, title, short(node.value), short(node.gradient), slope)


def _constant(name: str, boxes: Sequence[Box]) -> Box:
    before = sum(box.title == name for box in boxes)
    return Box(f"{name} ({before + 1})" if before else name, "constant", name)
