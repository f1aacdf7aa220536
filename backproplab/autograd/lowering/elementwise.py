"""Rules of ops that work entry by entry."""

from __future__ import annotations

from functools import partial
from math import gcd
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering.calls import Call, in_one_pass

SHORT, MANY = 64, 512  # entries of a row, number of rows


def add(a: Array, b: Array, out: Array) -> list[Call]:
    """NumPy restarts its inner loop for each row: if b is a bias and rows are short, several rows
    are added at a time to a row with several copies of the bias."""
    count = _rows_at_once(a, b, out)
    if count == 1:
        return [partial(np.add, a, b, out)]
    *lead, rows, columns = out.shape
    long = *lead, rows // count, count * columns
    bias = np.empty((*b.shape[:-2], count, columns), b.dtype)
    row = bias.reshape(*b.shape[:-2], 1, -1)
    return [partial(np.copyto, bias, b), partial(np.add, a.reshape(long), row, out.reshape(long))]


def _rows_at_once(a: Array, b: Array, out: Array) -> int:
    """The number of rows of a to add b to at a time: 1 unless b is a bias of many short rows."""
    columns = out.shape[-1:]
    if out.ndim < 2 or a.shape != out.shape or b.shape[-2:] not in (columns, (1, *columns)):
        return 1
    plain = a.dtype == b.dtype and a.flags.c_contiguous and out.flags.c_contiguous
    if not (plain and 1 < b.shape[-1] <= SHORT and out.size >= MANY * b.shape[-1]):
        return 1
    count = gcd(out.shape[-2], 16)  # a power of two
    while count > 1 and 4 * count * b.size > out.size:
        count //= 2
    return count


def where(condition: Array, a: Array, b: Array, out: Array) -> list[Call]:
    mask = condition if condition.dtype == bool else np.empty(condition.shape, bool)
    look = [] if mask is condition else [partial(np.not_equal, condition, 0, mask)]
    return [*look, partial(np.copyto, out, b), partial(np.copyto, out, a, where=mask)]


def nan_where(g: Array, y: Array, out: Array) -> list[Call]:
    mask, nan = np.empty(y.shape, bool), np.full((), np.nan, out.dtype)
    look = partial(np.isnan, y, mask)
    return [look, partial(np.copyto, out, g), partial(np.copyto, out, nan, where=mask)]


def sigmoid(x: Array, out: Array) -> list[Call]:
    steps = partial(np.negative, x, out), partial(np.exp, out, out)
    return [*steps, partial(np.add, out, 1, out), partial(np.reciprocal, out, out)]


@in_one_pass
def relu(x: Array, out: Array) -> list[Call]:
    return [partial(np.maximum, x, np.zeros((), x.dtype), out=out)]


@in_one_pass
def relu_gradient(y: Array, g: Array, out: Array) -> list[Call]:
    """g times 0, 1 or NaN: ⌈min(y, 1)⌉. A comparison would lose NaN."""
    slope = np.empty_like(out) if np.may_share_memory(out, g) else out
    return [
        partial(np.minimum, y, np.ones((), y.dtype), out=slope),
        partial(np.ceil, slope, slope),
        partial(np.multiply, slope, g, out),
    ]


@in_one_pass
def tanh_gradient(y: Array, g: Array, out: Array) -> list[Call]:
    """g (1 - y²)."""
    slope = np.empty_like(out) if np.may_share_memory(out, g) else out
    return [
        partial(np.multiply, y, y, slope),
        partial(np.subtract, np.ones((), y.dtype), slope, slope),
        partial(np.multiply, g, slope, out),
    ]


@in_one_pass
def sigmoid_gradient(y: Array, g: Array, out: Array) -> list[Call]:
    """g y (1 - y)."""
    read = any(np.may_share_memory(out, x) for x in (y, g))
    slope = np.empty_like(out) if read else out
    return [
        partial(np.subtract, np.ones((), y.dtype), y, slope),
        partial(np.multiply, y, slope, slope),
        partial(np.multiply, g, slope, out),
    ]


def cast(x: Array, out: Array, dtype: Any) -> list[Call]:
    return [partial(np.copyto, out, x, casting="unsafe")]


def assign(target: Array, value: Array, out: Array) -> list[Call]:
    return [partial(np.copyto, target, value)]


def dropout_mask(x: Array, out: Array, rate: Any, generator: Any) -> list[Call]:
    drawn, kept = np.empty(x.shape, np.float32), np.empty(x.shape, bool)
    return [
        partial(generator.random, dtype=np.float32, out=drawn),
        partial(np.greater_equal, drawn, rate, kept),
        partial(np.multiply, kept, 1 / (1 - rate), out, dtype=x.dtype),
    ]
