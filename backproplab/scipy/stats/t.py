"""Student's t distribution."""

from __future__ import annotations

from math import log, pi
from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys


def logpdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the density."""
    z, half = ops.subtract(x, loc) / scale, ops.divide(df, 2.0)
    normal = ops.gammaln(half + 0.5) - ops.gammaln(half) - 0.5 * (ops.log(df) + log(pi))
    return normal - (half + 0.5) * ops.log1p(ops.square(z) / df) - ops.log(scale)


def pdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of at most x; no derivative by df."""
    return ops.stdtr(df, ops.subtract(x, loc) / scale)


def logcdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the probability of at most x; no derivative by df."""
    return ops.log(cdf(x, df, loc, scale))


def sf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of more than x; no derivative by df."""
    return ops.stdtr(df, ops.subtract(loc, x) / scale)


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="t")
