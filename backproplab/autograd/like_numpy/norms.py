"""NumPy's norms of vectors and matrices, of every order, and the condition number."""

from __future__ import annotations

from math import inf
from typing import Any

import numpy as np
import numpy.linalg as la

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.table import rule
from backproplab.autograd.ops.indexing import part
from backproplab.autograd.primitive import lift
from backproplab.autograd.tensor import Tensor


@rule(la.norm)
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    x = _floats(x)
    if axis is None and ord is None:
        return ops.norm(x, keepdims=keepdims)
    axes = tuple(range(x.ndim)) if axis is None else axis
    axes = axes if isinstance(axes, tuple) else (axes,)
    if len(axes) == 1:
        return _vector_norm(x, ord, axes, keepdims)
    if len(axes) != 2:
        raise ValueError("Improper number of dimensions to norm.")
    return _matrix_norm(x, ord, axes, keepdims)


def _floats(x: Any) -> Tensor:
    (x,) = lift(x)
    return x if x.dtype.kind == "f" else ops.cast(x, dtype=np.float64)


def _vector_norm(x: Tensor, ord: Any, axes: Any, keepdims: bool) -> Tensor:
    size = ops.absolute(x)
    if ord is None or ord == 2:
        return ops.norm(x, axis=axes, keepdims=keepdims)
    if isinstance(ord, str):
        raise ValueError(f"Invalid norm order '{ord}' for vectors")
    if ord == 0:
        return ops.cast(ops.sum(ops.not_equal(x, 0), axis=axes, keepdims=keepdims), dtype=x.dtype)
    if ord in (inf, -inf):
        return _extreme(size, ord, axes, keepdims)
    if ord == 1:
        return ops.sum(size, axis=axes, keepdims=keepdims)
    total = ops.sum(ops.power(size, float(ord)), axis=axes, keepdims=keepdims)
    none = ops.equal(total, 0)  # derivative 0 at 0
    root = ops.power(ops.where(none, 1.0, total), 1.0 / ord)
    return ops.where(none, 0.0 if ord > 0 else inf, root)


def _extreme(sizes: Tensor, ord: Any, axes: Any, keepdims: bool) -> Tensor:
    """The largest for ord > 0, of which that of no numbers is 0; else the smallest."""
    of = ops.min if ord < 0 else ops.max if sizes.size else ops.sum
    return of(sizes, axis=axes, keepdims=keepdims)


def _matrix_norm(x: Tensor, ord: Any, axes: Any, keepdims: bool) -> Tensor:
    if ord in (None, "fro", "f"):
        return ops.norm(x, axis=axes, keepdims=keepdims)
    rows, columns = (a % x.ndim for a in axes)
    if rows == columns:
        raise ValueError("Duplicate axes given.")
    if ord in (1, -1, inf, -inf):
        summed, kept = (rows, columns) if abs(ord) == 1 else (columns, rows)
        sums = ops.sum(ops.absolute(x), axis=summed, keepdims=True)
        y = _extreme(sums, ord, kept, keepdims=True)
    elif ord in (2, -2, "nuc"):
        s = ops.svd(ops.moveaxis(x, source=(rows, columns), destination=(-2, -1)))[1]
        y = ops.sum(s, axis=-1) if ord == "nuc" else part(s, -1, 0 if ord == 2 else -1)
        y = ops.expand_dims(y, axis=(rows, columns))
    else:
        raise ValueError(f"Invalid norm order {ord!r} for matrices")
    return y if keepdims else ops.squeeze(y, axis=(rows, columns))


@rule(la.vector_norm)
def _la_vector_norm(x: Any, /, *, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Tensor:
    x = _floats(x)
    axes = tuple(range(x.ndim)) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    if ord == 2 or ord is None:
        return ops.norm(x, axis=axes, keepdims=keepdims)
    return _vector_norm(x, ord, axes, keepdims)


@rule(la.matrix_norm)
def _la_matrix_norm(x: Any, /, *, keepdims: bool = False, ord: Any = "fro") -> Tensor:
    return _norm(x, ord, (-2, -1), keepdims)


@rule(la.cond)
def _cond(x: Any, p: Any = None) -> Tensor:
    if p in (None, 2, -2):
        s = ops.svd(x)[1]
        top, bottom = part(s, -1, 0), part(s, -1, -1)
        return bottom / top if p == -2 else top / bottom
    inverse = _norm(ops.inv(x), p, (-2, -1))
    return _norm(x, p, (-2, -1)) * inverse
