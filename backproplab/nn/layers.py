"""The layers that hold weights or chance: dense, dropout."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from backproplab.autograd import Tensor
from backproplab.autograd.ops.linalg import matrix_product
from backproplab.autograd.ops.random import dropout_mask
from backproplab.autograd.ops.shapes import expand_dims
from backproplab.nn.activations import Activation, Linear
from backproplab.nn.initializers import Initializer, Zeros
from backproplab.nn.layer import Layer, Shape, Weight
from backproplab.spec import Count, Fraction


class Dense(Layer, name="dense"):
    """activation(x W + b): W of shape (units_in, units), b of shape (units,).

    x: (…, batch, units_in). Without an ``initializer`` the model's one draws W; b begins at zero.
    """

    units: Count
    activation: Activation = Linear()
    bias: bool = True
    initializer: Initializer | None = None

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 1:
            raise ValueError(f"dense takes flat examples (units,), got {shape}")
        return (self.units,)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        kernel = {"kernel": Weight((shape[-1], self.units), self.initializer)}
        return kernel | ({"bias": Weight((self.units,), Zeros())} if self.bias else {})

    def apply(
        self, weights: Mapping[str, Tensor], x: Tensor, generator: np.random.Generator | None
    ) -> Tensor:
        z = matrix_product(x, weights["kernel"])
        if self.bias:
            z = z + expand_dims(weights["bias"], axis=-2)  # (…, 1, units)
        return self.activation(z)


class Dropout(Layer, name="dropout"):
    """In training each entry is 0 with probability ``rate``, else scaled by 1 / (1 - rate).

    In evaluation it is the identity. Srivastava et al. 2014, in the inverted form.
    """

    rate: Fraction

    def apply(
        self, weights: Mapping[str, Tensor], x: Tensor, generator: np.random.Generator | None
    ) -> Tensor:
        if generator is None or self.rate == 0:
            return x
        return x * dropout_mask(x, rate=self.rate, generator=generator)
