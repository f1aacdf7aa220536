"""Rules of padding and of ops on windows: patches, their transpose, and the largest entries."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from backproplab.arrays import Array
from backproplab.autograd.lowering.calls import Call, in_one_pass
from backproplab.autograd.windows import Sizes, Windows

Use = Callable[[tuple[Any, ...], Array], list[Call]]


def pad(
    x: Array, out: Array, pad_width: tuple[tuple[int, int], ...], constant_values: float
) -> list[Call]:
    calls: list[Call] = []
    inner: list[Any] = []
    for before, after in pad_width:
        axis = len(inner) - len(pad_width)
        n = out.shape[axis]
        rest = [slice(None)] * (-axis - 1)
        for rim in (slice(0, before), slice(n - after, n)):
            if rim.start < rim.stop:  # what earlier axes have filled is not filled again
                calls.append(partial(np.copyto, out[(..., *inner, rim, *rest)], constant_values))
        inner.append(slice(before, n - after))
    return [*calls, partial(np.copyto, out[(..., *inner)], x)]


def patches(x: Array, out: Array, windows: Windows) -> list[Call]:
    *lead, channel = x.strides
    steps = lead[-windows.rank :]
    over = [t * s for t, s in zip(steps, windows.stride, strict=True)]
    inside = [t * d for t, d in zip(steps, windows.dilation, strict=True)]
    strides = (*lead[: -windows.rank], *over, *inside, channel)
    return [partial(np.copyto, out, as_strided(x, out.shape, strides, writeable=False))]


@in_one_pass
def fold(x: Array, out: Array, windows: Windows, spatial: Sizes) -> list[Call]:
    views = windows.views(out)
    return [partial(out.fill, 0), *[partial(np.add, v, x[place], out=v) for place, v in views]]


@in_one_pass
def window_max(x: Array, out: Array, windows: Windows) -> list[Call]:
    first, *others = [view for _, view in windows.views(x)]
    if not others:
        return [partial(np.copyto, out, first)]
    pairs = zip([first, *[out] * (len(others) - 1)], others, strict=True)
    return [partial(np.maximum, a, b, out=out) for a, b in pairs]


@in_one_pass
def place_at_first(g: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Call]:
    views = {repr(place): view for place, view in windows.views(out)}
    part = np.empty(np.broadcast_shapes(g.shape, top.shape), g.dtype)

    def add(place: tuple[Any, ...], mask: Array) -> list[Call]:
        view = views[repr(place)]
        if windows.apart:
            return [partial(np.multiply, g, mask, view)]
        return [partial(np.multiply, g, mask, part), partial(np.add, view, part, view)]

    return [partial(out.fill, 0), *_at_firsts(x, top, windows, g.dtype, add)]


def pick_at_first(u: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Call]:
    views = {repr(place): view for place, view in windows.views(u)}
    part = np.empty(out.shape, u.dtype)

    def add(place: tuple[Any, ...], mask: Array) -> list[Call]:
        view = views[repr(place)]
        return [partial(np.multiply, view, mask, part), partial(np.add, out, part, out)]

    return [partial(out.fill, 0), *_at_firsts(x, top, windows, u.dtype, add)]


def _at_firsts(x: Array, top: Array, windows: Windows, dtype: Any, use: Use) -> list[Call]:
    """For each position in the window: mark the windows whose first entry equal to ``top`` is at
    it (the last position gets the rest), and ``use(index in patches, mask of 0 and 1)``."""
    hit = np.empty(top.shape, bool)
    mask, waiting = np.empty(top.shape, dtype), np.empty(top.shape, dtype)
    *others, (last, _) = windows.views(x)
    inf, one = np.array(np.inf, top.dtype), np.ones((), top.dtype)
    calls: list[Call] = [  # 1, and NaN in a window with NaN: which entry is the largest?
        partial(np.maximum, top, inf, out=waiting),
        partial(np.minimum, waiting, one, out=waiting),
    ]
    for place, view in others:
        calls += [partial(np.equal, view, top, hit), partial(np.copyto, mask, hit)]
        calls += [partial(np.multiply, mask, waiting, mask), *use(place, mask)]
        calls += [partial(np.subtract, waiting, mask, waiting)]
    return [*calls, *use(last, waiting)]
