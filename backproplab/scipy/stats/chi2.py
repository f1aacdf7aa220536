"""The χ² distribution: the gamma distribution of shape df / 2 and scale 2."""

from __future__ import annotations

from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys
from backproplab.scipy.stats import gamma


def logpdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """ln of the density."""
    return gamma.logpdf(x, ops.divide(df, 2.0), loc, ops.multiply(scale, 2.0))


def pdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, df, loc, scale))


def cdf(x: Any, df: Any, loc: Any = 0.0, scale: Any = 1.0) -> Tensor:
    """The probability of at most x; no derivative by df."""
    return gamma.cdf(x, ops.divide(df, 2.0), loc, ops.multiply(scale, 2.0))


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="chi2")
