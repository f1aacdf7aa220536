"""Optimizers: plain NumPy on flat vectors, in place. They never see a Tensor.

θ are the weights, g their gradient, lr the learning rate, t the number of this update, from 1;
averages start at zero. A formula that Keras and PyTorch share is given once. If they differ,
``flavor`` selects the formula and the defaults.

The updater splits the vector into blocks and adds regularization to the gradient. Rules that use
only the size or curvature of past gradients are in ``adaptive.py``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache, partial
from math import exp, expm1, fsum, log
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import model_validator

from backproplab.arrays import Array
from backproplab.columns import each
from backproplab.spec import Family, Fraction, NonNegative, Off, Positive

Pad = tuple[Array, ...]  # scratch space


class Optimizer(Family):
    """An update rule with its settings.

    flavor: the library whose formula and defaults apply if Keras 3 and PyTorch differ.
    l1, l2: added to the gradient: l1 sign(θ) + 2 l2 θ, the slope of l1 Σ|θ| + l2 Σθ².
    weight_decay: keras: θ ← θ - lr · weight_decay · θ before the update (Loshchilov and Hutter
        2017); torch: weight_decay · θ added to the gradient, except where PyTorch decouples it.
    slots: names of the vectors, of theta's length and initially zero, kept between updates.
    scratch: number of vectors in ``work`` that ``update`` may overwrite.
    blockwise: each entry's update depends on that entry alone, so blocks may be updated separately.
    second_order: ``update`` gets Newton's direction in place of the gradient.
    limit: the formula of ``stable_rate``, with λ the curvature and β the momentum; empty without.
    """

    flavor: Literal["keras", "torch"] = "keras"
    l1: Annotated[NonNegative, Off(0.0)] = 0.0
    l2: Annotated[NonNegative, Off(0.0)] = 0.0
    weight_decay: Annotated[NonNegative, Off(0.0)] = 0.0

    required = ("update",)
    slots: ClassVar[tuple[str, ...]] = ()
    scratch: ClassVar[int] = 1
    blockwise: ClassVar[bool] = True
    second_order: ClassVar[bool] = False
    limit: ClassVar[str] = ""
    learning_rates: ClassVar[tuple[float, float]] = (0.01, 0.001)  # keras, torch
    torch_fields: ClassVar[Mapping[str, float]] = {}  # PyTorch's defaults where they differ

    @classmethod
    def __pydantic_init_subclass__(cls, name: str = "", **settings: Any) -> None:
        """Let every float field differ among the members of a population."""
        super().__pydantic_init_subclass__(name, **settings)
        cls.by_member = tuple(n for n, f in cls.model_fields.items() if f.annotation is float)

    @model_validator(mode="before")
    @classmethod
    def _flavored(cls, fields: Any) -> Any:
        """Fill in the flavor's default for each number that is not given."""
        torch = isinstance(fields, dict) and fields.get("flavor") == "torch"
        return {**cls.torch_fields, **fields} if torch else fields

    @property
    def default_learning_rate(self) -> float:
        """The learning rate if the config gives none."""
        keras, torch = self.learning_rates
        return torch if self.flavor == "torch" else keras

    @property
    def decoupled(self) -> bool:
        """Whether weight decay shrinks the weights directly instead of adding to the gradient."""
        return self.flavor == "keras"

    def stable_rate(self, curvature: float) -> float | None:
        """The largest rate at which it converges on a bowl whose largest curvature is this; None
        if there is none of this kind, as for rules that divide by the size of the gradient."""
        return None

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        """One step on a block (…, n) of the vector: writes theta, slots and work; no allocation.

        lr: a number, or (P, 1) for a population, whose settings may be columns too.
        """
        raise NotImplementedError


def accumulate(total: Array, value: Array, decay: Any) -> None:
    """total ← decay · total + value: the average of ``follow``, divided by 1 - decay."""
    np.multiply(total, decay, out=total)  # a µs faster than *= with a number
    total += value


def follow(average: Array, value: Array, decay: Any, work: Array) -> None:
    """average ← decay · average + (1 - decay) · value. ``work`` may be ``value``."""
    np.multiply(average, decay, out=average)
    np.multiply(value, 1 - decay, out=work)
    average += work


class Sgd(Optimizer, name="sgd"):
    """θ ← θ - lr g. Robbins and Monro 1951."""

    limit = "2/λ"

    def stable_rate(self, curvature: float) -> float | None:
        return 2 / curvature if curvature > 0 else None

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,) = work
        theta -= np.multiply(grad, lr, out=step)


class Newton(Sgd, name="newton"):
    """θ ← θ - lr d, with d = (H + damping)⁻¹ g; H is the Hessian of the mean loss.

    Needs all examples (``batch_mode: batch``) and at most 2 000 weights. Where H + damping is not
    positive definite, more is added to its diagonal, so that d always points uphill. l2 and weight
    decay are part of the gradient and of H in both flavors.
    """

    damping: NonNegative = 0.0

    blockwise = False
    second_order = True
    limit = "2(1 + damping/λ)"
    learning_rates = (1.0, 1.0)

    @property
    def decoupled(self) -> bool:
        return False

    def stable_rate(self, curvature: float) -> float | None:
        return 2 * (1 + self.damping / curvature) if curvature > 0 else None


class Momentum(Optimizer, name="momentum"):
    """keras: v ← μ v - lr g;  θ ← θ + v.  torch: v ← μ v + g;  θ ← θ - lr v. Polyak 1964.

    Equal while lr is constant. A new lr scales torch's whole step, but only the newest part of
    keras' velocity.
    """

    momentum: Fraction = 0.9
    slots = ("velocity",)
    limit = "2(1+β)/λ"

    def stable_rate(self, curvature: float) -> float | None:
        return 2 * (1 + self.momentum) / curvature if curvature > 0 else None

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,), velocity = work, slots["velocity"]
        velocity *= self.momentum
        if self.flavor == "torch":
            velocity += grad
            theta -= np.multiply(velocity, lr, out=step)
        else:
            velocity -= np.multiply(grad, lr, out=step)
            theta += velocity


class Nesterov(Momentum, name="nesterov"):
    """keras: v ← μ v - lr g;  θ ← θ + μ v - lr g.  torch: v ← μ v + g;  θ ← θ - lr (g + μ v).

    Equal while lr is constant. Sutskever et al. 2013.
    """

    limit = "(2+2β)/((1+2β)λ)"

    def stable_rate(self, curvature: float) -> float | None:
        beta = self.momentum
        return 2 * (1 + beta) / ((1 + 2 * beta) * curvature) if curvature > 0 else None

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,), velocity = work, slots["velocity"]
        velocity *= self.momentum
        if self.flavor == "torch":
            velocity += grad
            np.multiply(velocity, self.momentum, out=step)
            step += grad
            step *= lr
        else:
            np.multiply(grad, lr, out=step)
            velocity -= step
            theta += np.multiply(velocity, self.momentum, out=step)
            np.multiply(grad, lr, out=step)
        theta -= step


class Adam(Optimizer, name="adam"):
    """m ← β₁m + (1-β₁)g;  s ← β₂s + (1-β₂)g²;  θ ← θ - lr m/(1-β₁ᵗ) / r. Kingma and Ba 2014.

    torch: r = √(s/(1-β₂ᵗ)) + ε.  keras: r = (√s + ε)/√(1-β₂ᵗ), the paper's "epsilon hat".
    The slots hold m/(1-β₁) and s/(1-β₂), which saves a pass each; the factors go into lr and ε.
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-7
    slots: ClassVar[tuple[str, ...]] = ("gradients", "squares")
    learning_rates = (0.001, 0.001)
    torch_fields: ClassVar = {"epsilon": 1e-8}

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,), gradients = work, slots["gradients"]
        correction, unit = (1 - self.beta_2**t) ** 0.5, (1 - self.beta_2) ** 0.5
        accumulate(gradients, grad, self.beta_1)
        accumulate(slots["squares"], np.multiply(grad, grad, out=step), self.beta_2)
        np.sqrt(self._squares(slots), out=step)
        epsilon = self.epsilon / unit * (correction if self.flavor == "torch" else 1)
        np.add(step, epsilon, out=step)
        np.divide(gradients, step, out=step)
        rate = lr * ((1 - self.beta_1) / (1 - self.beta_1**t) * correction / unit)
        np.multiply(step, rate, out=step)
        theta -= step

    def _squares(self, slots: Mapping[str, Array]) -> Array:
        """s, whose root divides the step."""
        return slots["squares"]


class AmsGrad(Adam, name="amsgrad"):
    """Adam with the largest s so far in place of s. Reddi et al. 2018."""

    slots = ("gradients", "squares", "peak")

    def _squares(self, slots: Mapping[str, Array]) -> Array:
        return np.maximum(slots["peak"], slots["squares"], out=slots["peak"])


class AdamW(Adam, name="adamw"):
    """Adam with decoupled weight decay in both flavors.

    Loshchilov and Hutter 2017.
    """

    weight_decay: NonNegative = 0.004
    torch_fields: ClassVar = {"epsilon": 1e-8, "weight_decay": 0.01}

    @property
    def decoupled(self) -> bool:
        return True


class Adamax(Optimizer, name="adamax"):
    """m ← β₁m + (1-β₁)g;  θ ← θ - lr m/(1-β₁ᵗ) / r. Kingma and Ba 2014, section 7.1.

    keras: u ← max(β₂u, |g|), r = u + ε.  torch: u ← max(β₂u, |g| + ε), r = u.
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.999
    epsilon: Positive = 1e-7
    slots = ("gradients", "peak")
    learning_rates = (0.001, 0.002)
    torch_fields: ClassVar = {"epsilon": 1e-8}

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step,), gradients, peak = work, slots["gradients"], slots["peak"]
        accumulate(gradients, grad, self.beta_1)
        np.absolute(grad, out=step)
        if self.flavor == "torch":
            step += self.epsilon
        peak *= self.beta_2
        np.maximum(peak, step, out=peak)
        if self.flavor == "keras":
            peak = np.add(peak, self.epsilon, out=step)
        np.divide(gradients, peak, out=step)
        step *= lr * ((1 - self.beta_1) / (1 - self.beta_1**t))
        theta -= step


class Nadam(Adam, name="nadam"):
    """Adam's m and s, looking ahead: θ ← θ - lr m̂/(√(s/(1-β₂ᵗ)) + ε), where with Πₜ = μ₁ … μₜ
    m̂ = μₜ₊₁ m/(1-Πₜ₊₁) + (1-μₜ) g/(1-Πₜ) and μₜ = β₁(1 - ½ 0.96^(ψt)). Dozat 2016.

    ψ is ``momentum_decay``: 1, for torch 0.004.
    """

    momentum_decay: Positive = 1.0
    scratch = 2
    learning_rates = (0.001, 0.002)
    torch_fields: ClassVar = {"epsilon": 1e-8, "momentum_decay": 0.004}

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        step, other = work
        correction, unit = (1 - self.beta_2**t) ** 0.5, (1 - self.beta_2) ** 0.5
        accumulate(slots["gradients"], grad, self.beta_1)
        accumulate(slots["squares"], np.multiply(grad, grad, out=step), self.beta_2)
        now, ahead = self._shares(t)
        np.multiply(grad, now, out=step)
        step += np.multiply(slots["gradients"], ahead * (1 - self.beta_1), out=other)
        np.sqrt(slots["squares"], out=other)
        other += self.epsilon * correction / unit
        step /= other
        step *= lr * (correction / unit)
        theta -= step

    def _shares(self, t: int) -> tuple[Any, Any]:
        """The factors of g and of m in m̂: (1-μₜ)/(1-Πₜ) and μₜ₊₁/(1-Πₜ₊₁)."""
        beta, decay = self.beta_1, self.momentum_decay
        mu, mu_next = (beta * (1 - 0.5 * 0.96 ** (decay * i)) for i in (t, t + 1))
        product = beta**t * each(partial(damping, t), decay)
        return (1 - mu) / (1 - product), mu_next / (1 - product * mu_next)


@lru_cache(maxsize=64)
def damping(t: int, decay: float) -> float:
    """∏ (1 - ½ qⁱ) for i = 1 … t with q = 0.96^decay, up to rounding, without a loop over t.

    Its logarithm is -Σₖ 2⁻ᵏ/k Σᵢ qⁱᵏ over k = 1, 2, …; the sums over i are geometric.
    """
    slope = decay * log(0.96)
    terms = (
        0.5**k / k * 0.96 ** (decay * k) * expm1(k * slope * t) / expm1(k * slope)
        for k in range(1, 64)
    )
    return exp(-fsum(terms))


class Lion(Optimizer, name="lion"):
    """θ ← θ - lr sign(β₁m + (1-β₁)g), then m ← β₂m + (1-β₂)g. Chen et al. 2023.

    Weight decay is decoupled in both flavors; PyTorch itself has no Lion.
    """

    beta_1: Fraction = 0.9
    beta_2: Fraction = 0.99
    slots = ("mean",)
    scratch = 2
    learning_rates = (0.001, 0.001)

    @property
    def decoupled(self) -> bool:
        return True

    def update(self, theta: Array, grad: Array, lr: Any, t: int, work: Pad, **slots: Array) -> None:
        (step, other), mean = work, slots["mean"]
        np.multiply(mean, self.beta_1, out=step)
        step += np.multiply(grad, 1 - self.beta_1, out=other)
        np.sign(step, out=step)
        step *= lr
        theta -= step
        follow(mean, grad, self.beta_2, other)
