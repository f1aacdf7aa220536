"""Rules of softmax, ln Σ eˣ, and the losses on labels.

NumPy restarts its inner loop for each row of the last axis, which takes longer than a row of a few
numbers. With few columns, these rules work column by column.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering.calls import Call, in_one_pass
from backproplab.autograd.lowering.sums import Axes, kept_shape
from backproplab.errors import GraphError

FEW = 4  # columns
FEW_OF_MANY = 24  # columns whose maximum is taken one by one if there are many rows:
ROWS = 16  # as many times the columns; a maximum has the same bits in any order


@in_one_pass
def softmax(x: Array, out: Array, axis: Axes) -> list[Call]:
    kept = kept_shape(x, axis)
    top, total = np.empty(kept, x.dtype), np.empty(kept, out.dtype)
    return [
        *_reduce(np.maximum, x, axis, top),
        *_across(np.subtract, x, top, axis, out),
        partial(np.exp, out, out),
        *_reduce(np.add, out, axis, total),
        *_across(np.divide, out, total, axis, out),
    ]


def logsumexp(x: Array, out: Array, axis: Axes, keepdims: bool) -> list[Call]:
    return _logsumexp(x, axis, out if keepdims else np.expand_dims(out, axis))


@in_one_pass
def softmax_cross_entropy(logits: Array, labels: Array, out: Array) -> list[Call]:
    """logits (…, n, classes), labels (…, n) -> (…, n); the logit of a label is taken by its index
    in the flat logits."""
    classes, whole = logits.shape[-1], logits
    total, chosen = np.empty((*out.shape, 1), out.dtype), np.empty(out.shape, logits.dtype)
    top = np.empty(total.shape, logits.dtype)
    calls: list[Call] = [partial(check_range, labels, classes)]
    if logits.shape[:-1] != out.shape or not logits.flags.c_contiguous:
        whole = np.empty((*out.shape, classes), logits.dtype)
        calls.append(partial(np.copyto, whole, logits))
    rows = np.arange(out.size).reshape(out.shape) * classes
    at = np.empty_like(rows)
    return [
        *calls,
        *_log_of_sum(whole, (-1,), top, np.empty(whole.shape, out.dtype), total),
        partial(np.add, rows, labels, at, dtype=at.dtype),
        partial(whole.reshape(-1).take, at, None, chosen, "wrap"),
        partial(np.subtract, top[..., 0], chosen, chosen),  # first: their sum is small
        partial(np.add, total[..., 0], chosen, out),
    ]


@in_one_pass
def one_hot(labels: Array, out: Array, classes: int, dtype: Any) -> list[Call]:
    hit, each = np.empty(out.shape, bool), np.broadcast_to(np.arange(classes), out.shape)
    return [
        *_across(np.equal, each, labels[..., None], (-1,), hit),
        partial(check_each, labels, hit),
        partial(np.copyto, out, hit),
    ]


def _few(x: Array, axis: Axes) -> bool:
    return axis == (-1,) and 2 <= x.shape[-1] <= FEW


def _few_of_many(x: Array, axis: Axes) -> bool:
    columns = x.shape[-1]
    return axis == (-1,) and 2 <= columns <= FEW_OF_MANY and x.size >= ROWS * columns**2


def _reduce(ufunc: np.ufunc, x: Array, axis: Axes, out: Array) -> list[Call]:
    """out ← the ufunc reduced over the axes of x, which keep length 1; 0 if they are empty."""
    if not x.size:
        return [partial(out.fill, 0)]
    if not (_few(x, axis) or (ufunc is np.maximum and _few_of_many(x, axis))):
        return [partial(ufunc.reduce, x, axis=axis, out=out, keepdims=True)]
    first, second, *others = [x[..., i : i + 1] for i in range(x.shape[-1])]
    return [
        partial(ufunc, first, second, out=out),
        *[partial(ufunc, out, part, out=out) for part in others],
    ]


def _across(ufunc: np.ufunc, x: Array, reduced: Array, axis: Axes, out: Array) -> list[Call]:
    """out ← the ufunc of x and of an array that was reduced over the axes."""
    if not _few(x, axis):
        return [partial(ufunc, x, reduced, out)]
    column = reduced[..., 0]
    return [partial(ufunc, x[..., i], column, out[..., i]) for i in range(x.shape[-1])]


def _logsumexp(x: Array, axis: Axes, out: Array) -> list[Call]:
    """out ← ln Σ eˣ over the axes, which keep length 1."""
    top = np.empty(out.shape, x.dtype)
    calls = _log_of_sum(x, axis, top, np.empty(x.shape, out.dtype), out)
    return [*calls, partial(np.add, out, top, out)]


def log_softmax(x: Array, out: Array, axis: Axes) -> list[Call]:
    kept = kept_shape(x, axis)
    top, total = np.empty(kept, x.dtype), np.empty(kept, out.dtype)
    return [
        *_log_of_sum(x, axis, top, out, total),
        *_across(np.subtract, x, top, axis, out),  # first: their sum is small
        *_across(np.subtract, out, total, axis, out),
    ]


def _log_of_sum(x: Array, axis: Axes, top: Array, e: Array, out: Array) -> list[Call]:
    """top ← the maximum m over the axes, which keep length 1 (0 if infinite), e ← exp(x - m),
    out ← ln Σ e."""
    infinite, zero = np.empty(out.shape, bool), np.zeros((), x.dtype)
    return [
        *_reduce(np.maximum, x, axis, top),
        partial(np.isinf, top, infinite),
        partial(np.copyto, top, zero, where=infinite),  # exp(inf) or exp(-inf), not exp(nan)
        *_across(np.subtract, x, top, axis, e),
        partial(np.exp, e, e),
        *_reduce(np.add, e, axis, out),
        partial(np.log, out, out),
    ]


def check_each(labels: Array, hit: Array) -> None:
    """Each label is one of the classes: cheaper than the smallest and the largest label."""
    if np.count_nonzero(hit) != labels.size:
        raise _outside(labels, hit.shape[-1])


def check_range(labels: Array, classes: int) -> None:
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise _outside(labels, classes)


def _outside(labels: Array, classes: int) -> GraphError:
    return GraphError(f"labels from {labels.min()} to {labels.max()}, with {classes} classes")
