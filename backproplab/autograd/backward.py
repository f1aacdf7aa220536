"""The reverse sweep: from a cotangent of the root to the gradients of the targets.

The sweep is iterative, so depth needs no stack. Every node is visited once, after all nodes that
use it (reverse topological order), and its cotangent is the *sum* over its uses: one path at a time
would take 2ⁿ visits, and assigning instead of adding would lose all paths except one.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter

from backproplab.autograd.ops.shapes import cast, leaf, summed_like
from backproplab.autograd.ops.storage import zeros_like
from backproplab.autograd.tensor import Node, Tensor

_number = attrgetter("node.number")


def backward(root: Tensor, seed: Tensor, targets: Sequence[Tensor]) -> list[Tensor]:
    """The gradients Σ seed ∂root/∂target, one per target; zeros if root does not depend on it.

    The gradients have a graph of their own only if an outer transform can differentiate them: if
    the seed, a target, or a leaf that is not a target is tracked from outside.
    """
    return swept(root, seed, targets)[0]


def swept(root: Tensor, seed: Tensor, targets: Sequence[Tensor]) -> tuple[list[Tensor], bool]:
    """(the gradients of ``backward``, whether a leaf other than the targets is below the root)."""
    order, onward, foreign = _towards(root, targets)
    beyond = foreign or any(t.node is not None for t in targets)
    if beyond or seed.tracked:
        cotangents = _swept(root, seed, order, onward, targets)
    else:
        cotangents = _without_graph(root, seed, order, onward, targets)
    found = [cotangents.get(id(t)) for t in targets]
    return [
        zeros_like(Tensor(t.value)) if g is None else g for g, t in zip(found, targets, strict=True)
    ], beyond


def _without_graph(
    root: Tensor, seed: Tensor, order: list[Tensor], onward: set[int], targets: Sequence[Tensor]
) -> dict[int, Tensor]:
    """The cotangents as plain values: while they are computed, no tensor here is tracked."""
    paused = [t for t in (*order, *targets) if t.tracked]
    try:
        for t in paused:
            t.tracked = False
        cotangents = _swept(root, seed, order, onward, targets)
    finally:
        for t in paused:
            t.tracked = True
    for t in targets:  # a rule may return an input as it is
        g = cotangents.get(id(t))
        if g is not None and g.tracked:
            cotangents[id(t)] = Tensor(g.value)
    return cotangents


def _swept(
    root: Tensor, seed: Tensor, order: list[Tensor], onward: set[int], targets: Sequence[Tensor]
) -> dict[int, Tensor]:
    """The cotangent of each target that has one, by its id."""
    cotangents = {id(root): seed} if id(root) in onward else {}
    aims = {id(t) for t in targets}
    for tensor in reversed(order):
        at = id(tensor)
        g = cotangents.get(at) if at in aims else cotangents.pop(at, None)  # frees its memory
        if g is None:
            continue
        node: Node = tensor.node  # type: ignore[assignment]  # those in the order have one
        op, inputs, settings = node.op, node.inputs, node.settings
        for position, x in enumerate(inputs):
            key = id(x)
            if key in onward and (rule := op.rule(position)) is not None:
                part = rule(g, tensor, *inputs, **settings)
                value, wanted = part.value, x.value
                if value.shape != wanted.shape or value.dtype is not wanted.dtype:
                    part = _fit(part, x)
                sofar = cotangents.get(key)
                cotangents[key] = part if sofar is None else sofar + part
    return cotangents


def reaches_beyond(root: Tensor, leaves: Sequence[Tensor]) -> bool:
    """True if a tracked leaf other than ``leaves`` is below ``root``."""
    if not root.tracked:
        return False
    _, _, foreign = _towards(root, leaves)
    return foreign or any(x.node is not None for x in leaves)


def _towards(root: Tensor, targets: Sequence[Tensor]) -> tuple[list[Tensor], set[int], bool]:
    """(tensors with a node between root and targets, inputs first; the ids of those and of the
    targets; whether another leaf is tracked)."""
    aims = {id(t) for t in targets}
    below: list[Tensor] = []
    seen = {id(root)}
    foreign = False
    stack = [root]
    while stack:
        tensor = stack.pop()
        node = tensor.node
        if node is None:
            foreign = foreign or (tensor.tracked and id(tensor) not in aims)
        elif node.op is not leaf or id(tensor) not in aims:  # where a transform's graph ends
            below.append(tensor)
            for x in node.inputs:
                if x.tracked and id(x) not in seen:
                    seen.add(id(x))
                    stack.append(x)
    below.sort(key=_number)
    if not foreign:
        return below, seen, False
    onward = aims & seen
    order = []
    for tensor in below:
        for x in tensor.node.inputs:  # type: ignore[union-attr]  # those below have one
            if id(x) in onward:
                onward.add(id(tensor))
                order.append(tensor)
                break
    return order, onward, foreign


def _fit(contribution: Tensor, x: Tensor) -> Tensor:
    """The contribution in the shape and type of x: undoes broadcasting and type promotion."""
    contribution, wanted = summed_like(contribution, x), x.value.dtype
    return contribution if contribution.value.dtype == wanted else cast(contribution, dtype=wanted)
