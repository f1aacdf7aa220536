"""Softmax and ln Σ eˣ, shifted by the maximum so that nothing overflows.

NumPy begins anew for each row of the last axis, which costs more than a row of a few numbers: over
few columns the work is done column by column.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backproplab.autograd.ops.reductions import ROWS, Axis, reduction, spread, sum
from backproplab.autograd.ops.shapes import axes_from_right
from backproplab.autograd.primitive import Array, Call, Op, primitive, shape_of, stepwise
from backproplab.autograd.samples import reals

FEW = 4  # columns


def _few(x: Array, axis: tuple[int, ...]) -> bool:
    return axis == (-1,) and 2 <= x.shape[-1] <= FEW


def fold_calls(ufunc: np.ufunc, x: Array, axis: tuple[int, ...], out: Array) -> list[Call]:
    """out ← the ufunc over the axes of x, which stay."""
    if not _few(x, axis):
        return [partial(ufunc.reduce, x, axis=axis, out=out, keepdims=True)]
    first, second, *others = [x[..., i : i + 1] for i in range(x.shape[-1])]
    return [
        partial(ufunc, first, second, out=out),
        *[partial(ufunc, out, part, out=out) for part in others],
    ]


def across_calls(
    ufunc: np.ufunc, x: Array, folded: Array, axis: tuple[int, ...], out: Array
) -> list[Call]:
    """out ← the ufunc of x and of what has been folded over the axes."""
    if not _few(x, axis):
        return [partial(ufunc, x, folded, out)]
    column = folded[..., 0]
    return [partial(ufunc, x[..., i], column, out[..., i]) for i in range(x.shape[-1])]


def logsumexp_calls(x: Array, axis: tuple[int, ...], out: Array) -> list[Call]:
    """out ← ln Σ eˣ over the axes, which stay."""
    top, infinite = np.empty(out.shape, x.dtype), np.empty(out.shape, bool)
    e = np.empty(x.shape, out.dtype)
    return [
        *fold_calls(np.maximum, x, axis, top),
        partial(np.isinf, top, infinite),
        partial(
            np.copyto, top, np.zeros((), x.dtype), where=infinite
        ),  # exp(inf) or exp(-inf), not exp(nan)
        *across_calls(np.subtract, x, top, axis, e),
        partial(np.exp, e, e),
        *fold_calls(np.add, e, axis, out),
        partial(np.log, out, out),
        partial(np.add, out, top, out),
    ]


def kind(x: Array) -> np.dtype[Any]:
    """The type of eˣ."""
    return np.exp(np.empty(0, x.dtype)).dtype


def _kept(x: Array, axis: tuple[int, ...]) -> tuple[int, ...]:
    """The shape once the axes are folded to one entry each."""
    return tuple(1 if a - x.ndim in axis else n for a, n in enumerate(x.shape))


def _prepare_logsumexp(x: Array, out: Array, axis: tuple[int, ...], keepdims: bool) -> list[Call]:
    return logsumexp_calls(x, axis, out if keepdims else np.expand_dims(out, axis))


def _empty_logsumexp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    whole = np.empty(_kept(x, axis), kind(x))
    return whole if keepdims else np.squeeze(whole, axis)


def _prepare_softmax(x: Array, out: Array, axis: tuple[int, ...]) -> list[Call]:
    top, total = np.empty(_kept(x, axis), x.dtype), np.empty(_kept(x, axis), out.dtype)
    return [
        *fold_calls(np.maximum, x, axis, top),
        *across_calls(np.subtract, x, top, axis, out),
        partial(np.exp, out, out),
        *fold_calls(np.add, out, axis, total),
        *across_calls(np.divide, out, total, axis, out),
    ]


def _empty_softmax(x: Array, axis: tuple[int, ...]) -> Array:
    return np.empty(x.shape, kind(x))


def _log_softmax(x: Array, axis: tuple[int, ...], out: Array | None = None) -> Array:
    return np.subtract(x, _logsumexp(x, axis=axis, keepdims=True), out=out)


def _axis(x: Any, axis: Axis = -1) -> dict[str, Any]:
    return {"axis": axes_from_right(axis, len(shape_of(x)))}


@np.errstate(divide="ignore")  # ln 0 of an all -inf row is the right -inf
def _logsumexp(x: Array, out: Array | None = None, **settings: Any) -> Array:
    return stepwise(_prepare_logsumexp, _empty_logsumexp)(x, out=out, **settings)


@np.errstate(invalid="ignore")  # of an infinite row the right NaN
def _softmax(x: Array, out: Array | None = None, **settings: Any) -> Array:
    return stepwise(_prepare_softmax, _empty_softmax)(x, out=out, **settings)


logsumexp = primitive(
    "logsumexp",
    _logsumexp,
    prepare=_prepare_logsumexp,
    vjp=[
        lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims) * softmax(x, axis=axis),
    ],
    samples=ROWS,
    settings=reduction,
    doc="ln Σ eˣ over ``axis``; of a row of -inf it is -inf.",
)
softmax: Op = primitive(
    "softmax",
    _softmax,
    in_place=True,
    prepare=_prepare_softmax,
    vjp=[lambda g, y, x, axis: y * (g - sum(g * y, axis=axis, keepdims=True))],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_axis,
    doc="eˣ / Σ eˣ over ``axis``, shifted by the maximum so that nothing overflows.",
)
log_softmax = primitive(
    "log_softmax",
    _log_softmax,
    vjp=[lambda g, y, x, axis: g - softmax(x, axis=axis) * sum(g, axis=axis, keepdims=True)],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_axis,
    doc="ln softmax(x), without ln 0.",
)
