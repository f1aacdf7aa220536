"""Layers for flat features: dense, dropout, embedding."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

import numpy as np

from backproplab.autograd import Tensor, primitive
from backproplab.autograd.lowering import into
from backproplab.autograd.ops.linalg import matrix_product
from backproplab.autograd.ops.lookup import embedding
from backproplab.autograd.ops.random import dropout_mask
from backproplab.autograd.samples import sample
from backproplab.columns import add_axes
from backproplab.errors import DataError
from backproplab.nn.activations import Activation, Linear
from backproplab.nn.initializers import Initializer, Uniform, Zeros
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weight, Weights
from backproplab.spec import Count, Fraction, Off


class Dense(Layer, name="dense"):
    """activation(x W + b): W of shape (units_in, units), b of shape (units,).

    x: (…, batch, units_in). Without an ``initializer`` the model's draws W.
    """

    units: Count
    activation: Annotated[Activation, Off("linear")] = Linear()
    bias: bool = True
    initializer: Initializer | None = None
    bias_initializer: Initializer = Zeros()

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError("takes (units,)", "put flatten before it")
        return (self.units,)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        kernel = {"kernel": Weight((shape[-1], self.units), self.initializer)}
        return kernel | (
            {"bias": Weight((self.units,), self.bias_initializer)} if self.bias else {}
        )

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        z = matrix_product(x, weights["kernel"])
        if self.bias:
            z = z + at.align(weights["bias"])  # (…, 1, units)
        return self.activation(z)


class Dropout(Layer, name="dropout"):
    """In training, sets entries to 0 with probability ``rate``; scales others by 1 / (1 - rate).

    In evaluation it is the identity. Inverted form of Srivastava et al. 2014.
    """

    rate: Fraction

    by_member = ("rate",)

    @property
    def differs_in_training(self) -> bool:
        return True

    def blocked(self, shape: Shape, examples: int) -> str:
        kept = examples * prod(shape) * (1 - self.rate)
        return f"keeps {kept:.2g} values of a batch on average" if kept < 1 else ""

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        if at.generator is None:
            return x
        return x * dropout_mask(x, rate=add_axes(self.rate, x.ndim), generator=at.generator)


class Embedding(Layer, name="embedding"):
    """The row of ``table`` (vocabulary, units) for each whole number of a sequence.

    x: (…, batch, length), with numbers from 0 to vocabulary - 1. Result: (…, batch, length, units).
    """

    vocabulary: Count
    units: Count
    initializer: Initializer = Uniform()

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ShapeError("takes (length,) whole numbers", "put it first")
        return (*shape, self.units)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return {"table": Weight((self.vocabulary, self.units), self.initializer)}

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return embedding(whole_numbers(x), weights["table"])


def _whole_numbers(x: Any) -> Any:
    broken = x[x != np.rint(x)]
    if broken.size:
        raise DataError(
            f"embedding takes whole numbers, got {broken[0]:g} — set data.standardize=false"
        )
    return x.astype(np.int64)


whole_numbers = primitive(
    "whole_numbers",
    into(_whole_numbers),
    vjp=[None],
    samples=sample(lambda rng: (np.rint(10 * rng.standard_normal((3, 4))),)),
    doc="x as integers; raises DataError if an entry is not a whole number.",
)
