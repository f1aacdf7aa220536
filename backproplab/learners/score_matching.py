"""Score matching: a network learns the slope of the log density of its inputs, from noise.

It needs no targets. Vincent 2011, "A connection between score matching and denoising autoencoders".
It is gradient descent with a loss of its own: the network's outputs and the noise that was added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import ClassVar, Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops, vjp
from backproplab.autograd.ops.random import normal_noise
from backproplab.errors import Problem
from backproplab.learners.crew import DescentCrew
from backproplab.learners.descent import BEGUN, Descent, GradientDescent
from backproplab.learners.learner import (
    Advance,
    Arrays,
    Brake,
    Json,
    Learner,
    Learning,
    Made,
    Span,
)
from backproplab.learners.material import Material, Split
from backproplab.measures import LOSS, Measure, Row
from backproplab.nn import Loss, Network
from backproplab.nn.layer import Shape, Weights
from backproplab.passes import Passes
from backproplab.spec import Positive
from backproplab.streams import Chance
from backproplab.task import Task

NOISY = "noisy {}"  # a split with the noise that it is measured with
SHOWN = 12  # examples that are denoised for a picture


class ScoreMatching(Learner, name="score_matching"):
    """Minimizes ½ ‖s(x + sigma ε) + ε / sigma‖², summed over the inputs of an example, ε ~ N(0, I).

    The minimum is s(y) = ∇ log p(y), where p is the density of the data with the noise. ε is drawn
    anew for each batch; splits are measured with noise that stays the same.

    sigma: the standard deviation of the noise.
    output: what the model gives: ``score`` is s, an output for each input; ``energy`` is one
        number E, and s = -∇E.
    """

    sigma: Positive = 0.5
    output: Literal["score", "energy"] = "score"

    unit = "update"
    batches = True
    uses: ClassVar[frozenset[str]] = GradientDescent.uses - BEGUN - {"loss", "metrics"}

    def measures(self, task: Task) -> tuple[Measure, ...]:
        return (LOSS,)

    def units(self, task: Task, inputs: Shape, loss: Loss | None) -> int:
        return prod(inputs) if self.output == "score" else 1

    def problems(self, material: Material) -> list[Problem]:
        shape = material.train.inputs.shape[1:]
        if len(shape) == 1:
            return GradientDescent().problems(material)
        what = f"learner: {self.name} takes inputs (units,), the data have {shape}"
        return [Problem("", what, "use other data")]

    def begin(self, material: Material) -> Matching:
        return Matching(self, material)

    @property
    def stacks(self) -> bool:
        return True

    def stack(self, members: Sequence[Matching]) -> MatchingCrew:
        return MatchingCrew([member.descent for member in members])


@dataclass(frozen=True, kw_only=True)
class ScoreNetwork(Network):
    """The score of a network: s(x) in evaluation; in training s(x + σ ε) + ε / σ.

    energy: the network gives E, and s = -∇E.
    """

    sigma: float
    energy: bool

    @property
    def output_shape(self) -> Shape:
        return self.input_shape

    def __call__(self, weights: Weights, x: Tensor, generator: Chance | None = None) -> Tensor:
        if generator is None:
            return self._score(weights, x, None)
        noise = normal_noise(x, generator=generator)
        return self._score(weights, x + self.sigma * noise, generator) + noise / self.sigma

    def _score(self, weights: Weights, y: Tensor, generator: Chance | None) -> Tensor:
        def outputs(y: Tensor) -> Tensor:
            return super(ScoreNetwork, self).__call__(weights, y, generator)

        if not self.energy:
            return outputs(y)
        energy, pullback = vjp(outputs, self._with_population(weights, y))
        slope: Tensor = pullback(ops.ones_like(energy))[0]
        return -slope

    def _with_population(self, weights: Weights, y: Tensor) -> Tensor:
        """The inputs for each member of a population, whose energies have different slopes."""
        name, declared = next(iter(self.weights.items()))
        population = weights[name].shape[: weights[name].ndim - len(declared.shape)]
        return ops.broadcast_to(y, shape=(*population, *y.shape[-2:])) if population else y


class HalfSquares(Loss):
    """½ ‖y - t‖², summed over the outputs."""

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * ops.sum(ops.square(outputs - targets), axis=-1)


class Matching(Learning):
    """Score matching at work: gradient descent of the score network, whose targets are zeros.

    descent: does it. Its splits called ``noisy`` have inputs x + σ ε and targets -ε / σ.
    """

    def __init__(self, settings: ScoreMatching, material: Material) -> None:
        self.settings, self.material = settings, material
        plain = material.network
        assert plain is not None
        sigma, energy = settings.sigma, settings.output == "energy"
        chance = material.stream("learner")
        clean = {name: _clean(split) for name, split in material.splits.items()}
        noisy = {NOISY.format(n): _noisy(x, settings.sigma, chance) for n, x in clean.items()}
        inner = replace(
            material,
            network=ScoreNetwork(
                plain.places,
                plain.initializer,
                plain.parametrization,
                sigma=sigma,
                energy=energy,
            ),
            loss=HalfSquares(),
            metrics=(),
            splits=clean | noisy,
        )
        self.descent = Descent(GradientDescent(), inner)
        self.offers = self.descent.offers

    @property
    def weights(self) -> Arrays:
        return self.descent.weights

    @property
    def size(self) -> int:
        return self.descent.size

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made = self.descent.advance(span, wanted, brake)
        self.refusal = self.descent.refusal
        return made

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        return self.descent.measure(NOISY.format(split), brake)

    def predict(self, inputs: Array) -> Array:
        """The scores s(x), (n, units)."""
        return self.descent.predict(inputs)

    def pictures(self) -> Mapping[str, Made]:
        """Noisy examples beside what the score makes of them: y + σ² s(y) is the mean of x."""
        split = "validation" if "validation" in self.material.splits else "train"
        some = self.descent.material.splits[NOISY.format(split)].inputs[:SHOWN]
        cleaned = some + self.settings.sigma**2 * self.predict(some)
        pairs = np.stack([some, cleaned], axis=1).reshape(-1, some.shape[1])
        return {"denoised": Made(pairs, 6, f"{split}: with noise, then denoised")}

    def passes(self, steps: int, examples: int) -> Passes:
        """Of an energy, its slope is a backward pass, too."""
        backward = 2 if self.settings.output == "energy" else 1
        return Passes.of(steps, examples, forward=1, backward=backward)

    def scalars(self, step: int) -> Row:
        return self.descent.scalars(step)

    def evaluated(self, row: Row) -> None:
        self.descent.evaluated(row)

    def broken(self, row: Row, step: int) -> str:
        return self.descent.broken(row, step)

    def state(self) -> tuple[Arrays, Json]:
        return self.descent.state()

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.descent.restore(arrays, state)

    def __str__(self) -> str:
        return str(self.descent)


class MatchingCrew(DescentCrew):
    """A crew whose splits are measured with noise that stays the same."""

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        return super().measure(NOISY.format(split), brake)


def _clean(split: Split) -> Split:
    return Split(split.inputs, split.targets, np.zeros_like(split.inputs))


def _noisy(split: Split, sigma: float, chance: np.random.Generator) -> Split:
    noise = chance.standard_normal(split.inputs.shape, split.inputs.dtype.type)
    return Split(split.inputs + sigma * noise, split.targets, -noise / sigma)
