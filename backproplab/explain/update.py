"""One update of a network on one example, with every number: forward, backward, optimizer step.

The library's own network, gradient and optimizer compute it; this file records the values. An
activation inside a layer becomes a separate step, so that pre-activations are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, ops
from backproplab.errors import ConfigError, Problem
from backproplab.experiment import Parts
from backproplab.experiment.reading import parts_of
from backproplab.learners import Descent, Split
from backproplab.nn import Activation, Loss, Network, Place, Weighted
from backproplab.nn.activations import Linear
from backproplab.streams import stream


@dataclass(frozen=True)
class Value:
    """The output of one step of the network for one example, and the loss's gradient by it.

    slope: f'(z) if the step is an activation f of z, else None.
    """

    name: str
    array: Array
    gradient: Array
    slope: Array | None = None


@dataclass(frozen=True)
class Parameter:
    """A weight tensor before and after the update, and its gradient."""

    old: Array
    gradient: Array
    new: Array


@dataclass(frozen=True)
class Update:
    """One update; ``values`` holds the input, then the output of each of the ``steps``.

    after: the loss of the same example with the new parameters. loss_on_logits: the loss has a
    softmax or a sigmoid of its own. number: of the training example, from 0.
    """

    parts: Parts
    network: Network
    loss_name: str
    steps: tuple[Place, ...]
    values: tuple[Value, ...]
    target: Array
    loss: float
    parameters: dict[str, Parameter]
    after: float
    loss_on_logits: bool
    number: int = 0

    def own(self, place: Place) -> dict[str, Parameter]:
        """The parameters of a step, by their names in the layer."""
        trainable = [name for name, weight in place.weights.items() if weight.trainable]
        return {name: self.parameters[f"{place.name}/{name}"] for name in trainable}


def of_config(path: Path, overrides: Sequence[str]) -> Update:
    """The first update of a config's network, on its first training example alone.

    Raises ConfigError, DataError.
    """
    return update(parts_of(path, overrides))


def update(parts: Parts, number: int = 0) -> Update:
    """Forward, backward, and one step of the optimizer. ConfigError for a learner without one.

    number: of the training example, from 0.
    """
    if isinstance(parts.loss, Weighted):
        what = "loss: explain shows an update to which examples count alike"
        hint = "remove data.weights, loss.class_weights and loss.label_smoothing"
        raise ConfigError(Problem("", what, hint))
    example = example_of(parts, number)
    descent = parts.descent()
    network = opened(descent.network)
    weights = descent.parameters.tensors(tracked=True)
    made, loss = forward(descent.loss, network.places, weights, example, parts.experiment.seed)
    gradients = backward(loss, Tensor(np.ones_like(loss.value)), made)
    names = ["x", *[place.name for place in network.places]]
    slopes = [None, *map(_slope, network.places, made, made[1:])]
    values = tuple(
        Value(name, y.value[0], gradient.value[0], slope)
        for name, y, gradient, slope in zip(names, made, gradients, slopes, strict=True)
    )
    parameters = _step(descent, example)
    known = parts, descent.network, descent.loss.name, network.places
    moved = descent.parameters.tensors(tracked=False)
    _, after = forward(descent.loss, network.places, moved, example, parts.experiment.seed)
    losses = loss.value.item(), parameters, after.value.item(), descent.loss.on_logits
    return Update(*known, values, example.encoded[0], *losses, number)


def example_of(parts: Parts, number: int) -> Split:
    """One training example, by its number from 0."""
    return parts.split(parts.splits.train.take(np.arange(number, number + 1)))


def forward(
    loss: Loss, places: Sequence[Place], weights: Mapping[str, Tensor], example: Split, seed: int
) -> tuple[list[Tensor], Tensor]:
    """The input and the output of each place, and the loss."""
    generator = stream(seed, "dropout")
    made = [Tensor(example.inputs, None, True)]
    for place in places:
        made.append(place.apply(weights, made[-1], generator))
    return made, ops.mean(loss(made[-1], Tensor(example.encoded)), axis=-1)


def batch_step(parts: Parts, count: int) -> dict[str, Parameter]:
    """The step by the first examples together: their mean gradient."""
    return _step(parts.descent(), parts.split(parts.splits.train.take(np.arange(count))))


def opened(network: Network) -> Network:
    """The same network, with each layer's activation as a separate place: ``tanh(dense_1)``."""
    places: list[Place] = []
    for place in network.places:
        activation = getattr(place.layer, "activation", Linear())
        if isinstance(activation, Linear):
            places.append(place)
            continue
        before = place.layer.model_copy(update={"activation": Linear()})
        name, shape = f"{activation.name}({place.name})", place.output_shape
        places += [replace(place, layer=before), Place(name, activation, shape, shape)]
    return replace(network, places=tuple(places))


def _slope(place: Place, x: Tensor, y: Tensor) -> Array | None:
    """f'(x) of an activation y = f(x), which is elementwise; None for other layers."""
    if not isinstance(place.layer, Activation):
        return None
    (slope,) = backward(y, Tensor(np.ones_like(y.value)), [x])
    return slope.value[0]


def _step(descent: Descent, example: Split) -> dict[str, Parameter]:
    """The update as training does it: the learner's gradient, the optimizer's first step."""
    parameters, updates = descent.parameters, descent.updates
    updates.source(example.inputs, example.encoded)
    gradients = descent.gradient.views
    old = {name: parameters.views[name].copy() for name in gradients}
    updates.updater(descent.rate(0), 1)
    return {
        name: Parameter(old[name], gradient, parameters.views[name])
        for name, gradient in gradients.items()
    }
