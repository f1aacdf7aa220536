"""The reverse sweep: from a cotangent of the root to the gradients of the targets.

The sweep is iterative, so depth needs no stack. Every node is visited once, after all nodes that
use it (reverse topological order), and its cotangent is the *sum* over its uses: one path at a time
would take 2ⁿ visits, and assigning instead of adding would lose all paths except one.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.autograd.ops.shapes import cast, leaf, sum_to
from backproplab.autograd.ops.storage import zeros_like
from backproplab.autograd.tensor import Node, Tensor


def backward(root: Tensor, seed: Tensor, targets: Sequence[Tensor]) -> list[Tensor]:
    """The gradients Σ seed ∂root/∂target, one per target; zeros if root does not depend on it.

    The gradients have a graph of their own only if an outer transform can differentiate them: if
    the seed, a target, or a leaf that is not a target is tracked from outside.
    """
    order, onward, foreign = _towards(root, targets)
    keep = foreign or seed.tracked or any(t.node is not None for t in targets)
    cotangents = {id(root): seed} if id(root) in onward else {}
    for tensor in reversed(order):
        node, g = tensor.node, cotangents.get(id(tensor))
        if node is None or g is None:
            continue
        for x, contribution in _contributions(node, tensor, g, onward, keep):
            sofar = cotangents.get(id(x))
            cotangents[id(x)] = contribution if sofar is None else sofar + contribution
    found = [cotangents.get(id(t)) for t in targets]
    return [
        zeros_like(Tensor(t.value)) if g is None else g for g, t in zip(found, targets, strict=True)
    ]


def reaches_beyond(root: Tensor, leaves: Sequence[Tensor]) -> bool:
    """True if a tracked leaf other than ``leaves`` is below ``root``."""
    if not root.tracked:
        return False
    _, _, foreign = _towards(root, leaves)
    return foreign or any(x.node is not None for x in leaves)


def _towards(root: Tensor, targets: Sequence[Tensor]) -> tuple[list[Tensor], set[int], bool]:
    """(tensors between root and targets, inputs first; their ids; whether another leaf is
    tracked)."""
    aims = {id(t) for t in targets}
    order: list[Tensor] = []
    onward: set[int] = set()
    seen: set[int] = set()
    foreign = False
    stack = [(root, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        key = id(tensor)
        below = _inputs(tensor, key in aims)
        if inputs_done:
            if key in aims or any(id(x) in onward for x in below):
                onward.add(key)
                order.append(tensor)
        elif key not in seen:
            seen.add(key)
            foreign = foreign or (tensor.node is None and tensor.tracked and key not in aims)
            stack.append((tensor, True))
            stack.extend((x, False) for x in below if id(x) not in seen)
    return order, onward, foreign


def _inputs(tensor: Tensor, is_target: bool) -> Sequence[Tensor]:
    """The tracked inputs; none for a transform's own leaf, where its graph ends."""
    node = tensor.node
    if node is None or (is_target and node.op is leaf):
        return ()
    return [x for x in node.inputs if x.tracked]


def _contributions(
    node: Node, result: Tensor, g: Tensor, onward: set[int], keep: bool
) -> list[tuple[Tensor, Tensor]]:
    """(input, its part of the cotangent) for each input that depends on a target."""
    inputs = node.inputs if keep else tuple(Tensor(x.value) for x in node.inputs)
    y = result if keep else Tensor(result.value)
    parts = []
    for position, x in enumerate(node.inputs):
        rule = node.op.rule(position) if id(x) in onward else None
        if rule is not None:
            parts.append((x, _fit(rule(g, y, *inputs, **node.settings), x)))
    return parts


def _fit(contribution: Tensor, x: Tensor) -> Tensor:
    """The contribution in the shape and type of x: undoes broadcasting and type promotion."""
    if contribution.shape != x.shape:
        contribution = sum_to(contribution, shape=x.shape)
    if contribution.dtype != x.dtype:
        contribution = cast(contribution, dtype=x.dtype)
    return contribution
