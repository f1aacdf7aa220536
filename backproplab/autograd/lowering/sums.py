"""Rules of ops that sum: matrix products, means, and sums that undo broadcasting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering.calls import Call

Axes = tuple[int, ...]


def product_of(a: Array, b: Array) -> Callable[..., Any]:
    """np.dot checks less than np.matmul before it starts; beyond 2 axes it means something else."""
    return np.dot if a.ndim == b.ndim == 2 else np.matmul


def matrix_product(a: Array, b: Array, out: Array) -> list[Call]:
    """A column times a row, for each of many, is no sum: a product takes less than half the time.
    BLAS adds it to 0, which turns -0 into 0."""
    if a.shape[-1] == 1 and max(a.ndim, b.ndim) > 2:
        return [partial(np.multiply, a, b, out), partial(np.add, out, np.zeros((), out.dtype), out)]
    return [partial(product_of(a, b), a, b, out)]


def mean(x: Array, out: Array, axis: Axes, keepdims: bool) -> list[Call]:
    total = partial(np.add.reduce, x, axis=axis, keepdims=keepdims, out=out)
    return [total, partial(np.divide, out, prod(x.shape[a] for a in axis), out)]


def kept_shape(x: Array, axes: Axes) -> tuple[int, ...]:
    """The shape of x after each of these axes (counted from the right) is reduced to length 1."""
    return tuple(1 if a - x.ndim in axes else n for a, n in enumerate(x.shape))


def summed_to(x: Array, shape: Axes, trailing: int, out: Array | None = None) -> Array:
    """x summed down to ``shape``: the forward function of sum_to."""
    axes = _summed_axes(x, shape, trailing)
    rows = _rows(x, axes)
    if rows is not None:
        total = np.matmul(np.ones(rows.shape[-2], x.dtype), rows)
    else:
        total = np.sum(x, axis=axes, keepdims=True) if axes else x
    result = total.reshape(x.shape[: x.ndim - trailing] + shape)
    if out is None:
        return result
    np.copyto(out, result)
    return out


def sum_to(x: Array, out: Array, shape: Axes, trailing: int) -> list[Call]:
    axes = _summed_axes(x, shape, trailing)
    rows = _rows(x, axes)
    if rows is not None and out.flags.c_contiguous:
        ones, total = np.ones(rows.shape[-2], x.dtype), out.reshape(*rows.shape[:-2], -1)
        if rows.ndim == 2:
            return [partial(np.dot, ones, rows, total)]  # a µs less than matmul
        return [partial(np.matmul, ones, rows, total)]
    total = out.reshape(kept_shape(x, axes))
    if np.may_share_memory(total, out):
        return [partial(np.add.reduce, x, axis=axes, out=total, keepdims=True)]
    return [partial(summed_to, x, shape, trailing, out)]


def _summed_axes(x: Array, shape: Axes, trailing: int) -> Axes:
    own, new = x.shape[x.ndim - trailing :], trailing - len(shape)
    grown = [a for a, n in enumerate(shape, -len(shape)) if n == 1 != own[a]]
    return (*range(-trailing, new - trailing), *grown)


def _rows(x: Array, axes: Axes) -> Array | None:
    """x as matrices (…, rows, features) whose rows are to be summed; None if that needs a copy.

    It is the gradient of a bias. BLAS sums rows, as 1ᵀ x, twice as fast as NumPy.
    """
    if not axes or axes[-1] == -1 or axes[-1] - axes[0] >= len(axes):  # none, or not together
        return None
    if not x.flags.c_contiguous or x.dtype.kind != "f" or not x.size:
        return None
    if x.ndim == 2:
        return x
    lead, features = x.shape[: axes[0]], x.shape[axes[-1] + 1 :]
    return x.reshape(*lead, prod(x.shape[a] for a in axes), prod(features))
