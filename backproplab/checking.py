"""Is the gradient right? An experiment's layers, and its gradients against central differences.

In float64, on a few training examples. This file knows no terminal.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, central_difference
from backproplab.autograd.graph import flops
from backproplab.config import Experiment
from backproplab.experiment import Parts, build
from backproplab.learners import Descent
from backproplab.learners.backprop import BackpropSource

STEPS = (1e-5, 1e-6, 1e-7)
ROUNDING = 1e-9  # what rounding may do to one central difference of a loss near 1
Verdict = Literal["right", "wrong", "too small to tell", "not reached"]


@dataclass(frozen=True)
class LayerRow:
    """One layer: its name, the shape it gives, its parameters, its operations for one example."""

    name: str
    shape: tuple[int, ...]
    parameters: int
    flops: int


@dataclass(frozen=True)
class GradientRow:
    """One parameter: how many of its entries were checked, and the relative error.

    error: |a - n| / (|a| + |n|) with the norms of analytic and numeric gradient, as measured; NaN
        if both are 0.
    noise: the error that rounding may cause in the central differences.
    reached: False if no entry that was checked moves the loss.
    """

    name: str
    shape: tuple[int, ...]
    asked: int
    error: float
    noise: float
    reached: bool

    def verdict(self, tolerance: float) -> Verdict:
        """``too small to tell``: the error is above the tolerance, but not above the noise."""
        if not self.reached:
            return "not reached"
        if self.error <= tolerance:
            return "right"
        return "too small to tell" if self.error <= self.noise else "wrong"


@dataclass(frozen=True)
class Cost:
    """What the two ways took: passes through the network, and seconds, as measured."""

    entries: int
    numeric_passes: int
    numeric_seconds: float
    backprop_seconds: float


@dataclass(frozen=True)
class Check:
    """The whole answer."""

    weights: int
    layers: tuple[LayerRow, ...]
    gradients: tuple[GradientRow, ...]
    cost: Cost


def precise(experiment: Experiment) -> Experiment:
    """The experiment as it is checked: in float64, and in a batch of any size."""
    return experiment.model_copy(update={"dtype": "float64", "batch_size": None})


def check(experiment: Experiment | Parts, examples: int = 8, entries: int | None = 40) -> Check:
    """Compare every parameter's gradient with central differences.

    The weights are moved a little first: a ReLU whose input is exactly 0, as zero biases make it,
    has no derivative to compare with. examples: of the training split, as one batch. entries:
    asked of each parameter, half of them among those that move the loss; None for all.
    experiment: or what ``build`` made of it, once it was ``precise``.
    Raises what build raises.
    """
    parts = experiment if isinstance(experiment, Parts) else build(precise(experiment))
    batch = parts.split(parts.splits.train.take(np.arange(min(examples, len(parts.splits.train)))))
    generator = np.random.default_rng(parts.experiment.seed)
    descent = parts.descent()
    weights = descent.parameters.trainable
    weights += 0.01 * generator.standard_normal(weights.shape)
    probe = _Probe(descent, batch.inputs, batch.encoded)
    started = time.perf_counter()
    probe.learn()
    backprop = time.perf_counter() - started
    started = time.perf_counter()
    rows = tuple(
        _gradient_row(probe, name, _chosen(view.reshape(-1), entries, generator))
        for name, view in probe.learner.gradient.views.items()
    )
    numeric = time.perf_counter() - started
    cost = Cost(sum(row.asked for row in rows), probe.passes, numeric, backprop)
    return Check(descent.network.size, tuple(layer_rows(descent)), rows, cost)


def layer_rows(descent: Descent) -> list[LayerRow]:
    """The network layer by layer, with the operations that one example costs forward."""
    network = descent.network
    weights, x = descent.parameters.tensors(), np.ones((1, *network.input_shape))
    rows = []
    for place in network.places:
        y = place.apply(weights, Tensor(x, None, True), None)
        rows.append(LayerRow(place.name, place.output_shape, place.parameters, flops(y)))
        x = y.value
    return rows


class _Probe:
    """The loss of one batch as a function of single weights; chance falls the same each time."""

    def __init__(self, descent: Descent, inputs: Array, targets: Array) -> None:
        self.learner = BackpropSource(
            descent.network, descent.loss, descent.parameters, _same_chance(), engine="eager"
        )
        self.inputs, self.targets = inputs, targets
        self.passes = 0

    def learn(self) -> None:
        self.learner(self.inputs, self.targets)

    def loss(self) -> float:
        """One forward pass in training mode."""
        self.passes += 1
        learner = self.learner
        y = learner.network(learner.parameters.tensors(), Tensor(self.inputs), _same_chance())
        return float(np.mean(learner.loss_function(y, Tensor(self.targets)).value))

    def slope(self, name: str, entry: int, analytic: float) -> float:
        """The central difference by one weight.

        One that disagrees is asked again with smaller steps: a kink of ReLU between the two
        points goes away then, a wrong rule does not.
        """
        flat = self.learner.parameters.views[name].reshape(-1)
        value, numeric = flat[entry], 0.0

        def at(t: float) -> float:
            flat[entry] = value + t
            loss = self.loss()
            flat[entry] = value
            return loss

        for h in STEPS:
            numeric = central_difference(at, h)
            if abs(numeric - analytic) <= 1e-5 * (abs(numeric) + abs(analytic)) + 1e-9:
                break
        return numeric


def _same_chance() -> np.random.Generator:
    return np.random.default_rng(0)


def _chosen(gradient: Array, entries: int | None, generator: np.random.Generator) -> Array:
    """Places to ask at: half of them where the gradient is not 0, the others anywhere."""
    if entries is None or entries >= gradient.size:
        return np.arange(gradient.size)
    moving = np.flatnonzero(gradient)
    first = generator.permutation(moving)[: entries // 2]
    others = np.setdiff1d(np.arange(gradient.size), first)
    rest = generator.choice(others, entries - len(first), replace=False)
    return np.sort(np.concatenate([first, rest]))


def _gradient_row(probe: _Probe, name: str, chosen: Array) -> GradientRow:
    view = probe.learner.gradient.views[name]
    analytic = view.reshape(-1)[chosen]
    pairs = zip(chosen, analytic, strict=True)
    numeric = np.array([probe.slope(name, int(entry), float(a)) for entry, a in pairs])
    off = float(np.linalg.norm(analytic - numeric))
    size = float(np.linalg.norm(analytic) + np.linalg.norm(numeric))
    rounding = ROUNDING * max(1.0, abs(probe.loss())) * len(chosen) ** 0.5
    error, noise = (off / size, rounding / size) if size else (math.nan, math.nan)
    return GradientRow(name, view.shape, len(chosen), error, noise, bool(size))
