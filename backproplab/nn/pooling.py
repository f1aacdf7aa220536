"""Pooling layers for (height, width, channels) or (length, channels), channel by channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from backproplab.autograd import Tensor, ops
from backproplab.autograd.ops.pooling import check_padding
from backproplab.autograd.windows import Windows
from backproplab.nn.convolution import Numbers, Padding
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weights


def rank_of(shape: Shape) -> int:
    """The number of spatial axes, 1 or 2. Raises ShapeError for another number."""
    if len(shape) not in (2, 3):
        raise ShapeError("takes (height, width, channels) or (length, channels)")
    return len(shape) - 1


class Pooling(Layer):
    """One number for each window; windows do not overlap by default.

    window, stride: one number for all axes, or one for each axis; stride: by default ``window``.
    padding: as in conv2d; padded entries are ignored.
    """

    function: ClassVar[Callable[..., Any]]

    window: Numbers = 2
    stride: Numbers | None = None
    padding: Padding = "valid"

    def windows(self, shape: Shape) -> Windows:
        return Windows.of(self.window, rank_of(shape), self.stride or self.window)

    def output_shape(self, shape: Shape) -> Shape:
        windows = self.windows(shape)
        check_padding(windows, shape[:-1], self.padding)
        return (*windows.counts_after(shape[:-1], self.padding), shape[-1])

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        windows = self.windows(at.shape)
        settings = {"window": windows.size, "stride": windows.stride, "padding": self.padding}
        return type(self).function(x, **settings)


class MaxPool(Pooling, name="max_pool"):
    """The largest entry of each window; at a tie the first gets the gradient."""

    function = staticmethod(ops.max_pool)


class AvgPool(Pooling, name="avg_pool"):
    """The mean of each window."""

    function = staticmethod(ops.avg_pool)


class GlobalPooling(Layer):
    """(…, channels) -> (channels,)."""

    function: ClassVar[Callable[..., Any]]

    def output_shape(self, shape: Shape) -> Shape:
        rank_of(shape)
        return shape[-1:]

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return type(self).function(x, rank=rank_of(at.shape))


class GlobalAvgPool(GlobalPooling, name="global_avg_pool"):
    """The mean of each channel."""

    function = staticmethod(ops.global_avg_pool)


class GlobalMaxPool(GlobalPooling, name="global_max_pool"):
    """The largest entry of each channel."""

    function = staticmethod(ops.global_max_pool)
