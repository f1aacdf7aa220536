"""The normal distribution of vectors."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.autograd.primitive import lift, shape_of
from backproplab.errors import GraphError
from backproplab.scipy.others import scipys

LIMIT = 1e6 * np.finfo(np.float64).eps  # SciPy's, of the largest eigenvalue


def logpdf(x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> Tensor:
    """ln of the density at the vectors x (…, n). LinAlgError if ``cov`` is not positive definite.

    allow_singular: the density in the space that a singular ``cov`` spans.
    """
    mean, cov = _whole(x, mean, cov)
    away = ops.subtract(x, mean)
    away = away if shape_of(away)[-1:] == (cov.shape[-1],) else ops.expand_dims(away, axis=-1)
    kept = _rank(np.linalg.eigvalsh(cov.value), allow_singular)
    if len(kept) == cov.shape[0]:
        inverse, volume = ops.inv(cov), ops.log_abs_det(cov)
    else:
        inverse = ops.pinv(cov, rcond=LIMIT, hermitian=True)
        volume = ops.sum(ops.log(ops.eigh(cov)[0][kept]))
    distance = ops.sum(ops.matmul(away, inverse) * away, axis=-1)
    return -0.5 * (distance + volume + len(kept) * log(2 * pi))


def pdf(x: Any, mean: Any = None, cov: Any = 1.0, allow_singular: bool = False) -> Tensor:
    """The density."""
    return ops.exp(logpdf(x, mean, cov, allow_singular))


def entropy(mean: Any = None, cov: Any = 1.0) -> Tensor:
    """Its differential entropy."""
    _, cov = _whole(np.zeros(1), mean, cov)
    return 0.5 * ops.slogdet(2 * pi * np.e * cov)[1]


def _whole(x: Any, mean: Any, cov: Any) -> tuple[Any, Tensor]:
    """(mean, covariance matrix), where SciPy takes a number, a vector of variances or None."""
    cov = Tensor(np.ones(())) if cov is None else lift(cov)[0]
    if cov.ndim > 2 or (cov.ndim == 2 and cov.shape[0] != cov.shape[1]):
        raise GraphError(f"the covariance is a square matrix, got shape {cov.shape}")
    vector = mean is not None and shape_of(mean)
    n = shape_of(mean)[-1] if vector else cov.shape[0] if cov.ndim else (shape_of(x) or (1,))[-1]
    if cov.ndim < 2:
        cov = ops.diag(ops.broadcast_to(cov, shape=(n,)))
    return (np.zeros(n) if mean is None else mean), cov


def _rank(values: Any, allow_singular: bool) -> Any:
    """The indices of the eigenvalues that count as positive, by SciPy's limit."""
    limit = LIMIT * np.abs(values).max()
    kept = np.flatnonzero(values > limit)
    if values.min() < -limit:
        raise np.linalg.LinAlgError("the covariance matrix must be positive semidefinite")
    if len(kept) < len(values) and not allow_singular:
        raise np.linalg.LinAlgError("the covariance matrix is singular: allow_singular=True")
    return kept


def __getattr__(name: str) -> Any:
    return scipys("stats", name, of="multivariate_normal")
