"""Convolution layers, channels last."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Annotated, Any, ClassVar

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from backproplab.autograd import Tensor, ops
from backproplab.autograd.windows import Windows
from backproplab.nn.activations import Activation, Linear
from backproplab.nn.initializers import Initializer, Zeros
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weight, Weights
from backproplab.spec import Count, Off


def _is_size(value: Any, least: int) -> bool:
    return type(value) is int and least <= value <= MOST


def _numbers(value: Any) -> int | tuple[int, ...]:
    """Validate by hand, for one message: pydantic reports each branch of a union."""
    if _is_size(value, 1):
        return value
    if isinstance(value, list | tuple) and value and all(_is_size(n, 1) for n in value):
        return tuple(value)
    raise PydanticCustomError("numbers", "must be a whole number from 1, or a list of them")


def _padding(value: Any) -> int | str:
    if value in ("valid", "same") or _is_size(value, 0):
        return value
    raise PydanticCustomError("padding", "must be valid, same or a whole number from 0")


MOST = 10**6
_SIZE = {"type": "integer", "minimum": 1, "maximum": MOST}
Numbers = Annotated[
    int | tuple[int, ...],
    PlainValidator(_numbers),
    WithJsonSchema({"anyOf": [_SIZE, {"type": "array", "items": _SIZE, "minItems": 1}]}),
]
Padding = Annotated[
    int | str,
    PlainValidator(_padding),
    WithJsonSchema({"anyOf": [{"enum": ["valid", "same"]}, _SIZE | {"minimum": 0}]}),
]


class Convolution(Layer):
    """activation(conv(x, kernel) + bias); the kernel slides over the axes before the channels.

    kernel, stride, dilation: one number for all axes, or one for each axis.
    padding: ``valid`` (none), ``same`` (at stride 1 the output has the input's size), or the
        number of zeros on each side.
    """

    rank: ClassVar[int]
    takes: ClassVar[str]
    function: ClassVar[Callable[..., Any]]

    filters: Count
    kernel: Numbers = 3
    stride: Numbers = 1
    padding: Padding = "valid"
    dilation: Numbers = 1
    activation: Annotated[Activation, Off("linear")] = Linear()
    bias: bool = True
    initializer: Initializer | None = None
    bias_initializer: Initializer = Zeros()

    @property
    def windows(self) -> Windows:
        return Windows.of(self.kernel, self.rank, self.stride, self.dilation)

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != self.rank + 1:
            hint = f"put reshape before it, {{reshape: [{self.takes}]}}"
            raise ShapeError(f"takes ({self.takes})", hint)
        return (*self.windows.counts_after(shape[:-1], self.padding), self.filters)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        kernel_shape = (*self.windows.size, shape[-1], self.filters)
        kernel = {"kernel": Weight(kernel_shape, self.initializer)}
        return kernel | (
            {"bias": Weight((self.filters,), self.bias_initializer)} if self.bias else {}
        )

    def footprint(self, shape: Shape) -> int:
        """Numbers kept for an example: the result, and a copy of every window."""
        *counts, filters = self.output_shape(shape)
        return prod(counts) * (filters + prod(self.windows.size) * shape[-1])

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        settings = {"stride": self.stride, "padding": self.padding, "dilation": self.dilation}
        z = type(self).function(x, weights["kernel"], **settings)
        if self.bias:
            z = z + at.align(weights["bias"])
        return self.activation(z)


class Conv2d(Convolution, name="conv2d"):
    """(height, width, channels) -> (…, …, filters); kernel (kh, kw, channels, filters)."""

    rank = 2
    takes = "height, width, channels"
    function = staticmethod(ops.conv2d)


class Conv1d(Convolution, name="conv1d"):
    """(length, channels) -> (…, filters); kernel (k, channels, filters)."""

    rank = 1
    takes = "length, channels"
    function = staticmethod(ops.conv1d)
