"""Kernels of infinitely wide networks: the neural tangent kernel, and that of the outputs.

Closed forms over inputs; no weights are drawn. This file must not know what is done with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.spec import Family, NonNegative, Positive

ENTRIES = 2**18  # of a kernel that are computed at a time: a few arrays of 2 MB
ROUNDING = 1e-14  # a correlation that is nearer to 1 is 1: arccos would make 1e-7 of the difference

Dual = Callable[[Array, Array, Array], tuple[Array, Array]]


def relu_dual(c: Array, s: Array, t: Array) -> tuple[Array, Array]:
    """E[f(u) f(v)] and E[f'(u) f'(v)] of f = relu, for (u, v) ~ N(0, [[s, c], [c, t]]).

    √(s t) (r (π - arccos r) + √(1 - r²)) / 2π and (π - arccos r) / 2π with r = c / √(s t): the
    arc-cosine kernels of Cho and Saul 2009.
    """
    size = np.sqrt(s * t)
    r = np.divide(c, size, out=np.zeros_like(c), where=size > 0)
    np.clip(r, -1, 1, out=r)
    r[r > 1 - ROUNDING] = 1
    angle = np.pi - np.arccos(r)
    return size * (r * angle + np.sqrt((1 - r) * (1 + r))) / (2 * np.pi), angle / (2 * np.pi)


def erf_dual(c: Array, s: Array, t: Array) -> tuple[Array, Array]:
    """E[f(u) f(v)] and E[f'(u) f'(v)] of f = erf, for (u, v) ~ N(0, [[s, c], [c, t]]).

    2/π arcsin(2c / √((1 + 2s)(1 + 2t))) and 4/π / √((1 + 2s)(1 + 2t) - 4c²). Williams 1997.
    """
    square = (1 + 2 * s) * (1 + 2 * t)
    sine = np.clip(2 * c / np.sqrt(square), -1, 1)
    return 2 / np.pi * np.arcsin(sine), 4 / np.pi / np.sqrt(square - 4 * np.square(c))


DUALS: dict[str, Dual] = {"relu": relu_dual, "erf": erf_dual}


class Kernel(Family):
    """A symmetric function of two inputs, whose regression is that of a network."""


class Infinite(Kernel):
    """The kernel of a dense network in the ntk parametrization, as its width grows to infinity.

    With S the covariance of a layer's sums z, s and t its diagonal, in float64:

        S(x, y) = sigma_w2 x·y / n + sigma_b2                  Θ = S
        S ← sigma_w2 E[f(u) f(v)] + sigma_b2                   for each of ``depth`` hidden layers
        Θ ← S + sigma_w2 E[f'(u) f'(v)] Θ                      (u, v) ~ N(0, the S before)

    depth: hidden layers.  activation: f.
    sigma_w2, sigma_b2: as in ``model.parametrization``.
    """

    depth: Annotated[int, Field(ge=1, le=10**4)] = 1
    activation: Literal["relu", "erf"] = "relu"
    sigma_w2: Positive = 2.0
    sigma_b2: NonNegative = 0.05

    def between(self, x: Array, y: Array) -> Array:
        """The kernel (m, n) of inputs (m, features) and (n, features)."""
        covariance, tangent = self._both(x, y)
        return self._chosen(covariance, tangent)

    def _chosen(self, covariance: Array, tangent: Array) -> Array:
        raise NotImplementedError

    def _both(self, x: Array, y: Array) -> tuple[Array, Array]:
        """S and Θ of the outputs."""
        dual, w, b = DUALS[self.activation], self.sigma_w2, self.sigma_b2
        features = x.shape[1]
        c = w * (x @ y.T) / features + b
        s, t = (w * np.vecdot(z, z) / features + b for z in (x, y))
        tangent = c
        for _ in range(self.depth):
            value, slope = dual(c, s[:, None], t)
            c = w * value + b
            tangent = c + w * slope * tangent
            s, t = (w * dual(z, z, z)[0] + b for z in (s, t))
        return c, tangent

    def blocks(self, x: Array, y: Array) -> Iterator[tuple[slice, Array]]:
        """``between``, some rows of it at a time, so that only a few megabytes are at work."""
        length = max(ENTRIES // len(y), 1)
        for start in range(0, len(x), length):
            part = slice(start, start + length)
            yield part, self.between(x[part], y)


class Ntk(Infinite, name="ntk"):
    """Θ, the neural tangent kernel: all layers learn. Jacot et al. 2018, arXiv 1806.07572."""

    def _chosen(self, covariance: Array, tangent: Array) -> Array:
        return tangent


class Nngp(Infinite, name="nngp"):
    """S, the covariance of the outputs at the start: the last layer alone learns. Lee et al. 2018,
    arXiv 1711.00165; regression with it is that of a Gaussian process."""

    def _chosen(self, covariance: Array, tangent: Array) -> Array:
        return covariance


class Empirical(Kernel, name="empirical"):
    """J Jᵀ, with J the Jacobian of the outputs of ``model`` by its weights as they are drawn.

    For each pair of examples and outputs. Regression with it is the training of the network that
    is linear in its weights, f(x) + J(x) (θ - θ₀): Lee et al. 2019, arXiv 1902.06720.
    """
