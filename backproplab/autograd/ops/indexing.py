"""Parts of arrays, and arrays from parts: indexing, joining, splitting, padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into, sliding, stepwise
from backproplab.autograd.ops.shapes import axes_from_right, expand_dims, ravel, reshape
from backproplab.autograd.primitive import Op, Rule, composition, primitive, shape_of
from backproplab.autograd.samples import reals, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _index_settings(x: Any, index: Any) -> dict[str, Any]:
    """The index of every trailing axis, after an Ellipsis for any leading axes."""
    items = [_plain(i) for i in (index if isinstance(index, tuple) else (index,))]
    ndim = len(shape_of(x))
    used = sum(_axes_used(i) for i in items)
    if Ellipsis not in [i for i in items if not isinstance(i, np.ndarray)]:
        items.append(Ellipsis)
    where = next(k for k, i in enumerate(items) if i is Ellipsis)
    filled = items[:where] + [slice(None)] * (ndim - used) + items[where + 1 :]
    return {"index": (Ellipsis, *filled)}


def _plain(item: Any) -> Any:
    """Lists and booleans as arrays: an empty list selects nothing, True adds an axis."""
    if isinstance(item, Tensor):
        return item.value
    if isinstance(item, list) and not item:
        return np.empty(0, np.intp)
    return np.asarray(item) if isinstance(item, list | bool | np.bool_) else item


def _axes_used(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, np.ndarray) and item.dtype == bool else 1


def _scatter(
    g: Array, index: Any, shape: tuple[int, ...], trailing: int, out: Array | None = None
) -> Array:
    lead = g.shape[: g.ndim - trailing]
    result = np.zeros(lead + shape, g.dtype) if out is None else out
    result[...] = 0
    if any(isinstance(i, np.ndarray) and i.dtype != bool for i in index):
        np.add.at(result, index, g)  # repeated indices add up
    else:
        result[index] = g
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
    view=True,
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


@composition
def hstack(*arrays: Any) -> Tensor:
    """The arrays joined along the second axis, or along their only one."""
    return concatenate(*arrays, axis=0 if len(shape_of(arrays[0])) == 1 else 1)


@composition
def vstack(*arrays: Any) -> Tensor:
    """The arrays joined along the first axis; an array of one axis is a row."""
    rows = [expand_dims(x, axis=0) if len(shape_of(x)) == 1 else x for x in arrays]
    return concatenate(*rows, axis=0)


def part(x: Any, axis: int, piece: Any) -> Tensor:
    """x[piece] along one axis, counted from the right."""
    return take(x, index=(Ellipsis, piece, *[slice(None)] * (-axis - 1)))


@composition
def split(x: Any, *, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along ``axis`` into this number of equal parts, or at these indices."""
    (at,) = axes_from_right(axis, len(shape_of(x)))
    length = shape_of(x)[at]
    if isinstance(indices_or_sections, int):
        if length % indices_or_sections:
            raise ValueError(
                f"{length} entries cannot be cut into {indices_or_sections} equal parts"
            )
        sizes = [length // indices_or_sections] * (indices_or_sections - 1)
        places = list(accumulate(sizes))
    else:
        places = list(indices_or_sections)
    bounds = [0, *places, length]
    return [part(x, at, slice(start, end)) for start, end in pairwise(bounds)]


@composition
def flip(x: Any, *, axis: int | Sequence[int] | None = None) -> Tensor:
    """x reversed along ``axis`` (None: along every axis)."""
    ndim = len(shape_of(x))
    turned = axes_from_right(axis, ndim)
    back, whole = slice(None, None, -1), slice(None)
    return take(x, index=tuple(back if a in turned else whole for a in range(-ndim, 0)))


@composition
def roll(x: Any, *, shift: int, axis: int | None = None) -> Tensor:
    """x shifted circularly by ``shift`` entries along ``axis`` (None: raveled)."""
    if axis is None:
        return reshape(roll(ravel(x), shift=shift, axis=0), shape=shape_of(x))
    (at,) = axes_from_right(axis, len(shape_of(x)))
    cut = -shift % max(shape_of(x)[at], 1)
    return concatenate(part(x, at, slice(cut, None)), part(x, at, slice(0, cut)), axis=at)


@composition
def diff(x: Any, *, axis: int = -1) -> Tensor:
    """x[1:] - x[:-1] along ``axis``."""
    (at,) = axes_from_right(axis, len(shape_of(x)))
    return part(x, at, slice(1, None)) - part(x, at, slice(None, -1))


def _pad_settings(
    x: Any, pad_width: int | Sequence[Any], constant_values: float = 0.0, mode: str = "constant"
) -> dict[str, Any]:
    if mode != "constant":
        raise GraphError(f"pad: mode {mode!r} has no rule; only 'constant'")
    widths = np.asarray(pad_width)
    if widths.dtype.kind not in "iu" or (widths < 0).any():
        raise GraphError(f"pad: pad_width must be whole numbers from 0, got {pad_width}")
    pairs = np.broadcast_to(widths, (len(shape_of(x)), 2))
    width = tuple((int(before), int(after)) for before, after in pairs)
    return {"pad_width": width, "constant_values": constant_values}


def _empty_pad(x: Array, pad_width: tuple[tuple[int, int], ...], constant_values: float) -> Array:
    lead = x.ndim - len(pad_width)
    around = (0,) * lead + tuple(before + after for before, after in pad_width)
    return np.empty([n + a for n, a in zip(x.shape, around, strict=True)], x.dtype)


def _unpad(g: Tensor, pad_width: tuple[tuple[int, int], ...]) -> Tensor:
    lengths = g.shape[g.ndim - len(pad_width) :]
    inner = [slice(b, n - a) for (b, a), n in zip(pad_width, lengths, strict=True)]
    return take(g, index=(Ellipsis, *inner))


pad = primitive(
    "pad",
    stepwise(sliding.pad, _empty_pad),
    lowering=sliding.pad,
    vjp=[lambda g, y, x, pad_width, constant_values: _unpad(g, pad_width)],
    samples=[reals((3, 4), pad_width=1), reals((3, 4), pad_width=((1, 0), (0, 2)))],
    settings=_pad_settings,
    doc="x with ``pad_width`` entries of ``constant_values`` before and after each axis.",
)


def _mesh(indices: Array, axis: int, ndim: int) -> tuple[Any, ...]:
    """Index arrays that select ``indices`` along ``axis`` and everything along other axes."""
    places = np.ogrid[tuple(slice(n) for n in indices.shape)] if indices.ndim else []
    return tuple(indices if a == axis + ndim else places[a] for a in range(ndim))


def _put_along(g: Array, indices: Array, axis: int, size: int) -> Array:
    shape = list(g.shape)
    shape[axis] = size
    result = np.zeros(shape, g.dtype)
    np.add.at(result, _mesh(np.broadcast_to(indices, g.shape), axis, g.ndim), g)
    return result


take_along_axis: Op = primitive(
    "take_along_axis",
    into(np.take_along_axis),
    vjp=[
        lambda g, y, x, indices, axis: put_along_axis(g, indices, axis=axis, size=x.shape[axis]),
        None,
    ],
    samples=sample(lambda rng: (rng.standard_normal((3, 4)), rng.integers(0, 4, (3, 5))), axis=-1),
    settings=lambda x, indices, axis: {"axis": axes_from_right(axis, len(shape_of(x)))[0]},
    doc="The entries of x at ``indices`` along ``axis``.",
)
put_along_axis: Op = primitive(
    "put_along_axis",
    into(_put_along),
    vjp=[lambda g, y, x, indices, axis, size: take_along_axis(g, indices, axis=axis), None],
    samples=sample(
        lambda rng: (rng.standard_normal((3, 5)), rng.integers(0, 4, (3, 5))), axis=-1, size=4
    ),
    doc="Zeros with x added at ``indices`` along ``axis``: the transpose of take_along_axis.",
)
