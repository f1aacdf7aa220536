"""The normal distribution."""

from __future__ import annotations

from math import log, pi
from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys


def logpdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the density."""
    z = ops.subtract(x, loc) / scale
    return -0.5 * ops.square(z) - (ops.log(scale) + 0.5 * log(2 * pi))


def pdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, loc, scale))


def cdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of at most x."""
    return ops.ndtr(ops.subtract(x, loc) / scale)


def logcdf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the probability of at most x, exact far below ``loc``."""
    return ops.log_ndtr(ops.subtract(x, loc) / scale)


def sf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of more than x."""
    return ops.ndtr(ops.subtract(loc, x) / scale)


def logsf(x: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the probability of more than x, exact far above ``loc``."""
    return ops.log_ndtr(ops.subtract(loc, x) / scale)


def ppf(q: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The number that a fraction q is below."""
    return ops.ndtri(q) * scale + loc


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="norm")
