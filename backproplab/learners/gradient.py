"""Gradient: where the gradient of a batch comes from; how it is used is another matter.

A source fills a vector from a batch. It must not know the optimizer, nor the loop.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.learner import Brake
from backproplab.learners.material import Material
from backproplab.nn import ParameterVector
from backproplab.spec import Family


class GradientSource(Protocol):
    """Fills ``gradient`` from batches.

    refusal: why steps are computed without the engine asked for; empty if they are not.
    """

    gradient: ParameterVector
    refusal: str

    def __call__(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | None = None,
        brake: Brake | None = None,
        outputs: Array | None = None,
    ) -> bool:
        """The mean gradient of these rows, None for all; False if the brake ended it midway.

        outputs: filled with what the network gives in training, (…, batch, units), where wanted.
        Nothing but ``gradient`` and ``outputs`` has changed after False.
        """


class Gradient(Family):
    """Where the gradient comes from. stacks: it can fill those of a crew at once."""

    stacks: ClassVar[bool] = False

    def source(self, *parts: Any) -> GradientSource:
        """What fills a gradient; ``parts`` are the arguments of ``BackpropSource``."""
        raise NotImplementedError

    def passes(self, weights: int) -> tuple[int, int]:
        """Forward and backward passes over a batch that give the gradient of these many weights."""
        raise NotImplementedError

    def problems(self, material: Material) -> list[Problem]:
        """What it cannot differentiate, reported before anything is written."""
        return []


class Backprop(Gradient, name="backprop"):
    """One forward pass, one backward pass, every derivative."""

    stacks = True

    def passes(self, weights: int) -> tuple[int, int]:
        return 1, 1

    def source(self, *parts: Any) -> GradientSource:
        return BackpropSource(*parts)
