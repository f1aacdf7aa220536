"""Pooling: the largest entry or the mean of each window, by channel.

Convention at ties: the first of equal entries, in row-major order, gets the whole gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import sliding, stepwise
from backproplab.autograd.ops import reductions
from backproplab.autograd.ops.indexing import take
from backproplab.autograd.ops.storage import ones_like
from backproplab.autograd.ops.windows import padded, patches
from backproplab.autograd.primitive import Op, composition, primitive, shape_of
from backproplab.autograd.samples import distinct, sample
from backproplab.autograd.tensor import Tensor
from backproplab.autograd.windows import Numbers, Padding, Windows
from backproplab.errors import GraphError


def _empty_max(x: Array, windows: Windows) -> Array:
    lead = x.shape[: -windows.rank - 1]
    return np.empty((*lead, *windows.counts(windows.spatial(x)), x.shape[-1]), x.dtype)


def _ranked(rng: np.random.Generator) -> tuple[Array, Array]:
    """(2, 6, 4) without ties, and the maxima of its windows of 2."""
    x = 0.1 * rng.permutation(48).reshape(2, 6, 4)
    return x, x.reshape(2, 3, 2, 4).max(axis=2)


PAIRS = Windows.of(2, 1, stride=2)
window_max = primitive(
    "window_max",
    stepwise(sliding.window_max, _empty_max),
    lowering=sliding.window_max,
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
    stepwise(sliding.place_at_first, lambda g, x, top, windows: np.empty(x.shape, g.dtype)),
    lowering=sliding.place_at_first,
    vjp=[lambda u, y, g, x, top, windows: pick_at_first(u, x, top, windows=windows), None, None],
    samples=sample(lambda rng: (rng.standard_normal((2, 3, 4)), *_ranked(rng)), windows=PAIRS),
    doc="Zeros like x, with g where a window of x first equals its largest entry.",
)
pick_at_first: Op = primitive(
    "pick_at_first",
    stepwise(sliding.pick_at_first, lambda u, x, top, windows: np.empty(top.shape, u.dtype)),
    lowering=sliding.pick_at_first,
    vjp=[lambda g, y, u, x, top, windows: place_at_first(g, x, top, windows=windows), None, None],
    samples=sample(lambda rng: (rng.standard_normal((2, 6, 4)), *_ranked(rng)), windows=PAIRS),
    doc="The entry of u where a window of x first equals its largest entry.",
)


def _side_by_side(window: Numbers, stride: Numbers | None) -> Windows:
    """Windows with their size as stride unless one is given; a number is the side of a square."""
    size = (window, window) if isinstance(window, int) else tuple(window)
    return Windows.of(size, len(size), size if stride is None else stride)


def check_padding(windows: Windows, spatial: Sequence[int], padding: Padding) -> None:
    """Raise GraphError if a window would contain only padding."""
    around = windows.paddings(tuple(spatial), padding)
    if any(max(p) >= r for p, r in zip(around, windows.reach, strict=True)):
        raise GraphError(f"a padding of {padding} is as wide as the window: it would see nothing")


@composition
def max_pool(
    x: Any, *, window: Numbers = 2, stride: Numbers | None = None, padding: Padding = "valid"
) -> Tensor:
    """The largest entry of each window of x (…, *spatial, channels); padding is never chosen.

    window: a number for a square, or a length per spatial axis, ``(3,)`` for sequences.
    stride: the size of the window by default.  padding: as in conv2d.
    """
    windows = _side_by_side(window, stride)
    check_padding(windows, windows.spatial(x), padding)
    y = padded(x, windows, padding, -np.inf)
    windows.counts(windows.spatial(y))  # raises for the whole window, not for one line of it
    for line in reversed(windows.lines):  # last axis first: ties go to row-major order
        y = window_max(y, windows=line)
    return y


@composition
def avg_pool(
    x: Any, *, window: Numbers = 2, stride: Numbers | None = None, padding: Padding = "valid"
) -> Tensor:
    """The mean of each window; padding does not count, as in Keras. Settings as in max_pool."""
    windows = _side_by_side(window, stride)
    check_padding(windows, windows.spatial(x), padding)
    around = padded(x, windows, padding)
    first, whole = slice(0, 1), slice(None)
    lead = len(shape_of(x)) - windows.rank - 1
    channel = take(x, index=(*[first] * lead, *[whole] * windows.rank, first))
    ones = padded(ones_like(channel), windows, padding)
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
