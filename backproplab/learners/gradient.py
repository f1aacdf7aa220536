"""Gradient: where the gradient of a batch comes from; how it is used is another matter.

A source fills a vector from a batch. It must not know the optimizer, nor the loop.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from backproplab.arrays import Array
from backproplab.autograd.engines import EngineName
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.learner import Brake
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.spec import Family
from backproplab.streams import Chance


class GradientSource(Protocol):
    """Fills ``gradient`` from batches.

    refusal: why steps are computed without the engine asked for; empty if they are not.
    """

    gradient: ParameterVector
    refusal: str

    def __call__(
        self, inputs: Array, targets: Array, rows: Array | None = None, brake: Brake | None = None
    ) -> bool:
        """The mean gradient of these rows, None for all; False if the brake ended it midway.

        Nothing but ``gradient`` has changed after False.
        """


class Gradient(Family):
    """Where the gradient comes from. stacks: it can fill those of a crew at once."""

    stacks: ClassVar[bool] = False

    def source(
        self,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        gradient: ParameterVector,
        chance: Chance,
        engine: EngineName,
        tile: int | None,
    ) -> GradientSource:
        """A source for these weights.

        gradient: the vector to fill, a twin of ``parameters``.  chance: draws for dropout.
        tile: examples taken at a time; None for what suits the network.
        """
        raise NotImplementedError


class Backprop(Gradient, name="backprop"):
    """One forward pass, one backward pass, every derivative."""

    stacks = True

    def source(
        self,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        gradient: ParameterVector,
        chance: Chance,
        engine: EngineName,
        tile: int | None,
    ) -> GradientSource:
        return BackpropSource(network, loss, parameters, chance, engine, tile, gradient)
