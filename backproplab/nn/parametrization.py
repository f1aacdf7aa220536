"""Parametrization: how a layer's weights enter its formula. It must not know how they are found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import sqrt
from typing import Any

from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.nn.convolution import Conv1d, Conv2d
from backproplab.nn.initializers import Normal, Zeros, fans
from backproplab.nn.layer import Layer, Pass, Shape, Weight, Weights
from backproplab.nn.layers import Dense
from backproplab.nn.structure import Block
from backproplab.spec import Family, NonNegative, Positive

UNIT = Normal(stddev=1.0)


class Parametrization(Family):
    """How the weights of a network enter the formulas of its layers."""

    def layer(self, layer: Layer) -> Layer:
        """The layer with its own formula in this parametrization."""
        return layer

    def problems(self, layers: Sequence[Layer], at: str = "model.layers") -> Iterator[Problem]:
        """The layers that have no such formula. at: the dotted path of their list."""
        yield from ()


class Standard(Parametrization, name="standard"):
    """x W + b: the weights as they are; the initializer sets their size."""


class Ntk(Parametrization, name="ntk"):
    """√(sigma_w2 / fan_in) x W + √sigma_b2 b, with W and b drawn from N(0, 1).

    As width grows, the network's neural tangent kernel tends to a limit that training does not
    move. Dense and convolution layers have this form, and blocks of them. Jacot et al. 2018, arXiv
    1806.07572; Lee et al. 2019, arXiv 1902.06720.

    sigma_w2, sigma_b2: the variances of the sum of a unit's inputs, of size 1, and of its bias.
    """

    sigma_w2: Positive = 2.0
    sigma_b2: NonNegative = 0.05

    def layer(self, layer: Layer) -> Layer:
        if isinstance(layer, Block):
            return layer.model_copy(update={"layers": tuple(map(self.layer, layer.layers))})
        form = FORMS.get(type(layer))
        return form(**dict(layer), **self.model_dump()) if form else layer

    def problems(self, layers: Sequence[Layer], at: str = "model.layers") -> Iterator[Problem]:
        for number, layer in enumerate(layers):
            path = f"{at}.{number}"
            if isinstance(layer, Block):
                yield from self.problems(layer.layers, f"{path}.layers")
            elif type(layer) not in FORMS and type(layer).weights is not Layer.weights:
                what = f"{path}: {layer.name} has no form in the {self.name} parametrization"
                yield Problem("", what, "remove it, or set model.parametrization=standard")
            elif drawn := _own_initializers(layer):
                what = f"{path}.{drawn[0]}: the {self.name} parametrization draws from N(0, 1)"
                yield Problem("", what, "remove it")


def _own_initializers(layer: Any) -> list[str]:
    """The initializers of a layer that are not the defaults."""
    usual = {"initializer": None, "bias_initializer": Zeros()}
    return [key for key, value in usual.items() if getattr(layer, key, value) != value]


class NtkForm(Layer):
    """A layer with a kernel and a bias, each multiplied by a factor where it is used."""

    sigma_w2: float
    sigma_b2: float

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return {name: Weight(own.shape, UNIT) for name, own in super().weights(shape).items()}

    def factors(self, shape: Shape) -> Mapping[str, float]:
        """√(sigma_w2 / fan_in) of the kernel, √sigma_b2 of the bias."""
        fan_in, _ = fans(self.weights(shape)["kernel"].shape)
        return {"kernel": sqrt(self.sigma_w2 / fan_in), "bias": sqrt(self.sigma_b2)}

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        factors = self.factors(at.shape)
        own = {name: factors[name] * array for name, array in weights.items()}
        return super().apply(own, x, at)


class NtkDense(NtkForm, Dense):
    """activation(√(sigma_w2 / units_in) x W + √sigma_b2 b)."""


class NtkConv1d(NtkForm, Conv1d):
    """activation(√(sigma_w2 / fan_in) conv(x, kernel) + √sigma_b2 b); fan_in: kernel × channels."""


class NtkConv2d(NtkForm, Conv2d):
    """As NtkConv1d, over two axes."""


FORMS: dict[type[Layer], type[Layer]] = {Dense: NtkDense, Conv1d: NtkConv1d, Conv2d: NtkConv2d}
