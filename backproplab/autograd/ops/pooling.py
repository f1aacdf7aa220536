"""Pooling: the largest entry, or the mean, of what each window sees, channel by channel.

Convention at ties: the first of equal entries, row by row, gets the whole gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproplab.autograd.ops import reductions
from backproplab.autograd.ops.indexing import take
from backproplab.autograd.ops.storage import ones_like
from backproplab.autograd.ops.windows import Numbers, Padding, Windows, patches
from backproplab.autograd.primitive import (
    Array,
    Call,
    Op,
    composition,
    primitive,
    shape_of,
    stepwise,
)
from backproplab.autograd.samples import distinct, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _empty_max(x: Array, windows: Windows) -> Array:
    lead = x.shape[: -windows.rank - 1]
    return np.empty((*lead, *windows.counts(windows.spatial(x)), x.shape[-1]), x.dtype)


def _prepare_max(x: Array, out: Array, windows: Windows) -> list[Call]:
    first, *others = [view for _, view in windows.views(x)]
    if not others:
        return [partial(np.copyto, out, first)]
    pairs = zip([first, *[out] * (len(others) - 1)], others, strict=True)
    return [partial(np.maximum, a, b, out=out) for a, b in pairs]


Use = Callable[[tuple[Any, ...], Array], list[Call]]


def _at_firsts(x: Array, top: Array, windows: Windows, dtype: Any, use: Use) -> list[Call]:
    """For each place in the window: find the windows where x is there the first to equal ``top``
    (the last place takes what is left), and ``use(index in patches, their mask of 0 and 1)``."""
    hit = np.empty(top.shape, bool)
    mask, waiting = np.empty(top.shape, dtype), np.empty(top.shape, dtype)
    *others, (last, _) = windows.views(x)
    calls: list[Call] = [partial(waiting.fill, 1)]
    for place, view in others:
        calls += [partial(np.equal, view, top, hit), partial(np.copyto, mask, hit)]
        calls += [partial(np.multiply, mask, waiting, mask), *use(place, mask)]
        calls += [partial(np.subtract, waiting, mask, waiting)]
    return [*calls, *use(last, waiting)]


def _prepare_place(g: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Call]:
    views = {repr(place): view for place, view in windows.views(out)}
    part = np.empty(np.broadcast_shapes(g.shape, top.shape), g.dtype)

    def add(place: tuple[Any, ...], mask: Array) -> list[Call]:
        view = views[repr(place)]
        if windows.apart:
            return [partial(np.multiply, g, mask, view)]
        return [partial(np.multiply, g, mask, part), partial(np.add, view, part, view)]

    return [partial(out.fill, 0), *_at_firsts(x, top, windows, g.dtype, add)]


def _prepare_pick(u: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Call]:
    views = {repr(place): view for place, view in windows.views(u)}
    part = np.empty(out.shape, u.dtype)

    def add(place: tuple[Any, ...], mask: Array) -> list[Call]:
        view = views[repr(place)]
        return [partial(np.multiply, view, mask, part), partial(np.add, out, part, out)]

    return [partial(out.fill, 0), *_at_firsts(x, top, windows, u.dtype, add)]


def _empty_place(g: Array, x: Array, top: Array, windows: Windows) -> Array:
    return np.empty(x.shape, g.dtype)


def _empty_pick(u: Array, x: Array, top: Array, windows: Windows) -> Array:
    return np.empty(top.shape, u.dtype)


def _ranked(rng: np.random.Generator) -> tuple[Array, Array]:
    """(2, 6, 4) without ties, and the maxima of its windows of 2."""
    x = 0.1 * rng.permutation(48).reshape(2, 6, 4)
    return x, x.reshape(2, 3, 2, 4).max(axis=2)


PAIRS = Windows.of(2, 1, stride=2)
window_max = primitive(
    "window_max",
    stepwise(_prepare_max, _empty_max),
    prepare=_prepare_max,
    vjp=[lambda g, y, x, windows: place_at_first(g, x, y, windows=windows)],
    samples=[
        distinct((2, 4, 6, 3), windows=Windows.of(2, 2, stride=2)),
        distinct((2, 5, 6, 2), windows=Windows.of((3, 2), 2, stride=(1, 2), dilation=(2, 1))),
        distinct((2, 6, 3), windows=Windows.of(2, 1)),
    ],
    doc="(…, *spatial, c) -> (…, *counts, c): the largest entry in each window.",
)
place_at_first: Op = primitive(
    "place_at_first",
    stepwise(_prepare_place, _empty_place),
    prepare=_prepare_place,
    vjp=[lambda u, y, g, x, top, windows: pick_at_first(u, x, top, windows=windows), None, None],
    samples=sample(lambda rng: (rng.standard_normal((2, 3, 4)), *_ranked(rng)), windows=PAIRS),
    doc="Zeros like x, with g where a window of x first equals its largest entry.",
)
pick_at_first: Op = primitive(
    "pick_at_first",
    stepwise(_prepare_pick, _empty_pick),
    prepare=_prepare_pick,
    vjp=[lambda g, y, u, x, top, windows: place_at_first(g, x, top, windows=windows), None, None],
    samples=sample(lambda rng: (rng.standard_normal((2, 6, 4)), *_ranked(rng)), windows=PAIRS),
    doc="The entry of u where a window of x first equals its largest entry.",
)


def _side_by_side(window: Numbers, stride: Numbers | None) -> Windows:
    """Windows that tile, unless a stride is given; a number is the side of a square."""
    size = (window, window) if isinstance(window, int) else tuple(window)
    return Windows.of(size, len(size), size if stride is None else stride)


def check_padding(windows: Windows, spatial: Sequence[int], padding: Padding) -> None:
    """GraphError if some window would see nothing but padding."""
    around = windows.paddings(tuple(spatial), padding)
    if any(max(p) >= r for p, r in zip(around, windows.reach, strict=True)):
        raise GraphError(f"a padding of {padding} is as wide as the window: it would see nothing")


@composition
def max_pool(
    x: Any, *, window: Numbers = 2, stride: Numbers | None = None, padding: Padding = "valid"
) -> Tensor:
    """The largest entry of each window of x (…, *spatial, channels); padding never wins.

    window: a number for a square, or a length for each spatial axis, ``(3,)`` for sequences.
    stride: the window's own size by default.  padding: as in conv2d.
    """
    windows = _side_by_side(window, stride)
    check_padding(windows, windows.spatial(x), padding)
    y = windows.pad(x, padding, -np.inf)
    windows.counts(windows.spatial(y))  # told of the windows as they are, not line by line
    for line in reversed(windows.lines):  # the last axis first: ties go to the first, row by row
        y = window_max(y, windows=line)
    return y


@composition
def avg_pool(
    x: Any, *, window: Numbers = 2, stride: Numbers | None = None, padding: Padding = "valid"
) -> Tensor:
    """The mean of each window; padding does not count, as in Keras. Settings as in max_pool."""
    windows = _side_by_side(window, stride)
    check_padding(windows, windows.spatial(x), padding)
    around = windows.pad(x, padding)
    first, whole = slice(0, 1), slice(None)
    lead = len(shape_of(x)) - windows.rank - 1
    channel = take(x, index=(*[first] * lead, *[whole] * windows.rank, first))
    ones = windows.pad(ones_like(channel), padding)
    total, count = (
        reductions.sum(patches(a, windows=windows), axis=windows.inner) for a in (around, ones)
    )
    return total / count


@composition
def global_max_pool(x: Any, *, rank: int = 2) -> Tensor:
    """The largest entry of each channel over ``rank`` spatial axes: (…, n, channels)."""
    return reductions.max(x, axis=tuple(range(-rank - 1, -1)))


@composition
def global_avg_pool(x: Any, *, rank: int = 2) -> Tensor:
    """The mean of each channel over ``rank`` spatial axes: (…, n, channels)."""
    return reductions.mean(x, axis=tuple(range(-rank - 1, -1)))
