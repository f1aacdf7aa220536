"""Ops that move numbers and change none: shapes, broadcasting, indexing, joining.

The settings count axes from the right and name how many trailing axes they speak of, so that an
array with more leading axes (a population) goes through the same call.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.autograd.primitive import Array, Op, Rule, composition, into, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor


def axes_from_right(axis: int | Sequence[int] | None, ndim: int) -> tuple[int, ...]:
    """The axes as ascending negative numbers; None means all ``ndim`` of them."""
    if axis is None:
        return tuple(range(-ndim, 0))
    axes = (axis,) if isinstance(axis, int) else tuple(axis)
    for a in axes:
        if not -ndim <= a < ndim:
            raise np.exceptions.AxisError(a, ndim)
    negative = tuple(sorted(a if a < 0 else a - ndim for a in axes))
    if len(set(negative)) < len(negative):
        raise ValueError(f"an axis is named twice in {axes}")
    return negative


def _lead(x: Array, trailing: int) -> tuple[int, ...]:
    return x.shape[: x.ndim - trailing]


def _reshape(x: Array, shape: tuple[int, ...], trailing: int, out: Array | None = None) -> Array:
    return x.reshape(_lead(x, trailing) + shape)


def _reshape_settings(x: Any, shape: int | Sequence[int]) -> dict[str, Any]:
    old = shape_of(x)
    wanted = (shape,) if isinstance(shape, int) else tuple(shape)
    if -1 in wanted:
        known = -int(np.prod(wanted, dtype=np.int64))
        rest = int(np.prod(old, dtype=np.int64)) // known if known else 0
        wanted = tuple(rest if n == -1 else n for n in wanted)
    return {"shape": wanted, "trailing": len(old)}


reshape: Op = primitive(
    "reshape",
    _reshape,
    vjp=[lambda g, y, x, shape, trailing: reshape(g, shape=x.shape)],
    samples=[reals((3, 4), shape=(2, 6)), reals((3, 4), shape=-1), reals((1, 3), shape=(3,))],
    settings=_reshape_settings,
    doc="x in another shape of as many entries; one length may be -1.",
    view=True,
)


def _transpose_settings(x: Any, axes: Sequence[int] | None = None) -> dict[str, Any]:
    ndim = len(shape_of(x))
    order = tuple(range(ndim))[::-1] if axes is None else tuple(a % ndim for a in axes)
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
    lambda x, first, second, out=None: x.swapaxes(first, second),
    vjp=[lambda g, y, x, first, second: swapaxes(g, first=first, second=second)],
    samples=reals((2, 3, 4), first=-1, second=-2),
    settings=lambda x, first, second: dict(
        zip(("first", "second"), (a - len(shape_of(x)) if a >= 0 else a for a in (first, second)),
            strict=True)
    ),
    doc="x with two axes exchanged.",
    view=True,
)  # fmt: skip
expand_dims = primitive(
    "expand_dims",
    lambda x, axis, out=None: np.expand_dims(x, axis),
    vjp=[lambda g, y, x, axis: reshape(g, shape=x.shape)],
    samples=[reals((3, 4), axis=-1), reals((3, 4), axis=(-2, -4))],
    settings=lambda x, axis: {
        "axis": axes_from_right(
            axis, len(shape_of(x)) + (1 if isinstance(axis, int) else len(axis))
        )
    },
    doc="x with new axes of length 1 at ``axis``.",
    view=True,
)


def _broadcast_to(x: Array, shape: tuple[int, ...], trailing: int, out: Any = None) -> Array:
    lead = _lead(x, trailing)
    own = x.shape[x.ndim - trailing :]
    aligned = x.reshape(lead + (1,) * (len(shape) - trailing) + own)
    return np.broadcast_to(aligned, lead + shape)


broadcast_to: Op = primitive(
    "broadcast_to",
    _broadcast_to,
    vjp=[lambda g, y, x, shape, trailing: sum_to(g, shape=x.shape)],
    samples=[reals((1, 4), shape=(3, 4)), reals((3, 1), shape=(2, 3, 4)), reals((), shape=(2,))],
    settings=lambda x, shape: {"shape": tuple(shape), "trailing": len(shape_of(x))},
    doc="x repeated along axes of length 1, and along new leading ones, to ``shape``.",
    view=True,
)


def _sum_to(x: Array, shape: tuple[int, ...], trailing: int, out: Array | None = None) -> Array:
    own = x.shape[x.ndim - trailing :]
    padded = (1,) * (trailing - len(shape)) + shape
    new = range(trailing - len(shape))
    grown = [a for a in range(trailing) if a in new or (padded[a] == 1 and own[a] != 1)]
    axes = tuple(a - trailing for a in grown)
    total = np.sum(x, axis=axes, keepdims=True) if axes else x
    result = total.reshape(_lead(x, trailing) + shape)
    if out is None:
        return result
    np.copyto(out, result)
    return out


sum_to: Op = primitive(
    "sum_to",
    _sum_to,
    vjp=[lambda g, y, x, shape, trailing: broadcast_to(g, shape=x.shape)],
    samples=[reals((3, 4), shape=(1, 4)), reals((2, 3, 4), shape=(3, 1)), reals((3,), shape=())],
    settings=lambda x, shape: {"shape": tuple(shape), "trailing": len(shape_of(x))},
    doc="x summed down to ``shape``: the transpose of broadcasting.",
)


def _index_settings(x: Any, index: Any) -> dict[str, Any]:
    """The index of every trailing axis, behind an Ellipsis that keeps leading axes free."""
    items = [_plain(i) for i in (index if isinstance(index, tuple) else (index,))]
    ndim = len(shape_of(x))
    used = sum(_axes_used(i) for i in items)
    if Ellipsis not in [i for i in items if not isinstance(i, np.ndarray)]:
        items.append(Ellipsis)
    where = next(k for k, i in enumerate(items) if i is Ellipsis)
    filled = items[:where] + [slice(None)] * (ndim - used) + items[where + 1 :]
    return {"index": (Ellipsis, *filled)}


def _plain(item: Any) -> Any:
    if isinstance(item, Tensor):
        return item.value
    return np.asarray(item) if isinstance(item, list) else item


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _scatter(
    g: Array, index: Any, shape: tuple[int, ...], trailing: int, out: Array | None = None
) -> Array:
    lead = _lead(g, trailing)
    result = np.zeros(lead + shape, g.dtype) if out is None else out
    result[...] = 0
    np.add.at(result, index, g)  # repeated indices add up
    return result


take: Op = primitive(
    "take",
    into(lambda x, index: x[index]),
    vjp=[lambda g, y, x, index: scatter(g, index=index, shape=x.shape, trailing=y.ndim)],
    samples=[
        reals((3, 4), index=1),
        reals((3, 4), index=(slice(None, None, 2), slice(1, 3))),
        reals((3, 4), index=np.array([0, 2, 2, 0])),
        reals((3, 4), index=(np.array([0, 1, 1]), np.array([3, 2, 2]))),
        reals((3, 4), index=(None, Ellipsis, -1)),
    ],
    settings=_index_settings,
    doc="x[index], basic or advanced; the gradients of repeated indices add up.",
)
scatter: Op = primitive(
    "scatter",
    _scatter,
    vjp=[lambda g, y, x, index, shape, trailing: take(g, index=index[1:])],
    samples=reals((4,), index=(Ellipsis, np.array([0, 2, 2, 5])), shape=(6,), trailing=1),
    doc="Zeros of ``shape`` with x added at ``index``: the transpose of indexing.",
)


def _join_rule(position: int) -> Rule:
    def rule(g: Tensor, y: Tensor, *xs: Tensor, axis: int) -> Tensor:
        start = sum(x.shape[axis] for x in xs[:position])
        piece = slice(start, start + xs[position].shape[axis])
        return take(g, index=(Ellipsis, piece, *[slice(None)] * (-axis - 1)))

    return rule


concatenate = primitive(
    "concatenate",
    lambda *xs, axis, out=None: np.concatenate(xs, axis=axis, out=out),
    vjp=_join_rule,
    samples=[reals((2, 3), (4, 3), axis=0), reals((2, 3), (2, 1), (2, 2), axis=-1)],
    settings=lambda *xs, axis=0: {"axis": axes_from_right(axis, len(shape_of(xs[0])))[0]},
    doc="The arrays joined along an existing ``axis``.",
)


@composition
def stack(*arrays: Any, axis: int = 0) -> Tensor:
    """The arrays joined along a new ``axis``."""
    return concatenate(*[expand_dims(x, axis=axis) for x in arrays], axis=axis)


leaf = primitive(
    "leaf",
    lambda x, out=None: x,
    vjp=[lambda g, y, x: g],
    samples=reals((3, 4)),
    doc="x itself, as a new leaf: where one transform's graph ends and the outer one's begins.",
    view=True,
)
cast: Op = primitive(
    "cast",
    into(lambda x, dtype: x.astype(dtype)),
    vjp=[lambda g, y, x, dtype: cast(g, dtype=x.dtype)],
    samples=reals((3, 4), dtype=np.float64),
    doc="x in another number type.",
)
