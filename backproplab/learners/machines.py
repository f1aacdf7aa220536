"""Machines: a kernel with its training examples, which predicts from coefficients of these.

This file must not know how the coefficients are found.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from backproplab.arrays import Array
from backproplab.learners.kernels import Infinite
from backproplab.learners.learner import Arrays, Brake
from backproplab.learners.linearized import Linearized
from backproplab.learners.material import Material
from backproplab.passes import Passes


class Machine(Protocol):
    """A kernel and the training examples X."""

    @property
    def weights(self) -> Arrays:
        """What it predicts with, besides the coefficients."""

    def kernel(self, brake: Brake) -> Array | None:
        """Θ(X, X); None if the brake ended it."""

    def passes(self) -> Passes:
        """What ``kernel`` takes."""

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        """f₀(x) + Θ(x, X) a, (m, outputs), of the coefficients a (n, outputs)."""


class InfiniteMachine:
    """One kernel for all outputs, and f₀ = 0."""

    def __init__(self, kernel: Infinite, inputs: Array) -> None:
        self._kernel = kernel
        self.weights = {"kernel_machine/inputs": inputs}
        self._inputs = _flat(inputs)

    def kernel(self, brake: Brake) -> Array | None:
        found = np.empty((len(self._inputs),) * 2)
        for rows, block in self._kernel.blocks(self._inputs, self._inputs):
            if brake.within_step():
                return None
            found[rows] = block
        return found

    def passes(self) -> Passes:
        return Passes()

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        found = np.zeros((len(inputs), coefficients.shape[1]))
        if coefficients.any():
            for rows, block in self._kernel.blocks(_flat(inputs), self._inputs):
                np.matmul(block, coefficients, out=found[rows])
        return found


class LinearMachine:
    """The network that is linear in its weights: it predicts with θ - θ₀ = J(X)ᵀ a."""

    def __init__(self, material: Material) -> None:
        assert material.network is not None
        parameters = material.first(material.network)
        self.inputs = material.train.inputs
        self.weights = {"kernel_machine/inputs": self.inputs, **parameters.views}
        self.network = Linearized(material.network, parameters)
        self._change: tuple[bytes, Any] = b"", None  # of which coefficients, and θ - θ₀

    def kernel(self, brake: Brake) -> Array | None:
        return self.network.kernel(self.inputs, brake)

    def passes(self) -> Passes:
        return self.network.passes(len(self.inputs))

    def predict(self, inputs: Array, coefficients: Array) -> Array:
        if not coefficients.any():
            return self.network(inputs)
        if self._change[0] != (known := coefficients.tobytes()):
            self._change = known, self.network.gradient(self.inputs, coefficients)
        return self.network.moved(inputs, self._change[1])


def _flat(inputs: Array) -> Array:
    """(n, features) in float64."""
    return inputs.reshape(len(inputs), -1).astype(np.float64)
