"""Layers that change shapes or hold layers: flatten, reshape, residual."""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from pydantic import Field, WithJsonSchema

from backproplab.autograd import Tensor
from backproplab.autograd.ops.shapes import reshape
from backproplab.nn.activations import Activation, Linear
from backproplab.nn.chain import Place, chain, named_weights
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


class Block(Layer):
    """A layer that holds a chain of layers, which keeps the shape.

    Weights have both layers' names: ``residual_1/conv2d_1/kernel``.
    use: what it does with the chain's result, for the message.
    """

    layers: Layers

    use: ClassVar[str]

    def output_shape(self, shape: Shape) -> Shape:
        after = self.inner(shape)[-1].output_shape
        if after != shape:
            raise ShapeError(f"{self.use} {after}, which must be of the same shape")
        return shape

    def inner(self, shape: Shape) -> tuple[Place, ...]:
        """The layers with their names and shapes."""
        return chain(self.layers, shape, "the block's input")

    def through(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        """The chain's result for ``x``."""
        for place in self.inner(at.shape):
            x = place.apply(weights, x, at.generator)
        return x

    @property
    def mixes_examples(self) -> bool:
        return any(layer.mixes_examples for layer in self.layers)

    @property
    def mixes_members(self) -> bool:
        return any(layer.mixes_members for layer in self.layers)

    @property
    def differs_in_training(self) -> bool:
        return any(layer.differs_in_training for layer in self.layers)

    def blocked(self, shape: Shape, examples: int) -> str:
        inner = self.inner(shape)
        found = (p.layer.blocked(p.input_shape, examples) for p in inner)
        return next((f"{p.name} {why}" for p, why in zip(inner, found, strict=True) if why), "")

    def footprint(self, shape: Shape) -> int:
        return sum(place.layer.footprint(place.input_shape) for place in self.inner(shape))

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return named_weights(self.inner(shape))


class Residual(Block, name="residual"):
    """activation(x + f(x)), where f is the chain ``layers``, which keeps the shape. He et al. 2015.

    Weights have both layers' names: ``residual_1/conv2d_1/kernel``.
    """

    layers: Layers
    activation: Annotated[Activation, Off("linear")] = Linear()

    use = "adds its input to"

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return self.activation(x + self.through(weights, x, at))
