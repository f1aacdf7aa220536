"""Spectrum: the ends of the Hessian's spectrum, by products H v alone.

Lanczos' method: the Hessian on the subspace that v, H v, H² v, … span is tridiagonal, and its
extreme eigenvalues approach those of the Hessian first. Golub and Van Loan 2013, section 10.1.
This file knows no optimizer, no loop and no files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import grad, vjp
from backproplab.learners.curvature import loss_of_weights
from backproplab.learners.material import Split
from backproplab.nn import Loss, Network, ParameterVector

PRODUCTS, ROOM = 60, 2**25  # most products H v; entries of all vectors that are kept
TOLERANCE = 1e-3  # of an eigenvalue
EXAMPLES, ACTIVATIONS = 2048, 2**22  # most examples; fewer if their activations have more entries


class Spectrum(NamedTuple):
    """largest: the largest eigenvalues, in falling order.  least: the smallest one.

    All NaN where the loss has no finite curvature.
    """

    largest: Array
    least: float


def spectrum(
    network: Network, loss: Loss, parameters: ParameterVector, split: Split, count: int = 1
) -> Spectrum:
    """Of the mean loss of up to 2048 of the split's examples, without dropout, in float64."""
    few = slice(max(min(EXAMPLES, ACTIVATIONS // network.footprint), 1))
    mean = loss_of_weights(network, loss, parameters, split.inputs[few], split.encoded[few])
    with np.errstate(all="ignore"):
        _, pullback = vjp(grad(mean), parameters.trainable.astype(np.float64))
        return extremes(lambda v: np.asarray(pullback(v)[0]), len(parameters), count)


def extremes(product: Callable[[Array], Array], n: int, count: int = 1) -> Spectrum:
    """The ``count`` largest eigenvalues of a symmetric (n, n) matrix and the smallest one.

    product: the matrix times a vector (n,).  It ends when their error bounds, the residuals'
    norms, are below a thousandth of the eigenvalue that is largest in size, or after 60 products.
    Of equal eigenvalues it finds one.
    """
    count, most = min(count, n), min(n, PRODUCTS, max(ROOM // n, 2))
    basis, diagonal, beside = np.empty((most, n)), list[float](), list[float]()
    v = np.random.default_rng(0).standard_normal(n)
    while True:
        known = basis[: len(diagonal) + 1]
        known[-1] = v / np.linalg.norm(v)
        v = product(known[-1])
        if not np.isfinite(v).all():
            return Spectrum(np.full(count, np.nan), np.nan)
        diagonal.append(float(known[-1] @ v))
        for _ in range(2):  # once leaves rounding errors, which grow into copies of eigenvalues
            v -= known.T @ (known @ v)
        values, vectors = np.linalg.eigh(np.diag(diagonal) + _beside(beside))
        size = float(np.linalg.norm(v))
        errors, scale = size * np.abs(vectors[-1]), np.abs(values).max()
        ends = max(errors[0], errors[-count:].max())
        done = len(diagonal) >= count and ends <= TOLERANCE * scale
        if done or len(diagonal) == most or size <= np.finfo(float).eps * scale:
            return Spectrum(values[-count:][::-1], float(values[0]))
        beside.append(size)


def _beside(entries: list[float]) -> Array:
    return np.diag(entries, 1) + np.diag(entries, -1)
