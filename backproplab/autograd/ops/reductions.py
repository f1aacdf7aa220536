"""Sums, means and extremes over axes, which are counted from the right.

Convention at ties: the first of equal maxima gets the whole gradient.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into, sums
from backproplab.autograd.ops.elementwise import nan_where, where
from backproplab.autograd.ops.shapes import axes_from_right, broadcast_to, expand_dims
from backproplab.autograd.primitive import Op, apply, primitive, shape_of
from backproplab.autograd.samples import distinct, reals
from backproplab.autograd.tensor import Tensor

Axis = int | tuple[int, ...] | None


def reduction(x: Any, axis: Axis = None, keepdims: bool = False) -> dict[str, Any]:
    return {"axis": axes_from_right(axis, len(shape_of(x))), "keepdims": keepdims}


def spread(g: Any, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    """A reduction's cotangent, broadcast to the shape of its input."""
    shape = x.value.shape
    if not keepdims and len(axis) < len(shape):
        g = apply(expand_dims, g, axis=axis)
    now = g.value.shape
    return g if now == shape else apply(broadcast_to, g, shape=shape, trailing=len(now))


def _count(x: Tensor | Array, axis: tuple[int, ...]) -> int:
    return prod([x.shape[a] for a in axis])


def _first_extreme(x: Array, y: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """A mask, true at the first entry along ``axis`` that equals the extreme ``y``."""
    top = y if keepdims else np.expand_dims(y, axis)
    hit = (x == top) | (np.isnan(x) & np.isnan(top))  # a NaN is the extreme and gets the gradient
    if (np.add.reduce(hit, axis) <= 1).all():  # no ties
        return hit
    front = np.moveaxis(hit, axis, range(-len(axis), 0))
    flat = front.reshape(*front.shape[: front.ndim - len(axis)], _count(x, axis))
    first = (np.cumsum(flat, axis=-1) == 1) & flat
    return np.moveaxis(first.reshape(front.shape), range(-len(axis), 0), axis)


ROWS = [reals((3, 4)), reals((3, 4), axis=-1), reals((2, 3, 4), axis=(-3, -1), keepdims=True)]
RANKED = [
    distinct((3, 4)),
    distinct((3, 4), axis=-1),
    distinct((2, 3, 4), axis=(-3, -1), keepdims=True),
]

sum = primitive(
    "sum",
    np.add.reduce,
    vjp=[lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims)],
    samples=ROWS,
    settings=reduction,
    doc="Σ x over ``axis`` (all axes by default).",
)


def _mean(x: Array, axis: tuple[int, ...], keepdims: bool, out: Array | None = None) -> Array:
    total = np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)  # type: ignore[arg-type]
    return np.divide(total, _count(x, axis), out=out)


mean = primitive(
    "mean",
    _mean,
    lowering=sums.mean,
    vjp=[lambda g, y, x, axis, keepdims: spread(g / _count(x, axis), x, axis, keepdims)],
    samples=ROWS,
    settings=reduction,
    doc="The mean of x over ``axis`` (all axes by default).",
)
first_extreme = primitive(
    "first_extreme",
    into(_first_extreme),
    vjp=[None, None],
    samples=distinct((3, 4), (3, 1), axis=(-1,), keepdims=True),
    doc="Where x first equals the extreme y along ``axis``; a constant to a gradient.",
)


def _extreme(name: str, function: Any) -> Op:
    return primitive(
        name,
        function,
        vjp=[
            lambda g, y, x, axis, keepdims: where(
                first_extreme(x, y, axis=axis, keepdims=keepdims),
                spread(nan_where(g, y), x, axis, keepdims),
                0.0,
            )
        ],
        samples=RANKED,
        settings=reduction,
        doc=f"The {name}imum of x over ``axis``; the first of equals gets the gradient.",
    )


max = _extreme("max", np.maximum.reduce)
min = _extreme("min", np.minimum.reduce)
