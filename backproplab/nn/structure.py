"""Layers that change shapes or nest layers: flatten, reshape, residual."""

from __future__ import annotations

from math import prod
from typing import Annotated

from pydantic import Field, WithJsonSchema

from backproplab.autograd import Tensor
from backproplab.autograd.ops.shapes import reshape
from backproplab.nn.activations import Activation, Linear
from backproplab.nn.chain import chain, named_weights
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weight, Weights
from backproplab.spec import Count, Off

# the JSON schema of nested layers would be infinite
Layers = Annotated[
    tuple[Layer, ...], Field(strict=False, min_length=1), WithJsonSchema({"type": "array"})
]


class Reshape(Layer, name="reshape"):
    """Each example in another shape of equal size: ``{reshape: [28, 28, 1]}``."""

    shape: Annotated[tuple[Count, ...], Field(strict=False, min_length=1)]

    def output_shape(self, shape: Shape) -> Shape:
        if prod(shape) != prod(self.shape):
            raise ShapeError(f"makes {self.shape} of {prod(self.shape)} entries")
        return self.shape

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return reshape(x, shape=(*x.shape[: x.ndim - len(at.shape)], *self.shape))


class Flatten(Layer, name="flatten"):
    """(…, …, …) -> (units,)."""

    def output_shape(self, shape: Shape) -> Shape:
        return (prod(shape),)

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return reshape(x, shape=(*x.shape[: x.ndim - len(at.shape)], prod(at.shape)))


class Residual(Layer, name="residual"):
    """activation(x + f(x)), where f is the chain ``layers``, which keeps the shape. He et al. 2015.

    Weights have both layers' names: ``residual_1/conv2d_1/kernel``.
    """

    layers: Layers
    activation: Annotated[Activation, Off("linear")] = Linear()

    def output_shape(self, shape: Shape) -> Shape:
        after = chain(self.layers, shape, "the block's input")[-1].output_shape
        if after != shape:
            raise ShapeError(f"adds its input to {after}, which must be of the same shape")
        return shape

    @property
    def mixes_examples(self) -> bool:
        return any(layer.mixes_examples for layer in self.layers)

    @property
    def differs_in_training(self) -> bool:
        return any(layer.differs_in_training for layer in self.layers)

    def blocked(self, shape: Shape, examples: int) -> str:
        inner = chain(self.layers, shape)
        found = (p.layer.blocked(p.input_shape, examples) for p in inner)
        return next((f"{p.name} {why}" for p, why in zip(inner, found, strict=True) if why), "")

    def footprint(self, shape: Shape) -> int:
        return sum(place.layer.footprint(place.input_shape) for place in chain(self.layers, shape))

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return named_weights(chain(self.layers, shape))

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        y = x
        for place in chain(self.layers, at.shape):
            y = place.apply(weights, y, at.generator)
        return self.activation(x + y)
