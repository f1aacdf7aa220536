"""Products, running sums, spreads and norms, made of simpler ops.

A product is a tree of multiplications, and a running product a scan of them. So derivatives of any
order are exact even at zeros, where dividing the product by its factors would give NaN.
"""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np

from backproplab.autograd.ops.elementwise import absolute, equal, multiply, not_equal, where
from backproplab.autograd.ops.exponential import sqrt, square
from backproplab.autograd.ops.indexing import concatenate, flip, part
from backproplab.autograd.ops.reductions import Axis, max, mean, min, sum
from backproplab.autograd.ops.shapes import (
    axes_from_right,
    axis_from_right,
    cast,
    moveaxis,
    ravel,
    reshape,
)
from backproplab.autograd.primitive import Op, composition, lift, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError

cumulative_sum: Op = primitive(
    "cumulative_sum",
    np.add.accumulate,
    vjp=[lambda g, y, x, axis: flip(cumulative_sum(flip(g, axis=axis), axis=axis), axis=axis)],
    samples=[reals((3, 4), axis=-1), reals((3, 4), axis=0)],
    settings=lambda x, axis: {"axis": axis_from_right(axis, len(shape_of(x)))},
    doc="The running sum of x along ``axis``.",
)


def _scanned(x: Any, axis: int | None) -> Any:
    """x with an axis to run along: NumPy takes a number as an array of one entry."""
    return ravel(x) if axis is None or not shape_of(x) else x


@composition
def cumsum(x: Any, *, axis: int | None = None) -> Tensor:
    """The running sum of x along ``axis`` (None: of the raveled x)."""
    return cumulative_sum(_scanned(x, axis), axis=0 if axis is None else axis)


def _factors(x: Any) -> Tensor:
    """x in the type in which NumPy multiplies its entries: whole numbers in 64 bits."""
    (x,) = lift(x)
    if x.dtype.kind == "f":
        return x
    return cast(x, dtype=np.multiply.reduce(np.ones(1, x.dtype)).dtype)


@composition
def cumprod(x: Any, *, axis: int | None = None) -> Tensor:
    """The running product along ``axis`` (None: of the raveled x), by log₂ n multiplications."""
    x = _factors(_scanned(x, axis))
    axis = 0 if axis is None else axis
    at = axis_from_right(axis, x.ndim)
    step = 1
    while step < x.shape[at]:
        start, rest = part(x, at, slice(0, step)), part(x, at, slice(step, None))
        x = concatenate(start, rest * part(x, at, slice(0, -step)), axis=at)
        step *= 2
    return x


@composition
def prod(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Π x over ``axis`` (None: all axes)."""
    x = _factors(x)
    axes = axes_from_right(axis, x.ndim)
    kept = [1 if a in axes else n for a, n in enumerate(x.shape, -x.ndim)]
    front = moveaxis(x, source=axes, destination=tuple(range(len(axes)))) if axes else x
    rest = front.shape[len(axes) :]
    y = reshape(front, shape=(int(np.prod(front.shape[: len(axes)])), *rest))
    if y.shape[0] == 0:
        return Tensor(np.ones(kept if keepdims else rest, x.dtype))
    while (n := y.shape[0]) > 1:
        odd = [y[n - 1 :]] if n % 2 else []
        y = concatenate([multiply(y[: n // 2], y[n // 2 : n - n % 2]), *odd])
    return reshape(y, shape=kept if keepdims else rest)


@composition
def var(x: Any, *, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """Σ (x - x̄)² / (n - ddof) over ``axis``, in two passes."""
    shape = shape_of(x)
    n = int(np.prod([shape[a] for a in axes_from_right(axis, len(shape))]))
    squares = square(x - mean(x, axis=axis, keepdims=True))
    return sum(squares, axis=axis, keepdims=keepdims) / np.maximum(n - ddof, 0).item()


@composition
def std(x: Any, *, axis: Axis = None, ddof: float = 0, keepdims: bool = False) -> Tensor:
    """√var(x); its derivative is 0 if all entries are equal."""
    return _safe_sqrt(var(x, axis=axis, ddof=ddof, keepdims=keepdims))


@composition
def ptp(x: Any, *, axis: Axis = None) -> Tensor:
    """The largest minus the smallest entry over ``axis``."""
    return max(x, axis=axis) - min(x, axis=axis)


@composition
def norm(
    x: Any, *, ord: float | str | None = None, axis: Axis = None, keepdims: bool = False
) -> Tensor:
    """The 2-norm over ``axis``; Σ|x| for ord 1, the largest |x| for ord inf. Derivative 0 at 0."""
    if ord not in (None, 1, 2, inf, "fro"):
        raise GraphError(f"norm: ord must be 1, 2, inf or None, got {ord!r}")
    if ord in (1, 2, inf) and len(axes_from_right(axis, len(shape_of(x)))) > 1:
        raise GraphError(
            f"norm: ord={ord} of a matrix is not its entries' norm; ord=None sums squares"
        )
    if ord == 1:
        return sum(absolute(x), axis=axis, keepdims=keepdims)
    if ord == inf:
        return max(absolute(x), axis=axis, keepdims=keepdims)
    return _safe_sqrt(sum(square(x), axis=axis, keepdims=keepdims))


@composition
def all(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether every entry over ``axis`` is nonzero; a constant to a gradient."""
    return equal(sum(where(x, 0, 1), axis=axis, keepdims=keepdims), 0)


@composition
def any(x: Any, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether any entry over ``axis`` is nonzero; a constant to a gradient."""
    return not_equal(sum(where(x, 1, 0), axis=axis, keepdims=keepdims), 0)


@composition
def count_nonzero(x: Any, *, axis: Axis = None) -> Tensor:
    """The number of nonzero entries over ``axis``; a constant to a gradient."""
    return sum(not_equal(x, 0), axis=axis)


def _safe_sqrt(x: Tensor) -> Tensor:
    """√x, with derivative 0 at 0."""
    at_zero = equal(x, 0)
    return where(at_zero, 0.0, sqrt(where(at_zero, 1.0, x)))
