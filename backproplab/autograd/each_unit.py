"""A result for each unit vector of a tensor that it is linear in: its graph, computed once for all.

The vectors lie along a leading axis, which every op of the registry takes. Where a graph has an op
of the user's, or two inputs whose leading axes would meet, there is no such result.
"""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.graph import inputs_of, nodes
from backproplab.autograd.primitive import OPS
from backproplab.autograd.tensor import Tensor

ENTRIES = 2**18  # of the largest array: vectors beyond that are computed in several blocks
# Ops whose inputs differ in their number of axes; the inputs of others are aligned at the right.
OWN_AXES = ("softmax_cross_entropy", "scatter", "first_extreme", "einsum", "matrix_vector",
            "add_rows")  # fmt: skip


def for_each_unit(result: Tensor, seed: Tensor) -> Array | None:
    """The ``result`` for each unit vector in the place of ``seed``, of shape ``(seed.size,
    *result.shape)``; None where the graph cannot be computed for several at once."""
    moving, steps = {id(seed)}, []
    for tensor in nodes(result):
        if any(id(x) in moving for x in inputs_of(tensor)):
            moving.add(id(tensor))
            steps.append(tensor)
    if id(result) not in moving or not all(map(_takes_an_axis, steps)):
        return None
    units = np.eye(seed.size, dtype=seed.dtype).reshape(seed.size, *seed.shape)
    block = max(1, ENTRIES // max(t.size for t in [seed, *steps]))
    return np.concatenate([
        _computed(steps, seed, units[start : start + block]) for start in range(0, seed.size, block)
    ])  # fmt: skip


def is_known(root: Tensor) -> bool:
    """Whether every op of its graph is of the registry, and none has an effect."""
    made = [t.node.op for t in nodes(root) if t.node is not None]
    return all(OPS.get(op.name) is op and not op.effect for op in made)


def _takes_an_axis(tensor: Tensor) -> bool:
    node = tensor.node
    assert node is not None
    shapes = [x.shape for x in node.inputs]
    if node.op.name == "matrix_vector":
        return len(shapes[0]) == len(shapes[1]) + 1
    if node.op.name == "einsum":
        terms = node.settings["subscripts"].partition("->")[0].replace("...", "").split(",")
        return [len(term) for term in terms] == [len(shape) for shape in shapes]
    if node.op.name in ("take", "scatter"):  # two index arrays apart put their axes in front
        items = [i for i in node.settings["index"] if isinstance(i, int | np.integer | np.ndarray)]
        return len(items) < 2 or not any(isinstance(i, np.ndarray) for i in items)
    return node.op.name not in OWN_AXES or len(set(map(len, shapes))) == 1


def _computed(steps: list[Tensor], seed: Tensor, units: Array) -> Array:
    """The last step's value for each of the units."""
    if not steps:
        return units  # the result is the seed itself
    values = {id(seed): units}
    uses = {id(x): t for t in steps for x in inputs_of(t)}  # the last step that needs x
    for tensor in steps:
        node = tensor.node
        assert node is not None
        axes = 0 if node.op.name in OWN_AXES else max(x.ndim for x in node.inputs)
        arrays = [_led(values.get(id(x)), x.value, axes, len(units)) for x in node.inputs]
        values[id(tensor)] = np.asarray(node.op.forward(*arrays, **node.settings))
        for x in node.inputs:
            if uses[id(x)] is tensor:
                values.pop(id(x), None)
    return values[id(steps[-1])]


def _led(found: Array | None, constant: Array, axes: int, count: int) -> Array:
    """An input with the leading axis, and with room behind it for at least ``axes`` others."""
    room = (1,) * (axes - constant.ndim)
    if found is None:
        return np.broadcast_to(
            constant.reshape(room + constant.shape), (count, *room, *constant.shape)
        )
    return found.reshape(count, *room, *constant.shape)
