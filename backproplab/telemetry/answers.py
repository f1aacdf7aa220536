"""Answers: what a run predicts of its validation split, or of the training split if it has none."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.learners import Learning, Material
from backproplab.learners.updates import loss_of

TILE = 256  # examples at a time


def predicted(learning: Learning, inputs: Array) -> Array:
    """The outputs (n, units) of inputs (n, …)."""
    starts = range(0, len(inputs), TILE)
    return np.concatenate([learning.predict(inputs[at : at + TILE]) for at in starts])


class Answers:
    """split: its name.  of: its examples.  labels: the names of the classes."""

    def __init__(self, learning: Learning) -> None:
        self.material: Material = learning.material
        self.loss = loss_of(self.material)
        self.split = "validation" if "validation" in self.material.splits else "train"
        self.of = self.material.splits[self.split]
        self.outputs = predicted(learning, self.of.inputs)

    @property
    def labels(self) -> Sequence[str]:
        task = self.material.task
        return task.labels or [str(label) for label in range(task.outputs)]

    @cached_property
    def classes(self) -> Array:
        """The predicted classes (n,)."""
        return self.loss.decide(self.outputs)

    @cached_property
    def probabilities(self) -> Array:
        """(n, classes)."""
        return self.loss.probabilities(self.outputs)

    @property
    def counts(self) -> Array:
        """(classes, classes): examples by their class, then by the predicted one."""
        classes = len(self.labels)
        pairs = self.of.targets * classes + self.classes
        return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)

    @property
    def losses(self) -> Array:
        """Of each example (n,)."""
        return self.loss(Tensor(self.outputs), Tensor(self.of.encoded)).value
