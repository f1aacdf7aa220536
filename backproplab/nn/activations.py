"""Activations: elementwise functions, each usable as a layer and as a value of ``activation:``."""

from __future__ import annotations

from functools import reduce
from operator import mul
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.autograd.ops import activations as functions
from backproplab.autograd.ops import exponential, trigonometric
from backproplab.nn.layer import Layer, Pass, Weights
from backproplab.spec import NonNegative


class Activation(Layer, family=True):
    """An elementwise function of the previous layer's output.

    dead: a unit that gives this for every example has no slope anywhere; None if there is none.
    knees: outputs below and above which it is nearly flat: within 1 % of a bound.
    """

    required = ("function",)
    function: ClassVar[Any]
    dead: ClassVar[float | None] = None
    knees: ClassVar[tuple[float, float] | None] = None

    def slope(self, z: Array, y: Array) -> Array:
        """σ'(z), written by hand, where y = σ(z); at a kink the one from the left."""
        raise NotImplementedError

    def __call__(self, x: Tensor) -> Tensor:
        return type(self).function(x, **self.model_dump())

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        return self(x)


class Linear(Activation, name="linear"):
    """x."""

    function = staticmethod(lambda x: x)

    def slope(self, z: Array, y: Array) -> Array:
        return np.ones_like(z)


class Relu(Activation, name="relu"):
    """max(x, 0), with derivative 0 at 0."""

    function = functions.relu
    dead = 0.0

    def slope(self, z: Array, y: Array) -> Array:
        return (z > 0).astype(z.dtype)


class LeakyRelu(Activation, name="leaky_relu"):
    """x where x > 0, else alpha x."""

    alpha: NonNegative = 0.3
    function = staticmethod(functions.leaky_relu)

    def slope(self, z: Array, y: Array) -> Array:
        return np.where(z > 0, 1, self.alpha).astype(z.dtype)


class Elu(Activation, name="elu"):
    """x where x > 0, else alpha (eˣ - 1)."""

    alpha: NonNegative = 1.0
    function = staticmethod(functions.elu)

    def slope(self, z: Array, y: Array) -> Array:
        return np.where(z > 0, 1, y + self.alpha).astype(z.dtype)  # α eᶻ = y + α


class Selu(Activation, name="selu"):
    """1.0507 elu(x, 1.6733): keeps zero mean and unit variance with lecun_normal."""

    function = staticmethod(functions.selu)

    def slope(self, z: Array, y: Array) -> Array:
        scale, alpha = functions.SELU_SCALE, functions.SELU_ALPHA
        return np.where(z > 0, scale, y + scale * alpha).astype(z.dtype)


class Gelu(Activation, name="gelu"):
    """x Φ(x), with Φ the normal distribution function."""

    function = staticmethod(functions.gelu)

    def slope(self, z: Array, y: Array) -> Array:
        """Φ(z) + z φ(z)."""
        below = 0.5 * functions.erfc(Tensor(-z * np.sqrt(0.5).item())).value
        return below + z * np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi).item()


class Silu(Activation, name="silu"):
    """x sigmoid(x), also called swish."""

    function = staticmethod(functions.silu)

    def slope(self, z: Array, y: Array) -> Array:
        """s + z s (1 - s) = s + y (1 - s), with s = sigmoid z."""
        s = _sigmoid(z)
        return s + y * (1 - s)


class Softplus(Activation, name="softplus"):
    """ln(1 + eˣ)."""

    function = functions.softplus

    def slope(self, z: Array, y: Array) -> Array:
        return _sigmoid(z)


class Softsign(Activation, name="softsign"):
    """x / (1 + |x|)."""

    function = staticmethod(functions.softsign)
    knees = (-0.99, 0.99)

    def slope(self, z: Array, y: Array) -> Array:
        return 1 / np.square(1 + np.abs(z))


class Tanh(Activation, name="tanh"):
    """tanh x."""

    function = trigonometric.tanh
    knees = (-0.99, 0.99)

    def slope(self, z: Array, y: Array) -> Array:
        return 1 - np.square(y)


class Sigmoid(Activation, name="sigmoid"):
    """1 / (1 + e⁻ˣ)."""

    function = exponential.sigmoid
    knees = (0.01, 0.99)

    def slope(self, z: Array, y: Array) -> Array:
        return y * (1 - y)


class Power(Activation, name="power"):
    """xⁿ for a whole ``exponent`` n."""

    exponent: Annotated[int, Field(ge=1, le=10)] = 2
    function = staticmethod(lambda x, exponent: reduce(mul, [x] * exponent))

    def slope(self, z: Array, y: Array) -> Array:
        return self.exponent * z ** (self.exponent - 1)


def _sigmoid(z: Array) -> Array:
    return exponential.sigmoid(Tensor(z)).value
