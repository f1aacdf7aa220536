"""scipy.signal on tensors: convolution over several axes."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.autograd.primitive import shape_of
from backproplab.scipy.others import scipys


def convolve(
    A: Any, B: Any, mode: str = "full", axes: Any = None, dot_axes: Any = ((), ())
) -> Tensor:
    """Σ_k A[n - k] B[k], over all axes as in SciPy, or, as in HIPS/autograd, over some.

    axes: (of A, of B) to convolve over (None: all that are not summed).
    dot_axes: (of A, of B) to multiply and sum over; the other axes of both stand side by side,
        first those of A.
    mode: "full", "valid" for the places where the smaller one is within the larger, or "same" for
        the middle of "full", as large as A.
    """
    if mode not in ("full", "valid", "same"):
        raise ValueError(f"convolve: mode must be 'full', 'valid' or 'same', got {mode!r}")
    ranks = len(shape_of(A)), len(shape_of(B))
    dots = [[a % rank for a in axis] for axis, rank in zip(dot_axes, ranks, strict=True)]
    if axes is None:
        over = [
            [a for a in range(rank) if a not in dot] for rank, dot in zip(ranks, dots, strict=True)
        ]
    else:
        over = [[a % rank for a in axis] for axis, rank in zip(axes, ranks, strict=True)]
    if len(over[0]) != len(over[1]):
        raise ValueError(f"convolve: {ranks[0]} and {ranks[1]} axes do not pair; name axes=")
    free = [
        [a for a in range(rank) if a not in dot and a not in along]
        for rank, dot, along in zip(ranks, dots, over, strict=True)
    ]
    a = ops.transpose(A, axes=[*free[0], *dots[0], *over[0]])
    b = ops.transpose(B, axes=[*free[1], *dots[1], *over[1]])
    spatial = len(over[0])
    if mode == "valid" and spatial and a.shape[-spatial:] < b.shape[-spatial:]:
        return _swapped(_windowed(b, a, spatial, free[::-1], "valid"), free)
    if mode == "same":
        whole = _windowed(a, b, spatial, free, "full")
        places: list[Any] = [Ellipsis]
        for length, wanted in zip(
            whole.shape[whole.ndim - spatial :], a.shape[a.ndim - spatial :], strict=True
        ):
            start = (length - wanted) // 2
            places.append(slice(start, start + wanted))
        return whole[tuple(places)]
    return _windowed(a, b, spatial, free, mode)


def _windowed(a: Tensor, b: Tensor, spatial: int, free: list[list[int]], mode: str) -> Tensor:
    sizes = b.shape[b.ndim - spatial :]
    if mode == "full":
        around = [(n - 1, n - 1) for n in sizes]
        a = ops.pad(a, pad_width=[*[(0, 0)] * (a.ndim - spatial), *around])
    counts = [n - k + 1 for n, k in zip(a.shape[a.ndim - spatial :], sizes, strict=True)]
    index: list[Any] = [Ellipsis]
    for i, (count, size) in enumerate(zip(counts, sizes, strict=True)):
        places = np.arange(count)[:, None] + np.arange(size)[::-1]  # the kernel is flipped
        shape = [1] * (2 * spatial)
        shape[i], shape[spatial + i] = count, size
        index.append(places.reshape(shape))
    windows = ops.take(a, index=tuple(index)) if spatial else a  # (free, dots, counts, sizes)
    own, dots = len(free[0]), a.ndim - spatial - len(free[0])
    front = (*range(own + dots, own + dots + spatial), *range(own, own + dots))
    order = (*range(own), *front, *range(own + dots + spatial, windows.ndim))
    y = ops.tensordot(
        ops.transpose(windows, axes=order),
        ops.transpose(b, axes=(*range(len(free[1]), b.ndim), *range(len(free[1])))),
        axes=dots + spatial,
    )  # (free of a, counts, free of b)
    moved = (*range(own), *range(own + spatial, y.ndim), *range(own, own + spatial))
    return ops.transpose(y, axes=moved)


def _swapped(y: Tensor, free: list[list[int]]) -> Tensor:
    """The axes of A before those of B, where the two were exchanged."""
    first, second = len(free[1]), len(free[0])
    order = (*range(first, first + second), *range(first), *range(first + second, y.ndim))
    return ops.transpose(y, axes=order)


def __getattr__(name: str) -> Any:
    return scipys("signal", name)
