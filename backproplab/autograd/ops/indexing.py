"""Parts of arrays, and arrays from parts: indexing, joining, splitting, padding."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into, sliding, stepwise
from backproplab.autograd.ops.shapes import (
    axes_from_right,
    axis_from_right,
    expand_dims,
    numbers,
    ravel,
    reshape,
)
from backproplab.autograd.primitive import Op, Rule, composition, primitive, shape_of
from backproplab.autograd.samples import reals, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _index_settings(x: Any, index: Any) -> dict[str, Any]:
    """The index of every trailing axis, after an Ellipsis for any leading axes."""
    items: list[Any] = []
    used, dots = 0, None
    for given in index if isinstance(index, tuple) else (index,):
        if given is Ellipsis and dots is None:
            dots = len(items)
            continue
        item = given if type(given) in (int, slice) else _plain(given)
        used += _axes_used(item)
        items.append(item)
    dots = len(items) if dots is None else dots
    whole = [slice(None)] * (len(shape_of(x)) - used)
    return {"index": (Ellipsis, *items[:dots], *whole, *items[dots:])}


def _plain(item: Any) -> Any:
    """Lists and booleans as arrays: an empty list selects nothing, True adds an axis."""
    if isinstance(item, Tensor):
        return item.value
    if isinstance(item, list) and not item:
        return np.empty(0, np.intp)
    return np.asarray(item) if isinstance(item, list | bool | np.bool_) else item


def _axes_used(item: Any) -> int:
    if isinstance(item, np.ndarray) and item.dtype == bool:
        return item.ndim
    return 0 if item is None or item is Ellipsis else 1


def _scatter(
    g: Array, index: Any, shape: tuple[int, ...], trailing: int, out: Array | None = None
) -> Array:
    lead = g.shape[: g.ndim - trailing]
    if out is None:
        result = np.zeros(lead + shape, g.dtype)
    else:
        result = out
        result[...] = 0
    if any(isinstance(i, np.ndarray) and i.dtype != bool for i in index):
        np.add.at(result, index, g)  # repeated indices add up
    else:
        result[index] = g
    return result


def _take(x: Array, index: Any, out: Array | None = None) -> Array:
    if out is None:
        return x[index]
    np.copyto(out, x[index])
    return out


take: Op = primitive(
    "take",
    _take,
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


_concatenate = primitive(
    "concatenate",
    lambda *xs, axis, out=None: np.concatenate(xs, axis=axis, out=out),
    vjp=_join_rule,
    samples=[reals((2, 3), (4, 3), axis=0), reals((2, 3), (2, 1), (2, 2), axis=-1)],
    settings=lambda *xs, axis=0: {"axis": axis_from_right(axis, len(shape_of(xs[0])))},
    doc="The arrays joined along an existing ``axis``.",
)


def _listed(arrays: Sequence[Any]) -> Sequence[Any]:
    """The arrays of ``f(a, b)`` or of NumPy's ``f([a, b])``; one array is its entries, as there."""
    listed = arrays[0] if len(arrays) == 1 else arrays
    if not len(listed):
        raise ValueError("need at least one array to join")
    return [x if hasattr(x, "shape") else np.asarray(x) for x in listed]


@composition
def concatenate(*arrays: Any, axis: int | None = 0) -> Tensor:
    """The arrays, or those of one list, joined along an existing ``axis`` (None: raveled)."""
    if axis is None:
        return _concatenate(*[ravel(x) for x in _listed(arrays)])
    return _concatenate(*_listed(arrays), axis=axis)


@composition
def stack(*arrays: Any, axis: int = 0) -> Tensor:
    """The arrays, or those of one list, joined along a new ``axis``."""
    return _concatenate(*[expand_dims(x, axis=axis) for x in _listed(arrays)], axis=axis)


@composition
def hstack(*arrays: Any) -> Tensor:
    """The arrays, or those of one list, joined along the second axis, or along their only one."""
    rows = [x if x.ndim else reshape(x, shape=1) for x in _listed(arrays)]
    return _concatenate(*rows, axis=0 if rows[0].ndim == 1 else 1)


@composition
def vstack(*arrays: Any) -> Tensor:
    """The arrays, or those of one list, joined along the first axis; an array of one axis is a
    row."""
    rows = [x if x.ndim > 1 else reshape(x, shape=(1, -1)) for x in _listed(arrays)]
    return _concatenate(*rows, axis=0)


def part(x: Any, axis: int, piece: Any) -> Tensor:
    """x[piece] along one axis, counted from the right."""
    return take(x, index=(Ellipsis, piece, *[slice(None)] * (-axis - 1)))


@composition
def split(x: Any, *, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """x cut along ``axis`` into this number of equal parts, or at these indices."""
    at = axis_from_right(axis, len(shape_of(x)))
    length, parts = shape_of(x)[at], numbers(indices_or_sections)
    if np.ndim(indices_or_sections) == 0 and length % parts[0]:
        raise ValueError(f"{length} entries cannot be cut into {parts[0]} equal parts")
    return array_split(x, indices_or_sections=indices_or_sections, axis=axis)


@composition
def array_split(x: Any, *, indices_or_sections: int | Sequence[int], axis: int = 0) -> list[Tensor]:
    """As ``split``; if the parts cannot be equal, the first ones are longer by 1."""
    at = axis_from_right(axis, len(shape_of(x)))
    length, places = shape_of(x)[at], list(numbers(indices_or_sections))
    if np.ndim(indices_or_sections) == 0:
        size, longer = divmod(length, places[0])
        places = [i * size + min(i, longer) for i in range(1, places[0])]
    return [part(x, at, slice(start, end)) for start, end in pairwise([0, *places, length])]


@composition
def flip(x: Any, *, axis: int | Sequence[int] | None = None) -> Tensor:
    """x reversed along ``axis`` (None: along every axis)."""
    ndim = len(shape_of(x))
    turned = axes_from_right(axis, ndim)
    back, whole = slice(None, None, -1), slice(None)
    return take(x, index=tuple(back if a in turned else whole for a in range(-ndim, 0)))


@composition
def roll(x: Any, *, shift: int | Sequence[int], axis: int | Sequence[int] | None = None) -> Tensor:
    """x shifted circularly by ``shift`` entries along ``axis`` (None: raveled)."""
    if axis is None:
        return reshape(roll(ravel(x), shift=shift, axis=0), shape=shape_of(x))
    for by, along in zip(*np.broadcast_arrays(numbers(shift), numbers(axis)), strict=True):
        at = axis_from_right(along, len(shape_of(x)))
        cut = int(-by % max(shape_of(x)[at], 1))
        x = _concatenate(part(x, at, slice(cut, None)), part(x, at, slice(0, cut)), axis=at)
    return x


@composition
def diff(x: Any, *, n: int = 1, axis: int = -1) -> Tensor:
    """x[1:] - x[:-1] along ``axis``, ``n`` times."""
    at = axis_from_right(axis, len(shape_of(x)))
    for _ in range(n):
        x = part(x, at, slice(1, None)) - part(x, at, slice(None, -1))
    return x


def _pad_settings(
    x: Any, pad_width: int | Sequence[Any], constant_values: float = 0.0, mode: str = "constant"
) -> dict[str, Any]:
    if mode != "constant":
        raise GraphError(f"pad: mode {mode!r} has no rule; only 'constant'")
    if np.ndim(constant_values):
        raise GraphError(f"pad: constant_values must be one number, got {constant_values}")
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
    settings=lambda x, indices, axis=-1: {"axis": axis_from_right(axis, len(shape_of(x)))},
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
