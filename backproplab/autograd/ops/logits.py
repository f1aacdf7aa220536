"""Softmax and ln Σ eˣ, shifted by the maximum so that nothing overflows."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import logits, stepwise
from backproplab.autograd.lowering.sums import kept_shape
from backproplab.autograd.ops.reductions import ROWS, Axis, reduction, spread, sum
from backproplab.autograd.ops.shapes import axes_from_right
from backproplab.autograd.primitive import Op, primitive, shape_of
from backproplab.autograd.samples import reals


def kind(x: Array) -> np.dtype[Any]:
    """The type of eˣ."""
    return np.exp(np.empty(0, x.dtype)).dtype


def _empty_logsumexp(x: Array, axis: tuple[int, ...], keepdims: bool) -> Array:
    whole = np.empty(kept_shape(x, axis), kind(x))
    return whole if keepdims else np.squeeze(whole, axis)


def _axis(x: Any, axis: Axis = -1) -> dict[str, Any]:
    return {"axis": axes_from_right(axis, len(shape_of(x)))}


# no warning: ln 0 of a row of -inf is correctly -inf, and a row with inf gives NaN
_logsumexp = np.errstate(divide="ignore")(stepwise(logits.logsumexp, _empty_logsumexp))
_softmax = np.errstate(invalid="ignore")(
    stepwise(logits.softmax, lambda x, axis: np.empty(x.shape, kind(x)))
)


_log_softmax = np.errstate(invalid="ignore", divide="ignore")(
    stepwise(logits.log_softmax, lambda x, axis: np.empty(x.shape, kind(x)))
)

logsumexp = primitive(
    "logsumexp",
    _logsumexp,
    lowering=logits.logsumexp,
    vjp=[lambda g, y, x, axis, keepdims: spread(g, x, axis, keepdims) * softmax(x, axis=axis)],
    samples=ROWS,
    settings=reduction,
    doc="ln Σ eˣ over ``axis``; -inf for a row of -inf, and for no entries.",
)
softmax: Op = primitive(
    "softmax",
    _softmax,
    in_place=True,
    lowering=logits.softmax,
    vjp=[lambda g, y, x, axis: y * (g - sum(g * y, axis=axis, keepdims=True))],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_axis,
    doc="eˣ / Σ eˣ over ``axis``, shifted by the maximum so that nothing overflows.",
)
log_softmax = primitive(
    "log_softmax",
    _log_softmax,
    lowering=logits.log_softmax,
    vjp=[lambda g, y, x, axis: g - softmax(x, axis=axis) * sum(g, axis=axis, keepdims=True)],
    samples=[reals((3, 4)), reals((2, 3, 4), axis=-2)],
    settings=_axis,
    doc="ln softmax(x), without ln 0.",
)
