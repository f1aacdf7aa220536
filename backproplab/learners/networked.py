"""Networked: what every learning with a network and a loss has, however it finds the weights."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.learner import Arrays, Brake, Json, Learner, Learning
from backproplab.learners.material import Material
from backproplab.learners.updates import loss_of
from backproplab.measures import Row
from backproplab.nn import Network


class Networked(Learning):
    """The network's weights, drawn as for any learner, and what they predict."""

    def __init__(self, material: Material) -> None:
        self.material = material
        self.parameters = material.first(self.network)
        of = self.network, self.parameters, loss_of(material), material.metrics, material.engine
        self.evaluation = Evaluation(*of)

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

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        of = self.material.splits[split]
        found = self.evaluation(of.inputs, of.targets, of.encoded, brake)
        return None if found is None else [{name: float(x) for name, x in found.items()}]

    def predict(self, inputs: Array) -> Array:
        return self.network(self.parameters.tensors(), Tensor(inputs)).value

    def state(self) -> tuple[Arrays, Json]:
        return {f"weights/{name}": view for name, view in self.weights.items()}, {}

    def restore(self, arrays: Arrays, state: Json) -> None:
        for name, view in self.weights.items():
            np.copyto(view, arrays[f"weights/{name}"])

    def __str__(self) -> str:
        return str(self.network)


def training_layers(learner: Learner, material: Material, passes: str) -> list[Problem]:
    """Layers that act in training passes alone, for a learner that makes none.

    passes: what it makes instead.
    """
    assert material.network is not None
    return [
        Problem(
            "",
            f"model.layers: {place.name} acts in training passes, {learner.name} makes {passes}",
            "use layer_norm" if place.layer.mixes_examples else "remove it",
        )
        for place in material.network.places
        if place.layer.differs_in_training
    ]
