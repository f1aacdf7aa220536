"""Optimizers that scale each step by what past gradients tell of the surface: by their size, weight
by weight (Adagrad, Adadelta, RMSprop), or by the curvature they show (L-BFGS).

The letters and flavors are those of ``rules.py``; so is all this file need not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.optim.rules import Optimizer, Pad, follow
from backproplab.spec import Count, Fraction, NonNegative, Positive


def root(square: Array, epsilon: Any, flavor: str, out: Array) -> None:
    """out ← √(square + epsilon) for keras, √square + epsilon for torch. ``out`` may be square."""
    if flavor == "keras":
        np.add(square, epsilon, out=out)
        np.sqrt(out, out=out)
    else:
        np.sqrt(square, out=out)
        out += epsilon


class Adagrad(Optimizer, name="adagrad"):
    """keras: θ ← θ - lr g/√(a + Σg² + ε).  torch: θ ← θ - lr g/(√(a + Σg²) + ε).

    a is ``initial_accumulator_value``: 0.1, for torch 0. Duchi et al. 2011.
    """

    initial_accumulator_value: NonNegative = 0.1
    epsilon: Positive = 1e-7
    slots = ("squares",)
    learning_rates = (0.001, 0.01)
    torch_fields: ClassVar = {"initial_accumulator_value": 0.0, "epsilon": 1e-10}

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,), squares = work, slots["squares"]
        squares += np.multiply(grad, grad, out=step)
        np.add(squares, self.initial_accumulator_value, out=step)
        root(step, self.epsilon, self.flavor, out=step)
        np.divide(grad, step, out=step)
        step *= lr
        theta -= step


class Adadelta(Optimizer, name="adadelta"):
    """s ← ρs + (1-ρ)g²;  δ = g √(d + ε)/√(s + ε);  d ← ρd + (1-ρ)δ²;  θ ← θ - lr δ. Zeiler 2012.

    The default lr is 1 as in the paper and PyTorch; with Keras' own, 0.001, it does not learn.
    """

    rho: Fraction = 0.95
    epsilon: Positive = 1e-7
    slots = ("square", "step_square")
    scratch = 2
    learning_rates = (1.0, 1.0)
    torch_fields: ClassVar = {"rho": 0.9, "epsilon": 1e-6}

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        step, other = work
        follow(slots["square"], np.multiply(grad, grad, out=other), self.rho, other)
        root(slots["step_square"], self.epsilon, "keras", out=step)
        root(slots["square"], self.epsilon, "keras", out=other)
        step /= other
        step *= grad
        follow(slots["step_square"], np.multiply(step, step, out=other), self.rho, other)
        step *= lr
        theta -= step


class RmsProp(Optimizer, name="rmsprop"):
    """s ← ρs + (1-ρ)g²;  θ ← θ - lr g/r with r = √(s + ε), for torch √s + ε. Hinton 2012.

    centered: s - a² takes the place of s, with a ← ρa + (1-ρ)g. Graves 2013.
    momentum: keras: v ← μ v + lr g/r;  θ ← θ - v.  torch: v ← μ v + g/r;  θ ← θ - lr v.
    """

    rho: Fraction = 0.9
    momentum: Fraction = 0.0
    epsilon: Positive = 1e-7
    centered: bool = False
    learning_rates = (0.001, 0.01)
    torch_fields: ClassVar = {"rho": 0.99, "epsilon": 1e-8}

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # depends on the settings
        return ("square", *["mean"] * self.centered, *["velocity"] * bool(self.momentum))

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,) = work
        follow(slots["square"], np.multiply(grad, grad, out=step), self.rho, step)
        root(self._variance(grad, step, slots), self.epsilon, self.flavor, out=step)
        np.divide(grad, step, out=step)
        if self.flavor == "keras":
            step *= lr
        if self.momentum:
            velocity = slots["velocity"]
            velocity *= self.momentum
            velocity += step
            np.copyto(step, velocity)
        if self.flavor == "torch":
            step *= lr
        theta -= step

    def _variance(self, grad: Array, out: Array, slots: Mapping[str, Array]) -> Array:
        """What takes the place of s: s itself or, written to out, s - a²."""
        if not self.centered:
            return slots["square"]
        mean = slots["mean"]
        follow(mean, grad, self.rho, out)
        np.subtract(slots["square"], np.multiply(mean, mean, out=out), out=out)
        return np.maximum(out, 0, out=out)  # rounding may leave it below


class Lbfgs(Optimizer, name="lbfgs"):
    """θ ← θ + lr d with d = -H g, H the inverse Hessian that the last moves show. Nocedal 1980.

    For the gradient of the whole training set (``batch: batch``): it compares gradients of
    successive steps. A move s that changed the gradient by y is remembered if y·s > 1e-10; the
    last ``history`` of them make H by the two-loop recursion (Nocedal and Wright 2006, algorithm
    7.4), from H₀ = y·s/y·y. The first step is shortened to lr min(1, 1/|g|₁). No line search: as
    torch.optim.LBFGS(max_iter=1, line_search_fn=None), without its thresholds for stopping.
    Weight decay is part of the gradient in both flavors, or H would belong to another function.
    """

    history: Count = 10
    scratch = 2
    blockwise = False
    learning_rates = (1.0, 1.0)

    @property
    def slots(self) -> tuple[str, ...]:  # type: ignore[override]  # depends on the settings
        pairs = (f"{kind}_{age}" for age in range(self.history) for kind in ("move", "change"))
        return ("gradient", "move", *pairs)

    @property
    def decoupled(self) -> bool:
        return False

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        direction, product = work
        move, gradient = slots["move"], slots["gradient"]
        pairs = [(slots[f"move_{i}"], slots[f"change_{i}"]) for i in range(self.history)]
        if t > 1:
            remember(pairs, move, np.subtract(grad, gradient, out=product))
        else:
            lr = lr / np.maximum(1, np.absolute(grad, out=product).sum(-1, keepdims=True))
        np.negative(grad, out=direction)
        two_loop(direction, pairs, product)
        np.multiply(direction, lr, out=move)
        theta += move
        np.copyto(gradient, grad)


Pairs = list[tuple[Array, Array]]


def dot(a: Array, b: Array) -> Array:
    """Σ a b over the last axis, which stays: (1,), or (P, 1) for a population."""
    return np.vecdot(a, b)[..., None]


def ratio(numerator: Any, denominator: Array, otherwise: float) -> Array:
    """numerator / denominator where that is positive."""
    out = np.full_like(denominator, otherwise)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def remember(pairs: Pairs, move: Array, change: Array) -> None:
    """(move, change) becomes the first pair and the last is forgotten, if the curvature allows."""
    kept = dot(change, move) > 1e-10
    for older, newer in zip(pairs[::-1], [*pairs[-2::-1], (move, change)], strict=True):
        for old, new in zip(older, newer, strict=True):
            np.copyto(old, new, where=kept)


def two_loop(direction: Array, pairs: Pairs, product: Array) -> None:
    """direction ← H direction, by the pairs from the newest on; pairs of zeros change nothing."""
    used, scale = [], None
    for move, change in pairs:
        curvature = dot(change, move)
        if not curvature.any():
            break
        if scale is None:
            scale = ratio(curvature, dot(change, change), otherwise=1)
        inverse = ratio(1, curvature, otherwise=0)
        share = dot(move, direction) * inverse
        direction -= np.multiply(change, share, out=product)
        used.append((move, change, inverse, share))
    direction *= 1 if scale is None else scale
    for move, change, inverse, share in reversed(used):
        left = share - dot(change, direction) * inverse
        direction += np.multiply(move, left, out=product)
