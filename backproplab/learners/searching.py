"""Search: what learners that compare weights by their training loss have in common.

They make forward passes only, over all training examples. This file must not know how any of them
chooses the weights that it tries.
"""

from __future__ import annotations

from typing import ClassVar

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.learner import Arrays, Brake, Json, Learner
from backproplab.learners.material import Material, coupled_members
from backproplab.learners.networked import Networked, training_layers
from backproplab.learners.population import PopulationLoss
from backproplab.learners.updates import loss_of
from backproplab.measures import measure
from backproplab.passes import Passes
from backproplab.streams import restore_state, state_of

BEST = measure("best_fitness", None)  # minus the least training loss
MEAN = measure("mean_fitness", None)  # minus the mean training loss of a generation


class Search(Learner):
    """A learner that needs no gradient: it tries weights, and compares their training losses."""

    uses: ClassVar[frozenset[str]] = frozenset({"model", "loss", "metrics"})

    def problems(self, material: Material) -> list[Problem]:
        assert material.network is not None
        alone = coupled_members(self.name, material.network)
        return [*training_layers(self, material, "forward passes"), *alone]


class Searching(Networked):
    """A search at work.

    losses: the training losses of many weight vectors.
    tried: weight vectors a step.
    chance: where everything that is tried is drawn from.
    """

    tried = 1

    def __init__(self, material: Material) -> None:
        super().__init__(material)
        self.losses = PopulationLoss(material, self.network, loss_of(material))
        self.chance = material.stream("learner")

    def losses_of(self, vectors: Array, brake: Brake) -> Array | None:
        """The training losses (P,) of weight vectors (P, n); None if the brake ended it."""
        found = self.losses(vectors, brake)
        self.refusal = self.losses.refusal
        return found

    def noise(self, count: int) -> Array:
        """Standard normal numbers for ``count`` weight vectors, (count, n)."""
        return self.chance.standard_normal((count, self.size), self.parameters.flat.dtype.type)

    def passes(self, steps: int, examples: int) -> Passes:
        return Passes.of(steps, steps * len(self.material.train), forward=self.tried)

    def state(self) -> tuple[Arrays, Json]:
        arrays, state = super().state()
        return arrays, state | {"chance": state_of(self.chance)}

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        restore_state(self.chance, state["chance"])
