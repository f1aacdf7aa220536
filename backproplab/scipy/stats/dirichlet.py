"""The Dirichlet distribution."""

from __future__ import annotations

from typing import Any

from backproplab.autograd import Tensor, ops
from backproplab.autograd.primitive import shape_of
from backproplab.scipy.others import scipys


def logpdf(x: Any, alpha: Any) -> Tensor:
    """ln of the density at probabilities x, whose last may be left out; an x for each column."""
    if shape_of(x)[0] == shape_of(alpha)[0] - 1:
        rest = 1.0 - ops.sum(x, axis=0, keepdims=True)
        x = ops.concatenate([x, rest], axis=0)
    powers = ops.reshape(alpha, shape=(-1, *[1] * (len(shape_of(x)) - 1)))
    normal = ops.gammaln(ops.sum(alpha)) - ops.sum(ops.gammaln(alpha))
    return normal + ops.sum(ops.xlogy(powers - 1.0, x), axis=0)


def pdf(x: Any, alpha: Any) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, alpha))


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="dirichlet")
