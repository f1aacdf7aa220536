"""Normalization: mean 0 and variance 1 over a batch or over the features, then scale and shift."""

from __future__ import annotations

from typing import Any

from backproplab.autograd.ops.exponential import sqrt, square
from backproplab.autograd.ops.reductions import Axis, mean
from backproplab.autograd.primitive import composition
from backproplab.autograd.tensor import Tensor


def moments(x: Any, axis: Axis) -> tuple[Tensor, Tensor]:
    """The mean and the (biased) variance over ``axis``, which remains with length 1."""
    center = mean(x, axis=axis, keepdims=True)
    return center, mean(square(x - center), axis=axis, keepdims=True)


@composition
def normalize(
    x: Any, mean: Any, variance: Any, scale: Any, shift: Any, *, epsilon: float = 1e-5
) -> Tensor:
    """scale (x - mean) / √(variance + epsilon) + shift; everything broadcasts to x."""
    return (x - mean) * (scale / sqrt(variance + epsilon)) + shift


@composition
def batch_norm(x: Any, scale: Any, shift: Any, *, axis: Axis = -2, epsilon: float = 1e-5) -> Tensor:
    """x (…, n, features) normalized by its own moments over the batch, as in training.

    axis: averaged over, (-4, -3, -2) for images. Ioffe and Szegedy 2015, arXiv 1502.03167.
    """
    return normalize(x, *moments(x, axis), scale, shift, epsilon=epsilon)


@composition
def layer_norm(x: Any, scale: Any, shift: Any, *, axis: Axis = -1, epsilon: float = 1e-5) -> Tensor:
    """x (…, features) normalized by each example's moments. Ba et al. 2016, arXiv 1607.06450."""
    return normalize(x, *moments(x, axis), scale, shift, epsilon=epsilon)
