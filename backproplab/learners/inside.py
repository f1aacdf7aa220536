"""Inside: what happens in a network on a few examples: values, derivatives and weights.

Of one run or of a crew: every array has an axis for the members first. It moves nothing of a run.
This file must not know what is measured of it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any, TypeVar

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward
from backproplab.learners.material import Split
from backproplab.nn import Activation, Layer, Loss, Network, ParameterVector, Pass, Place
from backproplab.nn.activations import Linear

ROWS = 256  # training examples that are looked at; fewer if
ENTRIES = 2**22  # the widest layer's result would have more entries

T = TypeVar("T")


@dataclass(frozen=True)
class Glimpse:
    """One layer: z before its activation f, a = f(z), and delta = ∂L/∂z, (P, examples, …, units).

    L is the mean loss of the examples.
    """

    name: str
    activation: Activation
    z: Array
    a: Array
    delta: Array


class Inside:
    """A network at work on some examples, in evaluation mode.

    inputs: (examples, *input_shape), or with an axis for the members of a crew before it.
    encoded: their targets as the loss takes them.
    ``layers`` and ``gradient`` are computed when they are first read.
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
        """At work on the first training examples: 256, or fewer where layers are very wide."""
        widest = max(prod(place.output_shape) for place in network.places)
        whole = cls(network, loss, parameters, train.inputs, train.encoded)
        return whole.on(slice(min(ROWS, max(ENTRIES // widest, 1))))

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
    def gradient(self) -> dict[str, Array]:
        """∂L/∂weights by name, (P, *shape)."""
        return self._pass[1]

    @property
    def layers(self) -> list[Glimpse]:
        """Those that have weights or are activations, in order."""
        return self._pass[0]

    def members(self, array: Array) -> Array:
        """The array with an axis for the members, if it has none."""
        return array if self.parameters.population else array[None]

    @cached_property
    def _pass(self) -> tuple[list[Glimpse], dict[str, Array]]:
        """Forward through all layers, then backward from one to the one before."""
        weights = self.parameters.tensors(tracked=True)
        x = Tensor(self.inputs)
        stages = []
        for place in self.network.places:
            stages.append(Stage(place, weights, x))
            x = stages[-1].a
        outputs = Tensor(x.value, None, True)
        losses = self.loss(outputs, Tensor(self.encoded))
        share = np.full(losses.shape, 1 / self.examples, losses.dtype)  # of each in the mean
        (g,) = backward(losses, Tensor(share), [outputs])
        layers: list[Glimpse] = []
        gradient: dict[str, Array] = {}
        for number, stage in reversed(list(enumerate(stages))):
            delta, g, own = stage.backward(g, first=number == 0)
            gradient |= {name: self.members(w.value) for name, w in own.items()}
            if stage.place.weights or isinstance(stage.place.layer, Activation):
                arrays = (self.members(x.value) for x in (stage.z, stage.a, delta))
                layers.append(Glimpse(stage.place.name, stage.activation, *arrays))
        return layers[::-1], {name: gradient[name] for name in self.parameters.weights}


class Stage:
    """One layer's part of a pass, as a graph of its own: from x to z, and from z to a."""

    def __init__(self, place: Place, weights: dict[str, Tensor], x: Tensor) -> None:
        self.place = place
        self.x = Tensor(x.value, None, True)
        self.own = {f"{place.name}/{name}": name for name in place.weights}
        self.moved = {name: weights[name] for name in self.own if weights[name].tracked}
        linear, self.activation = _apart(place.layer)
        own = {short: weights[name] for name, short in self.own.items()}
        self.z = linear.apply(own, self.x, Pass(place.input_shape)) if linear else self.x
        self.cut = Tensor(self.z.value, None, True)
        self.a = self.activation(self.cut)

    def backward(self, g: Tensor, first: bool) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """(∂L/∂z, ∂L/∂x, ∂L/∂weights by name) from ∂L/∂a; the first layer's ∂L/∂x is not needed."""
        (delta,) = backward(self.a, g, [self.cut])
        if self.z is self.x:
            return delta, delta, {}
        aims = [*self.moved.values(), *([] if first else [self.x])]
        found = backward(self.z, delta, aims)
        return delta, found[-1] if found else delta, dict(zip(self.moved, found, strict=False))


def _apart(layer: Layer) -> tuple[Layer | None, Activation]:
    """The layer without its activation, and the activation."""
    if isinstance(layer, Activation):
        return None, layer
    activation = getattr(layer, "activation", None)
    if activation is None or isinstance(activation, Linear):
        return layer, Linear()
    return layer.model_copy(update={"activation": Linear()}), activation
