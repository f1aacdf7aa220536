"""Evolution strategy: the gradient of a smoothed loss, from the losses of perturbed weights.

Salimans et al. 2017, "Evolution strategies as a scalable alternative to reinforcement learning"
(arXiv 1703.03864), algorithm 1, with mirrored sampling and rank shaping.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.learner import Advance, Arrays, Brake, Divergence, Json, Span
from backproplab.learners.material import Material
from backproplab.learners.searching import BEST, MEAN, Search, Searching
from backproplab.measures import Row
from backproplab.optim import Updater
from backproplab.spec import Off, Positive
from backproplab.streams import restore_state, state_of


class EvolutionStrategy(Search, name="evolution_strategy"):
    """θ ← θ - optimizer(g) with g = 1/(P sigma) Σᵢ uᵢ εᵢ, εᵢ ~ N(0, I), an update a generation.

    uᵢ is the shaped loss of θ + sigma εᵢ. Half of the ε are drawn, the other half are their
    negatives. The optimizer, its rate, schedule and clipping are those of the config.

    population: P, an even number.  sigma: the standard deviation of a perturbation.
    shaping: ``ranks`` replaces the losses by their ranks, evenly from -1/2 to 1/2, so that no
        outlier counts; ``none`` estimates the gradient of the loss averaged over perturbations.
    """

    population: Annotated[int, Field(ge=2, le=10**6, multiple_of=2)] = 50
    sigma: Positive = 0.1
    shaping: Annotated[Literal["ranks", "none"], Off("none")] = "ranks"

    unit = "generation"
    uses: ClassVar[frozenset[str]] = Search.uses | {
        "optimizer", "learning_rate", "schedule", "clipping",
    }  # fmt: skip
    declares = (BEST, MEAN)

    def problems(self, material: Material) -> list[Problem]:
        optimizer, found = material.keys["optimizer"], super().problems(material)
        if not optimizer.blockwise:
            what = f"optimizer: {optimizer.name} needs exact gradients, {self.name} estimates them"
            found.append(Problem("", what, "use sgd, momentum or adam"))
        return found

    def numbers(self, size: int) -> int:
        return 3 * self.population * size  # noise, offsets, members on both sides

    def begin(self, material: Material) -> Drifting:
        return Drifting(self, material)


class Drifting(Searching):
    """An evolution strategy at work.

    fitness: of the newest generation, best and mean.
    """

    def __init__(self, settings: EvolutionStrategy, material: Material) -> None:
        super().__init__(material)
        keys = material.keys
        self.settings, self.tried = settings, settings.population
        self.gradient = self.parameters.twin()
        self.slots = {name: self.parameters.twin() for name in keys["optimizer"].slots}
        self.rate = keys["schedule"].begin(keys["learning_rate"], material.steps)
        self.updater = Updater(
            keys["optimizer"],
            self.parameters.trainable,
            self.gradient.flat,
            {name: vector.flat for name, vector in self.slots.items()},
        )
        self.fitness = np.full(2, -np.inf)

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made = Advance()
        for step in range(span.start, span.start + span.steps):
            if made.done and brake.between_steps():
                break
            before = state_of(self.chance)
            noise = self.noise(self.settings.population // 2)
            losses = self._losses(noise, brake)
            if losses is None:
                restore_state(self.chance, before)
                break
            self._estimate(losses, noise)
            if not np.isfinite(self.gradient.flat).all():
                made.diverged[0] = Divergence(step, self._advice(step))
                break
            self.fitness[:] = -losses.min(), -losses.mean()
            made.report("generation_loss", step + 1, float(losses.min()))
            made.report("generation_mean_loss", step + 1, float(losses.mean()))
            self._follow(step)
            made.done += 1
        return made

    def _losses(self, noise: Array, brake: Brake) -> Array | None:
        """The losses (2, P/2) of θ + sigma ε and θ - sigma ε."""
        offsets = self.settings.sigma * noise
        theta = self.parameters.trainable
        found = self.losses_of(np.concatenate([theta + offsets, theta - offsets]), brake)
        return None if found is None else found.reshape(2, -1)

    def _estimate(self, losses: Array, noise: Array) -> None:
        """Fill the gradient from the losses (2, P/2) along ε and -ε."""
        shaped = centered_ranks(losses) if self.settings.shaping == "ranks" else losses
        weights = (shaped[0] - shaped[1]) / (losses.size * self.settings.sigma)
        np.dot(weights.astype(noise.dtype), noise, out=self.gradient.flat)

    def _follow(self, step: int) -> None:
        if clipping := self.material.keys["clipping"]:
            clipping.clip(self.gradient.flat, self.gradient.views)
        self.updater(self.rate(step), step + 1)

    def _advice(self, step: int) -> str:
        return (
            "the gradient's estimate stopped being finite — "
            f"try a smaller learning_rate (now {self.rate(step):g})"
        )

    def scalars(self, step: int) -> Row:
        best, mean = map(float, self.fitness)
        rate = self.rate(max(step - 1, 0))
        return {"best_fitness": best, "mean_fitness": mean, "learning_rate": rate}

    def evaluated(self, row: Row) -> None:
        self.rate.epoch(row)

    def state(self) -> tuple[Arrays, Json]:
        arrays, state = super().state()
        slots = {f"slots/{name}": vector.flat for name, vector in self.slots.items()}
        return {**arrays, **slots, "fitness": self.fitness}, state | {"rate": self.rate.state}

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        for name, vector in self.slots.items():
            np.copyto(vector.flat, arrays[f"slots/{name}"])
        np.copyto(self.fitness, arrays["fitness"])
        self.rate.state = state["rate"]


def centered_ranks(values: Array) -> Array:
    """The ranks of the values, evenly from -1/2 for the least to 1/2; of equals the first is less.

    >>> centered_ranks(np.array([7.0, 1.0, np.inf]))
    array([ 0. , -0.5,  0.5])
    """
    ranks = np.empty(values.size)
    ranks[np.argsort(values, axis=None, kind="stable")] = np.linspace(-0.5, 0.5, values.size)
    return ranks.reshape(values.shape)
