"""Both passes step by step: forward by nodes, backward by edges, then the sum over paths.

The terminal and the page with a slider show the same steps. Step 0 is the empty graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backproplab.explain.lines import rounded, short
from backproplab.explain.report import arrival, flow, local
from backproplab.explain.rules import GENERAL
from backproplab.explain.trace import PATHS, Edge, Trace, product

Phase = Literal["start", "forward", "backward", "sum"]


@dataclass(frozen=True)
class Step:
    """What happens in one step, and where.

    node: the index of the node that gets a value or a gradient; -1 for none. edge: of a backward
    step. gradient: the node's gradient so far, as text, with ``+ ...`` while more will come.
    rule, general, here: the local rule; chain: the chain rule with the step's numbers.
    """

    phase: Phase
    title: str
    sentence: str
    node: int = -1
    edge: Edge | None = None
    gradient: str = ""
    general: str = ""
    here: str = ""
    chain: str = ""


def steps(trace: Trace) -> list[Step]:
    """All steps, the empty graph first; of a vector the gradients are vectors."""
    return [
        Step("start", "Start", "Nothing is computed yet."),
        *_forward(trace),
        *_backward(trace),
        *_sum(trace),
    ]


def _forward(trace: Trace) -> Iterator[Step]:
    for i, node in enumerate(trace.nodes):
        if node.kind == "constant":
            continue
        if node.kind == "variable":
            sentence = f"{node.name} is given: {short(node.value)}."
        else:
            numbers = f" = {node.numbers}" if node.numbers else ""
            sentence = f"{node.name} = {node.formula}{numbers} = {short(node.value)}."
        yield Step("forward", f"Forward: {node.name}", sentence, i)


def _backward(trace: Trace) -> Iterator[Step]:
    f, last = trace.result.name, len(trace.nodes) - 1
    start = short(trace.upstream)
    word = f"A change of {f} is a change of {f}: the backward pass starts with d{f}/d{f} = {start}."
    yield Step("backward", f"Backward: {f}", word, last, None, start)
    for edge, sofar, complete in flow(trace):
        source, target = trace.nodes[edge.source], trace.nodes[edge.target]
        text = short(sofar) + ("" if complete else " + ...")
        chain = f"d{f}/d{source.name} = {arrival(edge, target, sofar, complete)}"
        yield Step(
            "backward", f"Backward: from {target.name} to {source.name}",
            _sentence(trace, edge, complete), edge.source, edge, text,
            GENERAL.get(edge.rule, ""), f"d{target.name}/d{source.name} = {local(edge)}", chain,
        )  # fmt: skip


def _sentence(trace: Trace, edge: Edge, complete: bool) -> str:
    """What the step means, in words."""
    source, target = trace.nodes[edge.source].name, trace.nodes[edge.target].name
    assert edge.gradient is not None
    if isinstance(edge.local, np.ndarray):
        arrives = short(edge.gradient)
        text = f"The gradient of {target} times the Jacobian: {arrives} arrives at {source}."
    elif edge.rule == "sum" and edge.local == 1:
        text = (
            f"A sum passes its gradient on unchanged: {short(edge.gradient)} arrives at {source}."
        )
    else:
        by = edge.formula or short(edge.local)
        text = (
            f"If {source} grows by eps, {target} grows by {by} * eps = {short(edge.local)} * eps:"
            f" {short(edge.gradient)} arrives at {source}."
        )
    if complete:
        return text
    others = [trace.nodes[e.target].name for e in trace.outgoing[edge.source] if e is not edge]
    waiting = [name for name in dict.fromkeys(others) if name != target] or [target]
    return f"{text} It is not complete: {waiting[-1]} will send its part too."


def _sum(trace: Trace) -> Iterator[Step]:
    """The last step: each variable's gradient is the sum over its paths."""
    parts = []
    for i in trace.variables:
        name, count = trace.nodes[i].name, trace.path_counts[i]
        slope = f"d{trace.result.name}/d{name}"
        total = short(trace.nodes[i].gradient)
        if 1 < count <= 4 and not isinstance(trace.nodes[i].gradient, np.ndarray):
            terms = " + ".join(rounded(product(path)) for path in trace.paths(i))
            parts.append(f"{slope} = {terms} = {total}")
        else:
            ways = "one path" if count == 1 else f"{count:,} paths"
            parts.append(f"{slope} = {total} over {ways}")
    words = "; ".join(parts) if len(parts) <= PATHS else f"{len(parts)} derivatives"
    yield Step("sum", "Sum over paths", f"Gradients that meet at a node are added: {words}.")
