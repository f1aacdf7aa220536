"""Search: what learners that compare weights by their training loss have in common.

They make forward passes only, over all training examples. This file must not know how any of them
chooses the weights that it tries.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.learner import Arrays, Brake, Json, Learner, Learning
from backproplab.learners.material import Material
from backproplab.learners.population import PopulationLoss
from backproplab.learners.updates import loss_of
from backproplab.measures import Row
from backproplab.nn import Network
from backproplab.streams import restore_state, state_of


class Search(Learner):
    """A learner that needs no gradient: it tries weights, and compares their training losses."""

    uses: ClassVar[frozenset[str]] = frozenset({"model", "loss"})

    def problems(self, material: Material) -> list[Problem]:
        return forward_problems(self, material)


def forward_problems(learner: Learner, material: Material) -> list[Problem]:
    """Layers that only a training pass gives a meaning, for a learner that makes none."""
    assert material.network is not None
    name, places = learner.name, material.network.places
    return [
        Problem(
            "",
            f"model.layers: {place.name} acts in training passes, and {name} makes none",
            "remove the layer" + (", or use layer_norm" * place.layer.mixes_examples),
        )
        for place in places
        if place.layer.differs_in_training
    ]


class Searching(Learning):
    """A search at work.

    parameters: the weights that predict.  losses: the training loss of others.
    chance: where everything that is tried is drawn from.
    """

    def __init__(self, material: Material) -> None:
        self.material = material
        self.parameters = self.network.parameters(material.dtype)
        self.network.initialize(self.parameters, material.stream("init"))
        loss = loss_of(material)
        self.evaluation = Evaluation(
            self.network, self.parameters, loss, material.metrics, material.engine
        )
        self.losses = PopulationLoss(material, self.network, loss)
        self.chance = material.stream("learner")

    @property
    def network(self) -> Network:
        assert self.material.network is not None
        return self.material.network

    @property
    def weights(self) -> Arrays:
        return self.parameters.views

    @property
    def size(self) -> int:
        return len(self.parameters)

    def losses_of(self, vectors: Array, brake: Brake) -> Array | None:
        """The training losses (P,) of weight vectors (P, n); None if the brake ended it."""
        found = self.losses(vectors, brake)
        self.refusal = self.losses.refusal
        return found

    def noise(self, count: int) -> Array:
        """Standard normal numbers for ``count`` weight vectors, (count, n)."""
        return self.chance.standard_normal((count, self.size), self.parameters.flat.dtype.type)

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        of = self.material.splits[split]
        found = self.evaluation(of.inputs, of.targets, of.encoded, brake)
        return None if found is None else [{name: float(x) for name, x in found.items()}]

    def predict(self, inputs: Array) -> Array:
        return self.network(self.parameters.tensors(), Tensor(inputs)).value

    def state(self) -> tuple[Arrays, Json]:
        arrays = {f"weights/{name}": view for name, view in self.weights.items()}
        return arrays, {"chance": state_of(self.chance)}

    def restore(self, arrays: Arrays, state: Json) -> None:
        for name, view in self.weights.items():
            np.copyto(view, arrays[f"weights/{name}"])
        restore_state(self.chance, state["chance"])

    def __str__(self) -> str:
        return str(self.network)
