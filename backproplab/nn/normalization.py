"""Normalization layers: mean 0 and variance 1, then a learned scale and shift per feature."""

from __future__ import annotations

from math import prod
from typing import Any, Literal

from pydantic import model_validator

from backproplab.autograd import Tensor, stop_gradient
from backproplab.autograd.ops.normalization import layer_norm, moments, normalize
from backproplab.autograd.ops.storage import assign
from backproplab.nn.initializers import Ones, Zeros
from backproplab.nn.layer import Layer, Pass, Shape, Weight, Weights
from backproplab.spec import Fraction, Positive

Moments = tuple[Tensor, Tensor]
# defaults of the two libraries: momentum, epsilon
FLAVORS = {"keras": (0.99, 1e-3), "torch": (0.1, 1e-5)}


class BatchNorm(Layer, name="batch_norm"):
    """scale (x - mean) / √(variance + epsilon) + shift, feature by feature.

    Training uses the batch's moments and updates running averages of them. Evaluation uses the
    running averages, so that results do not depend on the batch. Ioffe and Szegedy 2015.

    flavor: the library whose defaults and formula are used.
        keras: running ← momentum · running + (1 - momentum) · batch, with the biased variance;
        torch: running ← (1 - momentum) · running + momentum · batch, with the unbiased variance.
    """

    momentum: Fraction = 0.99
    epsilon: Positive = 1e-3
    flavor: Literal["keras", "torch"] = "keras"

    @property
    def mixes_examples(self) -> bool:
        return True

    @model_validator(mode="before")
    @classmethod
    def _flavored(cls, fields: Any) -> Any:
        """Fill in the flavor's default for each number that is not given."""
        if not isinstance(fields, dict) or fields.get("flavor") not in FLAVORS:
            return fields
        momentum, epsilon = FLAVORS[fields["flavor"]]
        return {"momentum": momentum, "epsilon": epsilon, **fields}

    def weights(self, shape: Shape) -> dict[str, Weight]:
        features = shape[-1:]
        return {
            "scale": Weight(features, Ones()),
            "shift": Weight(features, Zeros()),
            "mean": Weight(features, Zeros(), trainable=False),
            "variance": Weight(features, Ones(), trainable=False),
        }

    def blocked(self, shape: Shape, examples: int) -> str:
        alone = examples * prod(shape[:-1]) == 1
        return "normalizes a batch of one value per feature to 0" if alone else ""

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        mean, variance = at.align(weights["mean"]), at.align(weights["variance"])
        if at.training:
            running = mean, variance
            mean, variance = moments(x, at.pooled)
            self._follow(running, (mean, variance), prod(x.shape[a] for a in at.pooled))
        scale, shift = at.align(weights["scale"]), at.align(weights["shift"])
        return normalize(x, mean, variance, scale, shift, epsilon=self.epsilon)

    def _follow(self, running: Moments, batch: Moments, count: int) -> None:
        """Update the running moments in place, by the batch's moments over ``count`` numbers."""
        torch = self.flavor == "torch"
        share = self.momentum if torch else 1 - self.momentum
        unbiased = count / max(count - 1, 1) if torch else 1.0
        mean, variance = map(stop_gradient, batch)
        for old, new in zip(running, (mean, unbiased * variance), strict=True):
            assign(old, (1 - share) * old + share * new)


class LayerNorm(Layer, name="layer_norm"):
    """scale (x - mean) / √(variance + epsilon) + shift, with the moments over x's last axis.

    Each example is normalized alone, in training and evaluation alike. Ba et al. 2016.
    """

    epsilon: Positive = 1e-3

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return {"scale": Weight(shape[-1:], Ones()), "shift": Weight(shape[-1:], Zeros())}

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        scale, shift = at.align(weights["scale"]), at.align(weights["shift"])
        return layer_norm(x, scale, shift, epsilon=self.epsilon)
