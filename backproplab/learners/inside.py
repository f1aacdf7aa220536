"""Inside: what happens in a network on a few examples: values, derivatives and weights.

Of one run or of a crew: every array has an axis for the members first. It moves nothing of a run.
This file must not know what is measured of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, NamedTuple, TypeVar

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward
from backproplab.learners.glimpses import Glimpse, glimpses, hidden
from backproplab.learners.material import Split
from backproplab.learners.stages import forward, returned
from backproplab.nn import Activation, Loss, Network, ParameterVector
from backproplab.nn.structure import Block

ROWS = 256  # training examples that are looked at; fewer if
ENTRIES = 2**24  # a forward pass would keep more values

T = TypeVar("T")


class Found(NamedTuple):
    """losses: of each example, (P, examples).  gradient: ∂L/∂weights by name, (P, *shape)."""

    losses: Array
    layers: list[Glimpse]
    gradient: dict[str, Array]


class Inside:
    """A network at work on some examples, in evaluation mode.

    inputs: (examples, *input_shape), or with an axis for the members of a crew before it.
    encoded: their targets as the loss takes them.
    What a forward and a backward pass finds is computed when it is first read, and once.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        inputs: Array,
        encoded: Array,
    ) -> None:
        self.network = network
        self.loss = loss
        self.parameters = parameters
        self.inputs = inputs
        self.encoded = encoded
        self.axis = inputs.ndim - 1 - len(network.input_shape)
        self._found: dict[Callable[..., Any], Sequence[Any]] = {}

    @classmethod
    def first(
        cls, network: Network, loss: Loss, parameters: ParameterVector, train: Split
    ) -> Inside:
        """At work on the first training examples."""
        whole = cls(network, loss, parameters, train.inputs, train.encoded)
        return whole.on(slice(looked_at(network)))

    def on(self, examples: slice) -> Inside:
        """The same network at work on these of the examples."""
        rows = (slice(None),) * self.axis + (examples,)
        own = self.network, self.loss, self.parameters
        return Inside(*own, self.inputs[rows], self.encoded[rows])

    @property
    def examples(self) -> int:
        return self.inputs.shape[self.axis]

    def measured(self, measure: Callable[[Inside], Sequence[T]]) -> Sequence[T]:
        """What ``measure`` gives, one result for each member; computed once."""
        if measure not in self._found:
            self._found[measure] = measure(self)
        return self._found[measure]

    @property
    def weights(self) -> Array:
        """The weights of each member, (P, n)."""
        return self.members(self.parameters.trainable)

    @property
    def losses(self) -> Array:
        """Of each example, (P, examples)."""
        return self._pass.losses

    @property
    def gradient(self) -> dict[str, Array]:
        """∂L/∂weights by name, (P, *shape); L is the mean loss."""
        return self._pass.gradient

    @property
    def layers(self) -> list[Glimpse]:
        """Those that have weights or are activations, in order."""
        return self._pass.layers

    @property
    def hidden(self) -> list[Glimpse]:
        """The layers with a kernel without the last, each with the activation that it ends in."""
        return hidden(self.layers)

    def members(self, array: Array) -> Array:
        """The array with an axis for the members, if it has none."""
        return array if self.parameters.population else array[None]

    @property
    def _x(self) -> Tensor:
        """The inputs, with an axis for the members where the first layer's result would have none:
        an activation has no weights that bring it, a block also adds its inputs."""
        population = self.parameters.population
        shown = (
            p.layer for p in self.network.places if p.weights or isinstance(p.layer, Activation)
        )
        if population and not self.axis and isinstance(next(shown, None), Activation | Block):
            return Tensor(np.broadcast_to(self.inputs, (*population, *self.inputs.shape)))
        return Tensor(self.inputs)

    @cached_property
    def _pass(self) -> Found:
        """Forward through all layers, then backward from one to the one before."""
        weights = self.parameters.tensors(tracked=True)
        stages = forward(self.network.places, weights, self._x)
        outputs = Tensor(stages[-1].a.value, None, True)
        losses = self.loss(outputs, Tensor(self.encoded))
        share = np.full(losses.shape, 1 / self.examples, losses.dtype)  # of each in the mean
        (g,) = backward(losses, Tensor(share), [outputs])
        gradient = returned(stages, g)[1]
        return Found(
            self.members(losses.value),
            list(glimpses(stages, self.members)),
            {name: self.members(gradient[name].value) for name in self.parameters.weights},
        )


def looked_at(network: Network) -> int:
    """Training examples that a look takes: 256, or fewer of a network that keeps much of each."""
    return min(ROWS, max(ENTRIES // network.footprint, 1))


def hidden_layers(network: Network, parameters: ParameterVector, inputs: Array) -> list[Glimpse]:
    """The hidden layers of one run after a forward pass alone, without ``delta``."""
    stages = forward(network.places, parameters.tensors(), Tensor(inputs), tracked=False)
    return hidden(glimpses(stages, lambda array: array[None]))
