"""NumPy's polynomials (highest power first), and functions along an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.matrices import _lstsq
from backproplab.autograd.like_numpy.table import RULES, NoRuleError, rule, without
from backproplab.autograd.primitive import lift, shape_of
from backproplab.autograd.tensor import Tensor


@rule(np.polyval)
def _polyval(p: Any, x: Any) -> Tensor:
    if isinstance(x, np.poly1d):
        raise NoRuleError("np.polyval of a poly1d has no rule for tensors")
    y: Any = ops.zeros_like(x)
    for coefficient in p if isinstance(p, list | tuple | np.ndarray) else list(p):
        y = y * x + coefficient
    return y


@rule(np.polyadd)
def _polyadd(a1: Any, a2: Any) -> Tensor:
    return ops.add(*_aligned(a1, a2))


@rule(np.polysub)
def _polysub(a1: Any, a2: Any) -> Tensor:
    return ops.subtract(*_aligned(a1, a2))


def _aligned(*polynomials: Any) -> list[Tensor]:
    """The coefficients with zeros in front, so that equal powers stand together."""
    rows = [_row(p) for p in polynomials]
    n = max(row.size for row in rows)
    return [ops.pad(row, pad_width=((n - row.size, 0),)) for row in rows]


@rule(np.polymul)
def _polymul(a1: Any, a2: Any) -> Tensor:
    factors = [lift(np.trim_zeros(_row(p), "f"))[0] for p in (a1, a2)]
    return np.convolve(*[f if f.size else Tensor(np.zeros(1)) for f in factors])  # type: ignore[call-overload]


@rule(np.trim_zeros)
def _trim_zeros(filt: Any, trim: str = "fb", axis: Any = None) -> Tensor:
    if not set(trim.lower()) <= set("fb") or not trim:
        raise ValueError(f"unexpected character(s) in `trim`: {trim!r}")
    (x,) = lift(filt)
    places = np.nonzero(x.value)
    axes = (
        range(x.ndim)
        if axis is None
        else np.lib.array_utils.normalize_axis_tuple(axis, x.ndim, "axis")
    )
    box = [slice(None)] * x.ndim
    for each in axes:
        at = places[each]
        first, last = (at.min(), at.max() + 1) if at.size else (0, 0)
        front, back = "f" in trim.lower() or not at.size, "b" in trim.lower() or not at.size
        box[each] = slice(first if front else None, last if back else None)
    return x[tuple(box)]


def _row(p: Any) -> Tensor:
    if len(shape_of(p)) > 1:
        raise NoRuleError(f"a polynomial of shape {shape_of(p)} has no rule: one axis has")
    return ops.reshape(p, shape=-1)


@rule(np.polyder)
def _polyder(p: Any, m: int = 1) -> Tensor:
    if m < 0:
        raise ValueError("Order of derivative must be positive (see polyint)")
    row = _row(p)
    for _ in range(m):
        row = row[:-1] * np.arange(row.size - 1, 0, -1)
    return row if row.size else Tensor(np.zeros(0))


@rule(np.polyint)
def _polyint(p: Any, m: int = 1, k: Any = None) -> Tensor:
    if m < 0:
        raise ValueError("Order of integral must be positive (see polyder)")
    row = _row(p)
    constants = [0.0] * m if k is None else list(np.atleast_1d(k))
    constants = constants * m if len(constants) == 1 else constants
    if len(constants) < m:
        raise ValueError("k must be a scalar or a rank-1 array of length 1 or >m.")
    for i in range(m):
        row = ops.concatenate(
            [row / np.arange(row.size, 0, -1), ops.reshape(constants[i], shape=1)]
        )
    return row


@rule(np.poly)
def _poly(seq_of_zeros: Any) -> Tensor:
    (zeros,) = lift(seq_of_zeros)
    if zeros.ndim == 2:
        zeros = ops.eig(zeros)[0]
    y: Any = np.ones(1)
    for zero in zeros:
        y = ops.concatenate([y, np.zeros(1)]) - ops.concatenate([np.zeros(1), y * zero])
    return lift(y)[0]


@rule(np.polyfit)
def _polyfit(
    x: Any, y: Any, deg: int, rcond: Any = None, full: bool = False, w: Any = None, cov: Any = False
) -> Tensor:
    without("polyfit", full=full, cov=cov)
    powers = _vander(x, deg + 1)
    (y,) = lift(y)
    if w is not None:
        powers = powers * ops.expand_dims(w, axis=1)
        y = y * (w if y.ndim == 1 else ops.expand_dims(w, axis=1))
    scale = ops.sqrt(ops.sum(powers * powers, axis=0))
    cut = (
        len(shape_of(x)) and shape_of(x)[0] * np.finfo(powers.dtype).eps if rcond is None else rcond
    )
    c = _lstsq(powers / scale, y, cut)[0]
    return c / (scale if y.ndim == 1 else ops.expand_dims(scale, axis=1))


@rule(np.vander)
def _vander(x: Any, N: int | None = None, increasing: bool = False) -> Tensor:
    if len(shape_of(x)) != 1:
        raise ValueError("x must be a one-dimensional array or sequence.")
    n = shape_of(x)[0] if N is None else N
    (x,) = lift(x)
    x = x if x.dtype == np.float64 else ops.cast(x, dtype=np.promote_types(x.dtype, int))
    column, y = ops.expand_dims(x, axis=1), [ops.ones_like(ops.expand_dims(x, axis=1))]
    for _ in range(1, n):
        y.append(y[-1] * column)
    columns = y[:n] if increasing else y[:n][::-1]
    return ops.concatenate(columns, axis=1) if columns else ops.zeros_like(column)[:, :0]


@rule(np.apply_along_axis)
def _apply_along_axis(
    func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any
) -> Tensor:
    (x,) = lift(arr)
    front = ops.moveaxis(x, source=axis, destination=-1)
    rows = ops.reshape(front, shape=(-1, front.shape[-1]))
    if not rows.shape[0]:
        raise ValueError("Cannot apply_along_axis when any iteration dimensions are 0")
    results = [lift(func1d(rows[i], *args, **kwargs))[0] for i in range(rows.shape[0])]
    y = ops.stack(results)
    new = results[0].ndim
    y = ops.reshape(y, shape=(*front.shape[:-1], *results[0].shape))
    source = tuple(range(y.ndim - new, y.ndim))
    start = axis % x.ndim
    return ops.moveaxis(y, source=source, destination=tuple(range(start, start + new)))


@rule(np.apply_over_axes)
def _apply_over_axes(func: Callable[..., Any], a: Any, axes: Any) -> Tensor:
    (x,) = lift(a)
    for given in np.atleast_1d(axes):
        axis = int(given) + (x.ndim if given < 0 else 0)
        y = func(x, axis)
        x = y if y.ndim == x.ndim else ops.expand_dims(y, axis=axis)
    return x


def array(object: Any, dtype: Any = None, **words: Any) -> Any:
    """NumPy's array, also of nested lists of tensors, whose entries keep their gradients."""
    if isinstance(object, Tensor):
        return object if dtype is None else ops.cast(object, dtype=dtype)
    if not _has_tensor(object):
        return np.array(object, dtype=dtype, **words)
    rows = [array(part) for part in object]
    shapes = {shape_of(row) for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"the parts of an array have one shape, got {sorted(shapes)}")
    y = ops.stack(rows)
    return y if dtype is None else ops.cast(y, dtype=dtype)


def _has_tensor(x: Any) -> bool:
    return isinstance(x, Tensor) or (isinstance(x, list | tuple) and any(map(_has_tensor, x)))


RULES |= {
    f: lambda a, dtype=None, *words, **more: array(a, dtype)
    for f in (np.array, np.asarray, np.asanyarray, np.require)
}
