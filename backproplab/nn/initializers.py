"""Initializers: distributions of a layer's first weights.

A weight of shape (units_in, units_out) has fan_in = units_in and fan_out = units_out.
"""

from __future__ import annotations

from math import prod, sqrt
from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.spec import Family, Positive


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """(fan_in, fan_out): the number of a unit's inputs, and of the units that it feeds.

    For a convolution (…kernel, channels_in, channels_out) the kernel's size multiplies both.
    """
    if len(shape) < 2:
        return (prod(shape), prod(shape))
    field = prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


class Initializer(Family):
    """A distribution of first weights: ``draw(generator, shape)`` in float64.

    equal: all weights of an array start with one value.
    """

    equal: ClassVar[bool] = False

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        raise NotImplementedError


class Zeros(Initializer, name="zeros"):
    """All zeros, for biases. As weights they would keep all units of a layer equal."""

    equal = True

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.zeros(shape)


class Ones(Initializer, name="ones"):
    """All ones, for the scales of normalization."""

    equal = True

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.ones(shape)


class Constant(Initializer, name="constant"):
    """One number for all, such as a bias that saturates its unit from the start."""

    value: float = 0.0

    equal = True

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return np.full(shape, self.value)


class Normal(Initializer, name="normal"):
    """N(0, stddev²)."""

    stddev: Positive = 0.05

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return self.stddev * generator.standard_normal(shape)


class Uniform(Initializer, name="uniform"):
    """U(-limit, limit)."""

    limit: Positive = 0.05

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return generator.uniform(-self.limit, self.limit, shape)


class Scaled(Initializer):
    """Zero mean and variance scale / n, where ``count`` computes n from the fans."""

    scale: ClassVar[float]

    def count(self, fan_in: int, fan_out: int) -> float:
        return fan_in

    def variance(self, shape: tuple[int, ...]) -> float:
        return self.scale / max(1.0, self.count(*fans(shape)))


class ScaledNormal(Scaled):
    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        return sqrt(self.variance(shape)) * generator.standard_normal(shape)


class ScaledUniform(Scaled):
    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        limit = sqrt(3 * self.variance(shape))  # U(-a, a) has variance a²/3
        return generator.uniform(-limit, limit, shape)


class Glorot(Scaled):
    """Variance 2 / (fan_in + fan_out): Glorot and Bengio 2010, for tanh and softsign."""

    scale = 1.0

    def count(self, fan_in: int, fan_out: int) -> float:
        return (fan_in + fan_out) / 2


class GlorotUniform(Glorot, ScaledUniform, name="glorot_uniform"):
    """U(-a, a), a = √(6 / (fan_in + fan_out)). Glorot and Bengio 2010."""


class GlorotNormal(Glorot, ScaledNormal, name="glorot_normal"):
    """N(0, 2 / (fan_in + fan_out)). Glorot and Bengio 2010."""


class HeUniform(ScaledUniform, name="he_uniform"):
    """U(-a, a), a = √(6 / fan_in): He et al. 2015, for ReLU."""

    scale = 2.0


class HeNormal(ScaledNormal, name="he_normal"):
    """N(0, 2 / fan_in): He et al. 2015, for ReLU."""

    scale = 2.0


class LecunUniform(ScaledUniform, name="lecun_uniform"):
    """U(-a, a), a = √(3 / fan_in): LeCun et al. 1998."""

    scale = 1.0


class LecunNormal(ScaledNormal, name="lecun_normal"):
    """N(0, 1 / fan_in): LeCun et al. 1998; SELU requires it."""

    scale = 1.0


class FanInUniform(ScaledUniform, name="fan_in_uniform"):
    """U(-1/√fan_in, 1/√fan_in): the heuristic that Glorot and Bengio 2010 call standard.

    Also the default of PyTorch's ``nn.Linear``. Its variance, 1 / (3 fan_in), shrinks what passes.
    """

    scale = 1 / 3


class Orthogonal(Initializer, name="orthogonal"):
    """gain × a random matrix with orthonormal rows or columns. Saxe et al. 2013.

    The QR decomposition of a Gaussian matrix, with the signs of R's diagonal moved into Q, which
    makes it uniform over the orthogonal matrices (Mezzadri 2007).
    """

    gain: Positive = 1.0

    def draw(self, generator: np.random.Generator, shape: tuple[int, ...]) -> Array:
        rows, columns = prod(shape[:-1]), shape[-1]
        gaussian = generator.standard_normal((max(rows, columns), min(rows, columns)))
        q, r = np.linalg.qr(gaussian)
        q *= np.sign(np.diag(r))
        return self.gain * (q if rows >= columns else q.T).reshape(shape)
