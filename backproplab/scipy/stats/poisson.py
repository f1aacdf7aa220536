"""The Poisson distribution."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys


def logpmf(k: Any, mu: Any, loc: Any = 0.0) -> Tensor:
    """ln of the probability of k; -∞ unless k is a whole number ≥ 0."""
    k = np.subtract(k, loc)
    possible = np.logical_and(np.equal(k, np.floor(k)), np.greater_equal(k, 0))
    k = ops.where(possible, k, 0.0)
    return ops.where(possible, ops.xlogy(k, mu) - ops.gammaln(k + 1.0) - mu, -float("inf"))


def pmf(k: Any, mu: Any, loc: Any = 0.0) -> Tensor:
    """The probability of k."""
    return ops.exp(logpmf(k, mu, loc))


def cdf(k: Any, mu: Any, loc: Any = 0.0) -> Tensor:
    """The probability of at most k; a step function of k."""
    steps = ops.floor(np.subtract(k, loc))
    below = ops.less(steps, 0)
    return ops.where(below, 0.0, ops.gammaincc(ops.where(below, 0.0, steps) + 1.0, mu))


logpdf, pdf = logpmf, pmf


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="poisson")
