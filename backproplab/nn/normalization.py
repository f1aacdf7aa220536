"""Normalization layers: mean 0 and variance 1, then a learned scale and shift a feature."""

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
# what the two libraries begin with: momentum, epsilon
FLAVORS = {"keras": (0.99, 1e-3), "torch": (0.1, 1e-5)}


class BatchNorm(Layer, name="batch_norm"):
    """scale (x - mean) / √(variance + epsilon) + shift, feature by feature.

    In training by the batch's own moments, which the running ones follow; in evaluation by the
    running ones, so that no example's result depends on its neighbors. Ioffe and Szegedy 2015.

    flavor: whose defaults and meaning.
        keras: running ← momentum · running + (1 - momentum) · batch, with the biased variance;
        torch: running ← (1 - momentum) · running + momentum · batch, with the unbiased one.
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
        """Where a number is not given, the flavor's own stands in the config."""
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

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        mean, variance = at.align(weights["mean"]), at.align(weights["variance"])
        if at.training:
            running = mean, variance
            mean, variance = moments(x, at.pooled)
            self._follow(running, (mean, variance), prod(x.shape[a] for a in at.pooled))
        scale, shift = at.align(weights["scale"]), at.align(weights["shift"])
        return normalize(x, mean, variance, scale, shift, epsilon=self.epsilon)

    def _follow(self, running: Moments, batch: Moments, count: int) -> None:
        """Move the running moments towards the batch's of ``count`` numbers, in place."""
        torch = self.flavor == "torch"
        share = self.momentum if torch else 1 - self.momentum
        unbiased = count / max(count - 1, 1) if torch else 1.0
        mean, variance = map(stop_gradient, batch)
        for old, new in zip(running, (mean, unbiased * variance), strict=True):
            assign(old, (1 - share) * old + share * new)


class LayerNorm(Layer, name="layer_norm"):
    """scale (x - mean) / √(variance + epsilon) + shift, by the moments of x's last axis.

    Each example for itself: training and evaluation do the same. Ba et al. 2016.
    """

    epsilon: Positive = 1e-3

    def weights(self, shape: Shape) -> dict[str, Weight]:
        return {"scale": Weight(shape[-1:], Ones()), "shift": Weight(shape[-1:], Zeros())}

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        scale, shift = at.align(weights["scale"]), at.align(weights["shift"])
        return layer_norm(x, scale, shift, epsilon=self.epsilon)
