"""The gamma distribution."""

from __future__ import annotations

from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys


def logpdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the density; -∞ below ``loc``."""
    z = ops.subtract(x, loc) / scale
    inside = ops.greater_equal(z, 0)
    z = ops.where(inside, z, 1.0)
    density = ops.xlogy(ops.subtract(a, 1.0), z) - z - ops.gammaln(a) - ops.log(scale)
    return ops.where(inside, density, -float("inf"))


def pdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, a, loc, scale))


def cdf(x: Any, a: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of at most x; no derivative by a."""
    return ops.gammainc(a, ops.maximum(ops.subtract(x, loc) / scale, 0.0))


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="gamma")
