"""The beta distribution."""

from __future__ import annotations

from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys


def logpdf(x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the density; -∞ outside [0, 1]."""
    z = ops.subtract(x, loc) / scale
    inside = ops.logical_and(ops.greater_equal(z, 0), ops.less_equal(z, 1))
    z = ops.where(inside, z, 0.5)
    density = ops.xlogy(ops.subtract(a, 1.0), z) + ops.xlog1py(ops.subtract(b, 1.0), -z)
    density = density - ops.betaln(a, b) - ops.log(scale)
    return ops.where(inside, density, -float("inf"))


def pdf(x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, a, b, loc, scale))


def cdf(x: Any, a: Any, b: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of at most x; no derivative by a and b."""
    return ops.betainc(a, b, ops.clip(ops.subtract(x, loc) / scale, 0.0, 1.0))


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="beta")
