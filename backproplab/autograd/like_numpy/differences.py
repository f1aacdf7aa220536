"""Differences, integrals, interpolation, convolution: NumPy's functions of sampled functions."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.table import NoRuleError, plain, rule
from backproplab.autograd.ops.indexing import part
from backproplab.autograd.ops.shapes import axis_from_right
from backproplab.autograd.primitive import lift, shape_of
from backproplab.autograd.tensor import Tensor


@rule(np.diff)
def _diff(
    a: Any, n: int = 1, axis: int = -1, prepend: Any = np._NoValue, append: Any = np._NoValue
) -> Tensor:
    if n < 0:
        raise ValueError(f"order must be non-negative but got {n}")
    (x,) = lift(a)
    if not x.ndim:
        raise ValueError("diff requires input that is at least one dimensional")
    if n == 0:
        return x
    ends = [prepend, append]
    sides = [None if e is np._NoValue else _as_slice(e, x, axis) for e in ends]
    pieces = [piece for piece in (sides[0], x, sides[1]) if piece is not None]
    whole = ops.concatenate(pieces, axis=axis) if len(pieces) > 1 else x
    return ops.diff(whole, n=n, axis=axis)


def _as_slice(end: Any, x: Tensor, axis: int) -> Tensor:
    if shape_of(end):
        return end
    at = axis % x.ndim
    return ops.broadcast_to(end, shape=[1 if i == at else n for i, n in enumerate(x.shape)])


@rule(np.ediff1d)
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Tensor:
    steps = ops.diff(ops.ravel(ary))
    ends = [ops.ravel(e) if e is not None else None for e in (to_begin, to_end)]
    return ops.concatenate([p for p in (ends[0], steps, ends[1]) if p is not None])


@rule(np.trapezoid)
def _trapezoid(y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1) -> Tensor:
    (y,) = lift(y)
    at = axis_from_right(axis, y.ndim)
    middle = (part(y, at, slice(1, None)) + part(y, at, slice(None, -1))) / 2.0
    if x is None:
        return ops.sum(middle * dx, axis=at)
    (x,) = lift(x)
    if x.ndim == 1:
        width = ops.reshape(ops.diff(x), shape=(-1, *[1] * (-at - 1)))
    else:
        width = ops.diff(x, axis=axis)
    return ops.sum(middle * width, axis=at)


@rule(np.gradient)
def _gradient(f: Any, *varargs: Any, axis: Any = None, edge_order: int = 1) -> Any:
    (f,) = lift(f)
    f = f if f.dtype.kind == "f" else ops.cast(f, dtype=np.float64)
    whole = tuple(range(f.ndim)) if axis is None else axis
    axes = np.lib.array_utils.normalize_axis_tuple(whole, f.ndim)
    gaps = [*varargs] or [1.0]
    gaps = gaps * len(axes) if len(gaps) == 1 and not shape_of(gaps[0]) else gaps
    if len(gaps) != len(axes):
        raise TypeError("gradient takes one distance, or one for each axis")
    if edge_order not in (1, 2):
        raise NoRuleError("np.gradient: edge_order is 1 or 2")
    if any(f.shape[a] < edge_order + 1 for a in axes):
        raise ValueError("gradient needs at least edge_order + 1 entries along an axis")
    slopes = [_slopes(f, gap, a, edge_order) for gap, a in zip(gaps, axes, strict=True)]
    return slopes[0] if len(slopes) == 1 else tuple(slopes)


def _slopes(f: Tensor, gap: Any, axis: int, order: int) -> Tensor:
    """Second-order central differences; at the ends of first or second order."""
    y = ops.moveaxis(f, source=axis, destination=-1)
    n = y.shape[-1]
    if shape_of(gap):
        if len(shape_of(gap)) != 1 or shape_of(gap)[0] != n:
            raise ValueError("gradient: a place for each entry along the axis")
        steps = ops.diff(gap)
    else:
        steps = ops.broadcast_to(gap, shape=(n - 1,))
    chords = ops.diff(y) / steps
    left, right = steps[:-1], steps[1:]
    inner = (chords[..., :-1] * right + chords[..., 1:] * left) / (left + right)
    first, last = chords[..., :1], chords[..., -1:]
    if order == 2:
        first = first + (first - chords[..., 1:2]) * (steps[:1] / (steps[:1] + steps[1:2]))
        last = last + (last - chords[..., -2:-1]) * (steps[-1:] / (steps[-1:] + steps[-2:-1]))
    return ops.moveaxis(ops.concatenate([first, inner, last], axis=-1), source=-1, destination=axis)


@rule(np.interp)
def _interp(
    x: Any, xp: Any, fp: Any, left: Any = None, right: Any = None, period: Any = None
) -> Tensor:
    if period is not None:
        raise NoRuleError("np.interp: period= has no rule")
    (x,), (xp,), (fp,) = lift(x), lift(xp), lift(fp)
    if xp.ndim != 1 or xp.shape != fp.shape or not xp.size:
        raise ValueError("fp and xp are not of the same length.")
    if xp.size == 1:
        inside = ops.broadcast_to(fp[0], shape=x.shape)
    else:
        at = np.clip(np.searchsorted(xp.value, x.value, "right") - 1, 0, xp.size - 2)
        x0, x1, f0, f1 = xp[at], xp[at + 1], fp[at], fp[at + 1]
        slope = (f1 - f0) / (x1 - x0)
        inside = f0 + (x - x0) * slope
        if not np.isfinite(fp.value).all():  # as NumPy: from the right end, and where both are ∞
            inside = ops.where(ops.isnan(inside), f1 + (x - x1) * slope, inside)
            inside = ops.where(ops.isnan(inside) & ops.equal(f0, f1), f0, inside)
    inside = ops.where(ops.equal(x, xp[-1]), fp[-1], inside)
    low, high = (fp[0] if left is None else left), (fp[-1] if right is None else right)
    inside = ops.where(ops.less(x, xp[0]), low, inside)
    inside = ops.where(ops.greater(x, xp[-1]), high, inside)
    return ops.where(ops.isnan(x), x, inside)


@rule(np.convolve)
def _convolve(a: Any, v: Any, mode: str = "full") -> Tensor:
    a, v = (ops.reshape(x, shape=-1) if not shape_of(x) else lift(x)[0] for x in (a, v))
    if a.ndim != 1 or v.ndim != 1:
        raise ValueError("object too deep for desired array")
    if not a.size or not v.size:
        raise ValueError("convolve: an array is empty")
    n, m = a.size, v.size
    if m > n:
        a, v, n, m = v, a, m, n
    if np.isfinite(v.value).all():
        places = np.arange(n + m - 1)[:, None] - np.arange(m)
        around = ops.pad(a, pad_width=m - 1)
        whole = ops.matmul(ops.take(around, index=(places + m - 1,)), v)
    else:  # without its products with the zeros around a
        at = (Ellipsis, np.arange(n)[:, None] + np.arange(m))
        whole = ops.scatter(ops.outer(a, v), index=at, shape=(n + m - 1,), trailing=2)
    cuts = {"full": (0, n + m - 1), "valid": (m - 1, n), "same": ((m - 1) // 2, (m - 1) // 2 + n)}
    if mode not in cuts:
        raise ValueError(f"mode must be one of {list(cuts)}, got {mode!r}")
    return whole[slice(*cuts[mode])]


@rule(np.correlate)
def _correlate(a: Any, v: Any, mode: str = "valid") -> Tensor:
    if not (shape_of(a) and shape_of(v)):
        raise ValueError("correlate takes vectors, not numbers")
    if shape_of(v)[0] > shape_of(a)[0]:
        return ops.flip(_correlate(v, a, mode))
    return _convolve(a, ops.flip(v), mode)


@rule(np.bincount)
def _bincount(x: Any, /, weights: Any = None, minlength: int = 0) -> Any:
    places = plain(x)
    counts = np.bincount(places, minlength=minlength)
    if weights is None:
        return counts
    if shape_of(weights) != np.shape(places):
        raise ValueError("The weights and list don't have the same length.")
    (w,) = lift(weights)
    zero = Tensor(np.zeros(len(counts), w.dtype))
    if not w.size:
        return zero
    return ops.scatter(w, index=(Ellipsis, np.asarray(places)), shape=zero.shape, trailing=1)


@rule(np.unwrap)
def _unwrap(p: Any, discont: Any = None, axis: int = -1, *, period: Any = 2 * np.pi) -> Tensor:
    """p and the whole periods that NumPy adds, which are constants."""
    (p,) = lift(p)
    whole = np.unwrap(p.value, discont, axis, period=plain(period))
    turns = np.where(whole == p.value, 0, whole - p.value)  # ∞ - ∞ is NaN
    return p + np.rint(turns / plain(period)) * period


@rule(np.linspace)
def _linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False,
    dtype: Any = None, axis: int = 0, *, device: Any = None,
) -> Any:  # fmt: skip
    num = int(num)
    steps = num - 1 if endpoint else num
    width = ops.subtract(stop, start) / steps if steps > 0 else ops.subtract(stop, start) * np.nan
    share = (np.arange(num) / max(steps, 1)).astype(width.dtype)
    share = share.reshape(-1, *[1] * width.ndim)
    points = start + ops.subtract(stop, start) * share
    if endpoint and num > 1:
        end = ops.expand_dims(ops.broadcast_to(stop, shape=width.shape), axis=0)
        points = ops.concatenate([points[:-1], end], axis=0)
    points = points if axis == 0 else ops.moveaxis(points, source=0, destination=axis)
    points = points if dtype is None else ops.cast(points, dtype=dtype)
    return (points, width) if retstep else points


@rule(np.logspace)
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0,
    dtype: Any = None, axis: int = 0,
) -> Tensor:  # fmt: skip
    if shape_of(base):
        raise NoRuleError("np.logspace: base has a rule for one number")
    y = ops.power(base, _linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ops.cast(y, dtype=dtype)


@rule(np.geomspace)
def _geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> Tensor:
    if (np.multiply(plain(start), plain(stop)) <= 0).any():
        raise NoRuleError("np.geomspace has a rule for ends of one sign")
    logs = _linspace(ops.log(ops.absolute(start)), ops.log(ops.absolute(stop)), num, endpoint)
    y = ops.sign(start) * ops.exp(logs)
    ends = [ops.broadcast_to(x, shape=(1, *logs.shape[1:])) for x in (start, stop)]
    inner = y[1:-1] if endpoint else y[1:]
    parts = [ends[0], inner, *(ends[1:] if endpoint and num > 1 else [])]
    y = ops.concatenate(parts) if num > 0 else y
    y = y if axis == 0 else ops.moveaxis(y, source=0, destination=axis)
    return y if dtype is None else ops.cast(y, dtype=dtype)


@rule(np.full_like)
def _full_like(
    a: Any, fill_value: Any, dtype: Any = None, order: str = "K", subok: bool = True,
    shape: Any = None, *, device: Any = None,
) -> Tensor:  # fmt: skip
    x = plain(a)
    wanted = np.shape(x) if shape is None else shape
    (filler,) = lift(fill_value)
    return ops.broadcast_to(
        ops.cast(filler, dtype=np.asarray(x).dtype if dtype is None else dtype), shape=wanted
    )


@rule(np.full)
def _full(shape: Any, fill_value: Any, *args: Any, **settings: Any) -> Any:
    return np.full(shape, plain(fill_value), *args, **settings)


@rule(np.empty_like)
def _empty_like(prototype: Any, *args: Any, **settings: Any) -> Any:
    return np.empty_like(plain(prototype), *args, **settings)
