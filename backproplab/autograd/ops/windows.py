"""The entries of each window as an array, and the transpose, which adds them back in place.

Both are linear, and each is in the vjp rule of the other. Convolution and pooling use this file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import sliding, stepwise
from backproplab.autograd.ops.indexing import pad
from backproplab.autograd.primitive import Op, primitive, shape_of
from backproplab.autograd.samples import reals
from backproplab.autograd.windows import Padding, Sizes, Windows


def padded(x: Any, windows: Windows, padding: Padding, value: float = 0.0) -> Any:
    """x with ``value`` around its spatial axes."""
    width = windows.paddings(windows.spatial(x), padding)
    if not any(map(any, width)):
        return x
    lead = [(0, 0)] * (len(shape_of(x)) - windows.rank - 1)
    return pad(x, pad_width=(*lead, *width, (0, 0)), constant_values=value)


FEW = 4  # channels: with fewer, copying by position in the window is in longer runs


def _empty_patches(x: Array, windows: Windows) -> Array:
    """Memory for patches. With few channels, the entries at one position in the window are
    adjacent; a matrix product reads either order equally well."""
    *lead, channels = x.shape
    lead, spatial = lead[: -windows.rank], lead[-windows.rank :]
    counts, rank = windows.counts(tuple(spatial)), windows.rank
    if channels >= FEW:
        return np.empty((*lead, *counts, *windows.size, channels), x.dtype)
    apart = np.empty((*windows.size, channels, *lead, *counts), x.dtype)
    return np.moveaxis(apart, range(rank + 1), range(-rank - 1, 0))


def _empty_fold(x: Array, windows: Windows, spatial: Sizes) -> Array:
    return np.empty((*x.shape[: -2 * windows.rank - 1], *spatial, x.shape[-1]), x.dtype)


patches: Op = primitive(
    "patches",
    stepwise(sliding.patches, _empty_patches),
    lowering=sliding.patches,
    vjp=[lambda g, y, x, windows: fold(g, windows=windows, spatial=windows.spatial(x))],
    samples=[
        reals((2, 5, 4, 3), windows=Windows.of((3, 2), 2)),
        reals((2, 7, 6, 2), windows=Windows.of((2, 3), 2, stride=(2, 1), dilation=(3, 2))),
        reals((2, 6, 3), windows=Windows.of(3, 1, stride=2)),
    ],
    doc="(…, *spatial, c) -> (…, *counts, *size, c): the entries of each window.",
)
fold: Op = primitive(
    "fold",
    stepwise(sliding.fold, _empty_fold),
    lowering=sliding.fold,
    vjp=[lambda g, y, x, windows, spatial: patches(g, windows=windows)],
    samples=[
        reals((2, 3, 3, 3, 2, 3), windows=Windows.of((3, 2), 2), spatial=(5, 4)),
        reals((2, 2, 3, 2), windows=Windows.of(3, 1, stride=2), spatial=(6,)),
    ],
    doc="The entries of each window added at their positions in x: the transpose of patches.",
)
