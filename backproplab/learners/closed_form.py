"""Closed form: the coefficients that gradient flow with a constant kernel Θ has reached by a time.

da/dt = (residual - (Θ + ridge) a) / N from a = 0, with N the entries of the residual. A ridge is a
share of Θ's mean diagonal, as in neural-tangents. This file must not know where Θ is from.
"""

from __future__ import annotations

import math

import numpy as np

from backproplab.arrays import Array


class Limit:
    """The solution of (Θ + ridge) a = residual by Cholesky's method, in the memory of Θ.

    Raises LinAlgError if Θ + ridge is not positive definite.
    """

    def __init__(self, kernel: Array, ridge: float, residual: Array) -> None:
        from scipy.linalg import cho_factor, cho_solve

        np.fill_diagonal(kernel, np.diagonal(kernel) + ridge * np.mean(np.diagonal(kernel)))
        factor = cho_factor(kernel.T, overwrite_a=True, check_finite=False)
        self._found: Array = cho_solve(factor, residual.reshape(len(kernel), -1))

    def coefficients(self, time: float) -> Array:
        return self._found

    def times(self, steps: int) -> Array:
        return np.array([np.inf])


class Spectrum:
    """Θ + ridge as its eigenvalues, ascending, and eigenvectors, and what is to be fitted in them.

    entries: N.  values: of Θ, those that rounding made negative are 0.
    Raises LinAlgError for a kernel that is 0.
    """

    def __init__(self, kernel: Array, ridge: float, residual: Array) -> None:
        self.entries = residual.size
        more = ridge * float(np.mean(np.diagonal(kernel)))
        values, self.vectors = np.linalg.eigh(kernel)
        self.values = np.maximum(values, 0) + more
        if not self.values[-1]:
            raise np.linalg.LinAlgError("all of it is 0")
        self.parts = self.vectors.T @ residual.reshape(len(kernel), -1)

    def coefficients(self, time: float) -> Array:
        """a_t, (rows of Θ, …): in each direction (1 - e^(-λ t / N)) / λ of the residual."""
        if math.isinf(time):
            large = self.values > self._least
            shares = np.divide(1, self.values, out=np.zeros_like(self.values), where=large)
        else:
            decay = -np.expm1(-self.values * time / self.entries)
            early = np.full_like(self.values, time / self.entries)  # the limit for λ = 0
            shares = np.divide(decay, self.values, out=early, where=self.values > 0)
        return self.vectors @ (shares[:, None] * self.parts)

    def times(self, steps: int) -> Array:
        """Evenly in logarithm, from a tenth of the fastest direction's time to the slowest's; ∞."""
        slowest = max(float(self.values[0]), self._least)
        first, last = 0.1 / float(self.values[-1]), 1 / slowest
        return np.append(self.entries * np.geomspace(first, last, steps - 1), np.inf)

    @property
    def _least(self) -> float:
        """The eigenvalue below which rounding hides whether a direction can be learned at all."""
        return float(self.values[-1]) * len(self.values) * np.finfo(float).eps
