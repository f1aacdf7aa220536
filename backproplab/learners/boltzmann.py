"""Boltzmann: a restricted Boltzmann machine of zeros and ones, as plain NumPy.

    E(v, h) = -b·v - c·h - vᵀW h
    F(v) = -log Σₕ exp(-E(v, h)) = -b·v - Σⱼ softplus(cⱼ + (vW)ⱼ)

Smolensky 1986, "Harmony theory"; Hinton 2012, "A practical guide to training restricted Boltzmann
machines". This file must not know how the weights are found.
"""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array

STATES = 2**12  # that are summed over at a time


class Boltzmann:
    """The machine; units that are not seen are called hidden.

    kernel: W, (visible, hidden).  visible_bias: b.  bias: c, of the hidden units.
    """

    def __init__(self, kernel: Array, visible_bias: Array, bias: Array) -> None:
        self.kernel = kernel
        self.visible_bias = visible_bias
        self.bias = bias

    def hidden(self, visible: Array) -> Array:
        """P(hⱼ = 1 | v) = σ(c + vW), (n, hidden)."""
        return sigmoid(visible @ self.kernel + self.bias)

    def visible(self, hidden: Array) -> Array:
        """P(vᵢ = 1 | h) = σ(b + Wh), (n, visible)."""
        return sigmoid(hidden @ self.kernel.T + self.visible_bias)

    def free_energy(self, visible: Array) -> Array:
        """F(v), (n,), in float64; P(v) is proportional to exp(-F(v))."""
        softplus = np.logaddexp(0, visible @ self.kernel + self.bias, dtype=np.float64)
        return np.asarray(-(visible @ self.visible_bias) - softplus.sum(axis=-1))

    def log_partition(self) -> float:
        """log Σᵥ exp(-F(v)), exactly: a sum over all states of the fewer units, hidden or not."""
        fewer = self.kernel, self.bias, self.visible_bias
        if len(self.visible_bias) < len(self.bias):
            fewer = self.kernel.T, self.visible_bias, self.bias
        kernel, above, below = (array.astype(np.float64) for array in fewer)
        total, units = -np.inf, len(above)
        for start in range(0, 2**units, STATES):
            numbers = np.arange(start, min(start + STATES, 2**units))
            states = (numbers[:, None] >> np.arange(units) & 1).astype(np.float64)
            softplus = np.logaddexp(0, states @ kernel.T + below).sum(axis=-1)
            total = np.logaddexp(total, np.logaddexp.reduce(states @ above + softplus))
        return float(total)


def sigmoid(x: Array) -> Array:
    """1 / (1 + exp(-x)), which overflows for no x."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)), x.dtype)
