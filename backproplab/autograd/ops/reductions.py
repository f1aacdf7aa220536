"""Sums, means, extremes and the stable log-sum-exp over axes that are counted from the right.

Convention at ties: the first of equal maxima gets the whole gradient.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backproplab.autograd.ops.elementwise import where
from backproplab.autograd.ops.shapes import axes_from_right, broadcast_to, expand_dims
from backproplab.autograd.primitive import Array, Call, Op, into, primitive, shape_of
from backproplab.autograd.samples import distinct, reals
from backproplab.autograd.tensor import Tensor

FEW = 4  # columns
Axis = int | tuple[int, ...] | None


def _reduction(x: Any, axis: Axis = None, keepdims: bool = False) -> dict[str, Any]:
    return {"axis": axes_from_right(axis, len(shape_of(x))), "keepdims": keepdims}


def _softmax_axis(x: Any, axis: Axis = -1) -> dict[str, Any]:
    return {"axis": axes_from_right(axis, len(shape_of(x)))}


def spread(g: Any, x: Tensor, axis: tuple[int, ...], keepdims: bool) -> Tensor:
    """A reduction's cotangent, back in the shape of its input."""
    return broadcast_to(g if keepdims else expand_dims(g, axis=axis), shape=x.shape)


def _count(x: Tensor | Array, axis: tuple[int, ...]) -> int:
    return int(np.prod([x.shape[a] for a in axis]))


def _first_extreme(x: Array, y: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    """A mask, true at the first entry along ``axis`` that equals the extreme ``y``."""
    top = y if keepdims else np.expand_dims(y, axis)
    hit = (x == top) | (np.isnan(x) & np.isnan(top))  # a NaN wins, and its gradient tells
    front = np.moveaxis(hit, axis, range(-len(axis), 0))
    flat = front.reshape(*front.shape[: front.ndim - len(axis)], -1)
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
    settings=_reduction,
    doc="Σ x over ``axis`` (all axes by default).",
)


def _mean(x: Array, axis: tuple[int, ...], keepdims: bool, out: Array | None = None) -> Array:
    total = np.add.reduce(x, axis=axis, keepdims=keepdims, out=out)  # type: ignore[arg-type]
    return np.divide(total, _count(x, axis), out=out)


def _prepare_mean(x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> list[Any]:
    total = partial(np.add.reduce, x, axis=axis, keepdims=keepdims, out=out)
    return [total, partial(np.divide, out, _count(x, axis), out)]


mean = primitive(
    "mean",
    _mean,
    prepare=_prepare_mean,
    vjp=[lambda g, y, x, axis, keepdims: spread(g / _count(x, axis), x, axis, keepdims)],
    samples=ROWS,
    settings=_reduction,
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
                spread(g, x, axis, keepdims),
                0.0,
            )
        ],
        samples=RANKED,
        settings=_reduction,
        doc=f"The {name}imum of x over ``axis``; the first of equals gets the gradient.",
    )


max = _extreme("max", np.maximum.reduce)
min = _extreme("min", np.minimum.reduce)


def fold_calls(ufunc: np.ufunc, x: Array, axis: tuple[int, ...], out: Array) -> list[Call]:
    """out ← the ufunc over the axes, which stay; over a few columns column by column.

    NumPy's own reduction begins anew for each row, which costs more than a row of a few numbers.
    """
    columns = x.shape[-1] if x.ndim else 0
    if axis != (-1,) or not 2 <= columns <= FEW:
        return [partial(ufunc.reduce, x, axis=axis, out=out, keepdims=True)]
    parts = [x[..., i : i + 1] for i in range(columns)]
    first = partial(ufunc, parts[0], parts[1], out=out)
    return [first, *[partial(ufunc, out, part, out=out) for part in parts[2:]]]


def folded(ufunc: np.ufunc, x: Array, axis: tuple[int, ...]) -> Array:
    """The ufunc over the axes, which stay: computed as by ``fold_calls``."""
    if axis != (-1,) or x.ndim == 0 or not 2 <= x.shape[-1] <= FEW:
        whole: Array = ufunc.reduce(x, axis=axis, keepdims=True)
        return whole
    out = np.empty_like(x[..., :1])
    for call in fold_calls(ufunc, x, axis, out):
        call()
    return out


def _softmax(x: Array, axis: tuple[int, ...], out: Array | None = None) -> Array:
    top = folded(np.maximum, x, axis)
    with np.errstate(invalid="ignore"):  # of an infinite row the right NaN
        e = np.exp(np.subtract(x, top, out=out), out=out)  # of whole numbers too
        return np.divide(e, folded(np.add, e, axis), out=e)


def _prepare_softmax(x: Array, out: Array, axis: tuple[int, ...]) -> list[Call]:
    top = np.empty_like(np.maximum.reduce(x, axis=axis, keepdims=True))
    total = top.astype(out.dtype)
    return [
        *fold_calls(np.maximum, x, axis, top),
        partial(np.subtract, x, top, out),
        partial(np.exp, out, out),
        *fold_calls(np.add, out, axis, total),
        partial(np.divide, out, total, out),
    ]


def logsumexp_array(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    top = folded(np.maximum, x, axis)
    shift = np.where(np.isinf(top), 0, top)  # infinite: exp(inf) or exp(-inf), not exp(nan)
    total = folded(np.add, np.exp(x - shift), axis)
    with np.errstate(divide="ignore"):  # ln 0 of an all -inf row is the right -inf
        y = np.log(total) + shift
    return y if keepdims else np.squeeze(y, axis)


def _log_softmax(x: Array, axis: tuple[int, ...], out: Array | None = None) -> Array:
    return np.subtract(x, logsumexp_array(x, axis, keepdims=True), out=out)


softmax: Op = primitive(
    "softmax",
    _softmax,
    in_place=True,
    prepare=_prepare_softmax,
    vjp=[lambda g, y, x, axis: y * (g - sum(g * y, axis=axis, keepdims=True))],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_softmax_axis,
    doc="eˣ / Σ eˣ over ``axis``, shifted by the maximum so that nothing overflows.",
)
log_softmax = primitive(
    "log_softmax",
    _log_softmax,
    vjp=[lambda g, y, x, axis: g - softmax(x, axis=axis) * sum(g, axis=axis, keepdims=True)],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_softmax_axis,
    doc="ln softmax(x), without ln 0.",
)
logsumexp = primitive(
    "logsumexp",
    into(logsumexp_array),
    vjp=[
        lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims) * softmax(x, axis=axis),
    ],
    samples=ROWS,
    settings=_reduction,
    doc="ln Σ eˣ over ``axis``; of a row of -inf it is -inf.",
)
