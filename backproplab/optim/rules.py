"""Optimizers, side by side: plain NumPy on flat vectors, in place. They never see a Tensor.

``theta`` are the weights, ``grad`` their gradient, ``lr`` the learning rate (a number, or a column
(P, 1) for a population), ``t`` the number of this update, from 1. The formulas are Keras'.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt
from typing import Any, ClassVar

import numpy as np

from backproplab.spec import Family, Fraction, Positive

Array = np.ndarray[Any, Any]
BLOCK = 16_384  # entries updated at a time: a block and its slots stay in the L2 cache


class Optimizer(Family):
    """An update rule with its settings.

    slots: the names of the arrays, as long as theta, that it keeps between updates.
    default_learning_rate: used where a config gives none.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    default_learning_rate: ClassVar[float] = 0.01

    def update(self, theta: Array, grad: Array, lr: Any, t: int, **slots: Array) -> None:
        """One step, in place, on any stretch of the vector."""
        raise NotImplementedError

    def step(self, theta: Array, grad: Array, lr: Any, t: int, slots: Mapping[str, Array]) -> None:
        """``update`` over the whole vector (…, n), block by block."""
        for start in range(0, theta.shape[-1], BLOCK):
            part = (..., slice(start, start + BLOCK))
            self.update(theta[part], grad[part], lr, t, **{k: v[part] for k, v in slots.items()})


class Sgd(Optimizer, name="sgd"):
    """θ ← θ - lr g."""

    def update(self, theta: Array, grad: Array, lr: Any, t: int, **slots: Array) -> None:
        theta -= lr * grad


class Momentum(Optimizer, name="momentum"):
    """v ← μ v - lr g;  θ ← θ + v. Polyak 1964."""

    momentum: Fraction = 0.9
    slots = ("velocity",)

    def update(self, theta: Array, grad: Array, lr: Any, t: int, **slots: Array) -> None:
        velocity = slots["velocity"]
        velocity *= self.momentum
        velocity -= lr * grad
        theta += velocity


class Nesterov(Optimizer, name="nesterov"):
    """v ← μ v - lr g;  θ ← θ + μ v - lr g. Sutskever et al. 2013."""

    momentum: Fraction = 0.9
    slots = ("velocity",)

    def update(self, theta: Array, grad: Array, lr: Any, t: int, **slots: Array) -> None:
        velocity = slots["velocity"]
        pull = lr * grad
        velocity *= self.momentum
        velocity -= pull
        theta += self.momentum * velocity
        theta -= pull


class Adam(Optimizer, name="adam"):
    """m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  θ ← θ - lr √(1-β₂ᵗ)/(1-β₁ᵗ) m/(√s + ε).

    Kingma and Ba 2014, in the form before their section 2.1's last line (epsilon hat).
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-7
    slots = ("mean", "square")
    default_learning_rate = 0.001

    def update(self, theta: Array, grad: Array, lr: Any, t: int, **slots: Array) -> None:
        mean, square = slots["mean"], slots["square"]
        mean *= self.beta_1
        mean += (1 - self.beta_1) * grad
        square *= self.beta_2
        square += (1 - self.beta_2) * (grad * grad)
        rate = lr * (sqrt(1 - self.beta_2**t) / (1 - self.beta_1**t))
        theta -= rate * mean / (np.sqrt(square) + self.epsilon)
