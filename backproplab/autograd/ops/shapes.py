"""Ops that move numbers and change none: shapes, orders of axes, broadcasting.

Settings count axes from the right and have the number of trailing axes that they apply to, so that
an array with additional leading axes (a population) can use the same call.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from operator import index
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import elementwise, into, sums
from backproplab.autograd.ops.storage import full_like
from backproplab.autograd.primitive import Op, apply, composition, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor


def axes_from_right(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes as ascending negative numbers; None means all ``ndim`` axes."""
    if type(axis) is int and -ndim <= axis < ndim:
        return (axis if axis < 0 else axis - ndim,)
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = numbers(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    negative = tuple(sorted(a if a < 0 else a - ndim for a in axes))
    if len(set(negative)) < len(negative):
        raise ValueError(f"an axis is named twice in {axes}")
    return negative


def axis_from_right(axis: int, ndim: int) -> int:
    """One axis as a negative number; TypeError for None or several."""
    return axes_from_right(index(axis), ndim)[0]


def _place(axis: int, ndim: int) -> int:
    """An axis counted from the left."""
    return axis_from_right(axis, ndim) + ndim


def numbers(given: int | Sequence[int]) -> tuple[int, ...]:
    """One whole number, or several, as a tuple."""
    if type(given) is int:
        return (given,)
    if type(given) is tuple:
        return given
    return tuple(given) if isinstance(given, Sequence | np.ndarray) else (index(given),)


def _lead(x: Array, trailing: int) -> tuple[int, ...]:
    return x.shape[: x.ndim - trailing]


def _reshape(x: Array, shape: tuple[int, ...], trailing: int, out: Array | None = None) -> Array:
    if out is None:
        return x.reshape(_lead(x, trailing) + shape)
    np.copyto(out.reshape(x.shape), x)  # a view: out is contiguous
    return out


def _reshape_settings(x: Any, shape: int | Sequence[int]) -> dict[str, Any]:
    old = shape_of(x)
    wanted = numbers(shape)
    if -1 in wanted:
        known = -prod(wanted)
        if wanted.count(-1) > 1 or known <= 0 or prod(old) % known:
            raise ValueError(f"cannot reshape an array of shape {old} into shape {wanted}")
        wanted = tuple(prod(old) // known if n == -1 else n for n in wanted)
    return {"shape": wanted, "trailing": len(old)}


reshape: Op = primitive(
    "reshape",
    _reshape,
    vjp=[lambda g, y, x, shape, trailing: reshape(g, shape=x.shape)],
    samples=[reals((3, 4), shape=(2, 6)), reals((3, 4), shape=-1), reals((1, 3), shape=(3,))],
    settings=_reshape_settings,
    doc="x in another shape with the same number of entries; one length may be -1.",
    view=True,
)


def _transpose_settings(x: Any, axes: Sequence[int] | None = None) -> dict[str, Any]:
    ndim = len(shape_of(x))
    order = tuple(range(ndim))[::-1] if axes is None else tuple(_place(a, ndim) for a in axes)
    if sorted(order) != list(range(ndim)):
        raise ValueError(f"transpose: {axes} is no order of {ndim} axes")
    return {"axes": tuple(a - ndim for a in order)}


def _transpose(x: Array, axes: tuple[int, ...], out: Array | None = None) -> Array:
    lead = x.ndim - len(axes)
    return x.transpose(*range(lead), *(a + x.ndim for a in axes))


def _inverse(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(int(a) for a in np.argsort([a + len(axes) for a in axes]))


transpose: Op = primitive(
    "transpose",
    _transpose,
    vjp=[lambda g, y, x, axes: transpose(g, axes=_inverse(axes))],
    samples=[reals((3, 4)), reals((2, 3, 4), axes=(1, 2, 0))],
    settings=_transpose_settings,
    doc="x with its axes in another order, by default reversed.",
    view=True,
)
swapaxes: Op = primitive(
    "swapaxes",
    lambda x, axis1, axis2, out=None: x.swapaxes(axis1, axis2),
    vjp=[lambda g, y, x, axis1, axis2: swapaxes(g, axis1=axis1, axis2=axis2)],
    samples=reals((2, 3, 4), axis1=-1, axis2=-2),
    settings=lambda x, axis1, axis2: {
        "axis1": axis_from_right(axis1, len(shape_of(x))),
        "axis2": axis_from_right(axis2, len(shape_of(x))),
    },
    doc="x with two axes exchanged.",
    view=True,
)


def _expand_dims(x: Array, axis: tuple[int, ...], out: Array | None = None) -> Array:
    lengths, ndim = list(x.shape), x.ndim + len(axis)
    for a in axis:
        lengths.insert(a + ndim, 1)
    return x.reshape(lengths)


expand_dims = primitive(
    "expand_dims",
    _expand_dims,
    vjp=[lambda g, y, x, axis: reshape(g, shape=x.shape)],
    samples=[reals((3, 4), axis=-1), reals((3, 4), axis=(-2, -4))],
    settings=lambda x, axis: {"axis": axes_from_right(axis, len(shape_of(x)) + len(numbers(axis)))},
    doc="x with new axes of length 1 at ``axis``.",
    view=True,
)


def _broadcast_to(x: Array, shape: tuple[int, ...], trailing: int, out: Any = None) -> Array:
    """By strides: np.broadcast_to makes an iterator to learn the shape, and takes ten times as
    long."""
    cut, new = x.ndim - trailing, len(shape) - trailing
    lead, own, whole = x.shape[:cut], x.shape[cut:], x.shape[:cut] + shape
    steps = [0] * new
    fits = new >= 0 <= min(shape[:new], default=0) and x.size > 0 and x.flags.c_contiguous
    for n, m, step in zip(own, shape[max(new, 0) :], x.strides[cut:], strict=fits):
        fits = fits and (n == m or n == 1 <= m)
        steps.append(step if n == m else 0)
    if not fits:
        return np.broadcast_to(x.reshape(lead + (1,) * new + own), whole)
    view = np.ndarray(whole, x.dtype, x, 0, (*x.strides[:cut], *steps))
    view.flags.writeable = False
    return view


broadcast_to: Op = primitive(
    "broadcast_to",
    _broadcast_to,
    vjp=[lambda g, y, x, shape, trailing: sum_to(g, shape=x.shape)],
    samples=[reals((1, 4), shape=(3, 4)), reals((3, 1), shape=(2, 3, 4)), reals((), shape=(2,))],
    settings=lambda x, shape: {"shape": numbers(shape), "trailing": len(shape_of(x))},
    doc="x repeated along axes of length 1, and along new leading ones, to ``shape``.",
    view=True,
)


sum_to: Op = primitive(
    "sum_to",
    sums.summed_to,
    vjp=[lambda g, y, x, shape, trailing: broadcast_to(g, shape=x.shape)],
    samples=[reals((3, 4), shape=(1, 4)), reals((2, 3, 4), shape=(3, 1)), reals((3,), shape=())],
    settings=lambda x, shape: {"shape": tuple(shape), "trailing": len(shape_of(x))},
    doc="x summed down to ``shape``: the transpose of broadcasting.",
    view=True,
    lowering=sums.sum_to,
)


def summed_like(g: Tensor, x: Tensor) -> Tensor:
    """The cotangent g of a result that x was broadcast to, in the shape of x."""
    shape, wanted = g.value.shape, x.value.shape
    return g if shape == wanted else apply(sum_to, g, shape=wanted, trailing=len(shape))


leaf = primitive(
    "leaf",
    lambda x, out=None: x,
    vjp=[lambda g, y, x: g],
    samples=reals((3, 4)),
    doc="x itself as a new leaf, at which a transform's graph ends and the outer graph starts.",
    view=True,
)
cast: Op = primitive(
    "cast",
    into(lambda x, dtype: x.astype(dtype)),
    lowering=elementwise.cast,
    vjp=[
        lambda g, y, x, dtype: (
            cast(g, dtype=x.dtype) if y.dtype.kind == "f" else full_like(x, fill_value=0)
        )
    ],
    samples=reals((3, 4), dtype=np.float64),
    doc="x in another number type; a constant to a gradient if that is no float.",
)


@composition
def ravel(x: Any) -> Tensor:
    """x as an array of one axis."""
    return reshape(x, shape=-1)


@composition
def squeeze(x: Any, *, axis: int | Sequence[int] | None = None) -> Tensor:
    """x without its axes of length 1, or without the given ones."""
    shape = shape_of(x)
    ones = [a for a, n in enumerate(shape, -len(shape)) if n == 1]
    gone = ones if axis is None else axes_from_right(axis, len(shape))
    if not set(gone) <= set(ones):
        raise ValueError(f"cannot squeeze axes {tuple(gone)} of shape {shape}: not of length 1")
    kept = [n for a, n in enumerate(shape, -len(shape)) if a not in gone]
    return reshape(x, shape=tuple(kept))


@composition
def moveaxis(x: Any, *, source: int | Sequence[int], destination: int | Sequence[int]) -> Tensor:
    """x with the axes ``source`` moved to the positions ``destination``."""
    ndim = len(shape_of(x))
    start, end = ([_place(a, ndim) for a in numbers(axes)] for axes in (source, destination))
    order = [a for a in range(ndim) if a not in start]
    for place, axis in sorted(zip(end, start, strict=True)):
        order.insert(place, axis)
    return transpose(x, axes=order)


@composition
def tile(x: Any, *, reps: int | Sequence[int]) -> Tensor:
    """Copies of the whole x, ``reps`` of them along each axis."""
    times = numbers(reps)
    shape = shape_of(x)
    times = (1,) * (len(shape) - len(times)) + times
    shape = (1,) * (len(times) - len(shape)) + shape
    apart = reshape(x, shape=[n for size in shape for n in (1, size)])
    spread = broadcast_to(apart, shape=[n for pair in zip(times, shape, strict=True) for n in pair])
    return reshape(spread, shape=[t * n for t, n in zip(times, shape, strict=True)])


@composition
def repeat(x: Any, *, repeats: int, axis: int | None = None) -> Tensor:
    """x with each entry repeated ``repeats`` times along ``axis`` (None: of the raveled x)."""
    if axis is None:
        return repeat(ravel(x), repeats=repeats, axis=0)
    shape = shape_of(x)
    at, repeats = _place(axis, len(shape)), index(repeats)
    apart = expand_dims(x, axis=at + 1)
    spread = broadcast_to(apart, shape=(*shape[: at + 1], repeats, *shape[at + 1 :]))
    return reshape(spread, shape=(*shape[:at], shape[at] * repeats, *shape[at + 1 :]))
