"""Medians, quantiles and percentiles: weighted entries of the sorted array."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.table import RULES, NoRuleError, plain, rule, without
from backproplab.autograd.primitive import lift
from backproplab.autograd.tensor import Tensor


def _front(a: Any, axis: Any) -> tuple[Tensor, list[int]]:
    """(the entries over ``axis`` as the first axis, the lengths with these axes kept as 1)."""
    (x,) = lift(a)
    x = x if x.dtype.kind == "f" else ops.cast(x, dtype=np.float64)
    given = tuple(range(x.ndim)) if axis is None else axis
    axes = np.lib.array_utils.normalize_axis_tuple(given, x.ndim)
    rest = [i for i in range(x.ndim) if i not in axes]
    moved = ops.transpose(x, axes=(*axes, *rest))
    kept = [1 if i in axes else n for i, n in enumerate(x.shape)]
    count = prod(x.shape[i] for i in axes)
    return ops.reshape(moved, shape=(count, *[x.shape[i] for i in rest])), kept


def _at(ordered: Tensor, q: Any, method: str) -> Tensor:
    """The quantiles of a sorted array: between the entries at the place that NumPy's own quantile
    has for the numbers 0, 1, 2, …"""
    n = ordered.shape[0]
    place = np.quantile(np.arange(n, dtype=float), q, method=method)  # type: ignore[call-overload]
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, n - 1)
    weight = (place - low).reshape(place.shape + (1,) * (ordered.ndim - 1))
    below, above = (ops.take(ordered, index=(i,)) for i in (low, high))
    between = below + ops.where(ops.equal(above, below), 0.0, above - below) * weight
    exact = np.broadcast_to(weight == 0, between.shape)  # no 0 · ∞
    return ops.cast(ops.where(exact, below, between), dtype=ordered.dtype)


def _quantile(
    a: Any, q: Any, axis: Any, method: str, keepdims: bool, holes: bool = False
) -> Tensor:
    q = np.asarray(q, float)
    if not ((q >= 0) & (q <= 1)).all():
        raise ValueError("quantiles are in [0, 1], percentiles in [0, 100]")
    flat, kept = _front(a, axis)
    if not flat.size:
        raise NoRuleError("a quantile of no entries has no rule")
    if holes:
        y = _without_nan(flat, q, method)
    else:
        ordered = ops.sort(flat, axis=0)
        last = ordered[-1]  # NaN if any entry is
        y = _at(ordered, q, method)
        if np.isnan(last.value).any():
            y = ops.where(ops.isnan(last), ops.nan_where(last, last), y)
    return ops.reshape(y, shape=(*q.shape, *kept)) if keepdims else y


def _without_nan(flat: Tensor, q: Any, method: str) -> Tensor:
    """Each column by itself, of its numbers."""
    columns = ops.reshape(flat, shape=(flat.shape[0], prod(flat.shape[1:])))
    results = []
    for i in range(columns.shape[1]):
        numbers = np.flatnonzero(~np.isnan(columns.value[:, i]))
        ordered = ops.sort(columns[numbers, i], axis=0)
        results.append(_at(ordered, q, method) if len(numbers) else np.full(q.shape, np.nan))
    together = ops.stack(results, axis=-1) if results else np.zeros((*q.shape, 0))
    return ops.reshape(together, shape=(*q.shape, *flat.shape[1:]))


def _rule(name: str, scale: float, holes: bool) -> Any:
    def call(
        a: Any, q: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False,
        method: str = "linear", keepdims: Any = False, *, weights: Any = None,
    ) -> Tensor:  # fmt: skip
        without(name, out=out, weights=weights)
        kept = keepdims is not np._NoValue and bool(keepdims)
        return _quantile(a, np.asarray(plain(q)) / scale, axis, method, kept, holes)

    return call


RULES |= {
    np.quantile: _rule("quantile", 1, False),
    np.percentile: _rule("percentile", 100, False),
    np.nanquantile: _rule("nanquantile", 1, True),
    np.nanpercentile: _rule("nanpercentile", 100, True),
}


@rule(np.median)
def _median(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Tensor:
    without("median", out=out)
    if axis is not None and not isinstance(axis, tuple | list) and not keepdims:
        return ops.median(a, axis=axis)
    flat, kept = _front(a, axis)
    if not flat.size:
        raise NoRuleError("np.median of no entries over several axes has no rule")
    y = ops.median(flat, axis=0)
    return ops.reshape(y, shape=kept) if keepdims else y


@rule(np.nanmedian)
def _nanmedian(
    a: Any, axis: Any = None, out: Any = None, overwrite_input: bool = False, keepdims: Any = False
) -> Tensor:
    without("nanmedian", out=out)
    kept = keepdims is not np._NoValue and bool(keepdims)
    return _quantile(a, 0.5, axis, "linear", kept, True)


@rule(np.average)
def _average(
    a: Any, axis: Any = None, weights: Any = None, returned: bool = False, *, keepdims: Any = False
) -> Any:
    kept = keepdims is not np._NoValue and bool(keepdims)
    (x,) = lift(a)
    if not x.size:
        raise NoRuleError("np.average of no entries has no rule")
    if weights is None:
        y = ops.mean(x, axis=axis, keepdims=kept)
        total: Any = ops.full_like(y, fill_value=x.size / max(y.size, 1))
    else:
        (w,) = lift(weights)
        if w.shape != x.shape:
            w = _spread(w, x, axis)
        total = ops.sum(w, axis=axis, keepdims=kept)
        if not total.value.all():
            raise ZeroDivisionError("Weights sum to zero, can't be normalized")
        y = ops.sum(x * w, axis=axis, keepdims=kept) / total
    return (y, total) if returned else y


def _spread(w: Tensor, x: Tensor, axis: Any) -> Tensor:
    """Weights of the entries along ``axis``, in the shape of x."""
    if axis is None:
        raise TypeError("Axis must be specified when shapes of a and weights differ.")
    axes = np.lib.array_utils.normalize_axis_tuple(axis, x.ndim)
    if w.shape != tuple(x.shape[a] for a in axes):
        raise ValueError("Shape of weights must be consistent with shape of a along axis")
    inside = ops.transpose(w, axes=tuple(int(i) for i in np.argsort(axes)))
    lengths = [n if i in axes else 1 for i, n in enumerate(x.shape)]
    return ops.broadcast_to(ops.reshape(inside, shape=lengths), shape=x.shape)


@rule(np.cov)
def _cov(
    m: Any, y: Any = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: Any = None, aweights: Any = None, *, dtype: Any = None,
) -> Tensor:  # fmt: skip
    without("cov", fweights=fweights, aweights=aweights, dtype=dtype)
    rows = _variables(m, rowvar)
    if not rows.size:
        raise NoRuleError("np.cov of no entries has no rule")
    if y is not None:
        rows = ops.concatenate([rows, _variables(y, rowvar)], axis=0)
    free = rows.shape[1] - ((0 if bias else 1) if ddof is None else ddof)
    if free <= 0:
        raise NoRuleError("np.cov: too few observations for its degrees of freedom")
    centered = rows - ops.mean(rows, axis=1, keepdims=True)
    return ops.squeeze(ops.matmul(centered, ops.transpose(centered)) / free)


def _variables(m: Any, rowvar: bool) -> Tensor:
    (x,) = lift(m)
    if x.ndim > 2:
        raise ValueError("m has more than 2 dimensions")
    if x.ndim < 2:
        return ops.reshape(x, shape=(1, -1))
    return x if rowvar else ops.transpose(x)


@rule(np.corrcoef)
def _corrcoef(x: Any, y: Any = None, rowvar: bool = True, *args: Any, dtype: Any = None) -> Tensor:
    if args:
        raise NoRuleError("np.corrcoef: bias and ddof have no effect and no rule")
    c = _cov(x, y, rowvar, dtype=dtype)
    if not c.ndim:
        return c / c
    d = ops.sqrt(ops.diagonal(c))
    return ops.clip(c / ops.expand_dims(d, axis=1) / ops.expand_dims(d, axis=0), -1, 1)
