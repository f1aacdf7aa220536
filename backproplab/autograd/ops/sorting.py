"""Sorting, and the indices of extremes, which are constants to a gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.lowering import into
from backproplab.autograd.ops.elementwise import isnan, nan_where, where
from backproplab.autograd.ops.indexing import part, take_along_axis
from backproplab.autograd.ops.reductions import mean
from backproplab.autograd.ops.shapes import axis_from_right, ravel
from backproplab.autograd.primitive import Op, composition, primitive, shape_of
from backproplab.autograd.samples import distinct
from backproplab.autograd.tensor import Tensor


def _place(name: str, function: Any, doc: str) -> Op:
    return primitive(
        name,
        into(function),
        vjp=[None],
        samples=[distinct((3, 4), axis=-1), distinct((3, 4), axis=0)],
        settings=lambda x, axis=-1: {"axis": axis_from_right(axis, len(shape_of(x)))},
        doc=doc,
    )


_argsort = _place(
    "argsort",
    lambda x, axis: np.argsort(x, axis=axis, kind="stable"),
    "The indices that sort x along ``axis``; equal entries keep their order.",
)
_argmax_along = _place("argmax_along", np.argmax, "The index of the first maximum along ``axis``.")
_argmin_along = _place("argmin_along", np.argmin, "The index of the first minimum along ``axis``.")


@composition
def argsort(x: Any, *, axis: int | None = -1) -> Tensor:
    """The indices that sort x along ``axis`` (None: raveled); equal entries keep their order."""
    return _argsort(ravel(x) if axis is None else x, axis=-1 if axis is None else axis)


@composition
def argmax(x: Any, *, axis: int | None = None) -> Tensor:
    """The index of the first maximum along ``axis`` (None: in the raveled x)."""
    return _argmax_along(ravel(x) if axis is None else x, axis=-1 if axis is None else axis)


@composition
def argmin(x: Any, *, axis: int | None = None) -> Tensor:
    """The index of the first minimum along ``axis`` (None: in the raveled x)."""
    return _argmin_along(ravel(x) if axis is None else x, axis=-1 if axis is None else axis)


@composition
def sort(x: Any, *, axis: int | None = -1) -> Tensor:
    """x in ascending order along ``axis`` (None: raveled); an entry keeps its gradient."""
    if axis is None:
        return sort(ravel(x))
    return take_along_axis(x, _argsort(x, axis=axis), axis=axis)


@composition
def median(x: Any, *, axis: int | None = None) -> Tensor:
    """The middle entry along ``axis``; the mean of the two middle ones if their number is even."""
    ordered = sort(x, axis=axis)
    at = axis_from_right(-1 if axis is None else axis, ordered.ndim)
    n = ordered.shape[at]
    middle = mean(part(ordered, at, slice((n - 1) // 2, n // 2 + 1)), axis=at)
    if not n:
        return middle
    last = part(ordered, at, n - 1)  # NaN if any entry is
    return where(isnan(last), nan_where(last, last), middle)
