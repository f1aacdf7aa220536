"""Convolution, channels last: one matrix product of a batch's patches with the kernel."""

from __future__ import annotations

from math import prod
from typing import Any

from backproplab.autograd.ops.linalg import matrix_product
from backproplab.autograd.ops.shapes import reshape
from backproplab.autograd.ops.windows import padded, patches
from backproplab.autograd.primitive import composition, shape_of
from backproplab.autograd.tensor import Tensor
from backproplab.autograd.windows import Numbers, Padding, Windows
from backproplab.errors import GraphError


@composition
def conv2d(
    x: Any, kernel: Any, *, stride: Numbers = 1, padding: Padding = "valid", dilation: Numbers = 1
) -> Tensor:
    """y[n, i, j, o] = Σ x[n, i s + a d, j s + b d, c] kernel[a, b, c, o]: cross-correlation.

    x: (…, n, height, width, channels).  kernel: (…, kh, kw, channels, filters); leading axes are
    a population.  padding: "valid", "same" (as in Keras), or a number of zeros on both sides.
    """
    return _convolve(x, kernel, 2, stride, padding, dilation)


@composition
def conv1d(
    x: Any, kernel: Any, *, stride: Numbers = 1, padding: Padding = "valid", dilation: Numbers = 1
) -> Tensor:
    """y[n, i, o] = Σ x[n, i s + a d, c] kernel[a, c, o]: as conv2d, over one axis."""
    return _convolve(x, kernel, 1, stride, padding, dilation)


def _convolve(
    x: Any, kernel: Any, rank: int, stride: Numbers, padding: Padding, dilation: Numbers
) -> Tensor:
    population, size, channels, filters = _kernel_shape(x, kernel, rank)
    windows = Windows.of(size, rank, stride, dilation)
    seen = patches(padded(x, windows, padding), windows=windows)
    lead, counts = seen.shape[: -2 * rank - 1], seen.shape[-2 * rank - 1 : -rank - 1]
    members, batch = (lead[:-1], lead[-1:]) if population else ((), lead)
    terms = prod(size) * channels
    rows = reshape(seen, shape=(*members, prod((*batch, *counts)), terms))
    y = matrix_product(rows, reshape(kernel, shape=(*population, terms, filters)))
    return reshape(y, shape=(*y.shape[:-2], *batch, *counts, filters))


def _kernel_shape(
    x: Any, kernel: Any, rank: int
) -> tuple[tuple[int, ...], tuple[int, ...], int, int]:
    """(population, size, channels, filters) of a kernel. GraphError if it does not fit x."""
    given, shape = shape_of(x), shape_of(kernel)
    if len(given) <= rank or len(shape) < rank + 2 or given[-1] != shape[-2]:
        raise GraphError(
            f"a kernel (…, *size, channels, filters) of shape {shape} cannot go over "
            f"x (…, *spatial, channels) of shape {given}"
        )
    return shape[: -rank - 2], shape[-rank - 2 : -2], shape[-2], shape[-1]
