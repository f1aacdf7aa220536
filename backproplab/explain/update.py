"""One update of a network by one example, with every number: forward, backward, the optimizer.

The network, the gradient and the step are the library's own; this file keeps what passes by. An
activation inside a layer is taken as a step of its own, so that pre-activations are seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from backproplab import config as configs
from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, ops
from backproplab.errors import ConfigError
from backproplab.experiment import Parts, build
from backproplab.nn import Activation, Network, Place
from backproplab.nn.activations import Linear
from backproplab.streams import stream
from backproplab.train.loop import Split


@dataclass(frozen=True)
class Value:
    """What a step of the network makes, of one example, and dL/d(it).

    slope: f'(z), where the step is an activation f of z.
    """

    name: str
    array: Array
    gradient: Array
    slope: Array | None = None


@dataclass(frozen=True)
class Parameter:
    """A tensor of weights: before the update, its gradient, and after it."""

    old: Array
    gradient: Array
    new: Array


@dataclass(frozen=True)
class Update:
    """values: the input, then what each of the ``steps`` makes of the one before."""

    parts: Parts
    steps: tuple[Place, ...]
    values: tuple[Value, ...]
    target: Array
    loss: float
    parameters: dict[str, Parameter]

    def own(self, place: Place) -> dict[str, Parameter]:
        """The parameters of a step, by their names in the layer."""
        trainable = [name for name, weight in place.weights.items() if weight.trainable]
        return {name: self.parameters[f"{place.name}/{name}"] for name in trainable}


def of_config(path: Path, overrides: Sequence[str]) -> Update:
    """The first update of a config's network, by its first training example alone.

    Raises ConfigError, DataError.
    """
    experiment, document = configs.read(path, *overrides)
    try:
        return update(build(experiment))
    except ConfigError as error:
        raise configs.located(error, document) from error


def update(parts: Parts) -> Update:
    """Forward, backward, and one step of the optimizer; ``parts`` is left with the new weights."""
    example = parts.split(parts.splits.train.take(np.arange(1)))
    network = opened(parts.network)
    weights = parts.parameters.tensors(tracked=True)
    generator = stream(parts.experiment.seed, "dropout")
    made = [Tensor(example.inputs, None, True)]
    for place in network.places:
        made.append(place.apply(weights, made[-1], generator))
    loss = ops.mean(parts.loss(made[-1], Tensor(example.encoded)), axis=-1)
    gradients = backward(loss, Tensor(np.ones_like(loss.value)), made)
    names = ["x", *[place.name for place in network.places]]
    slopes = [None, *map(_slope, network.places, made, made[1:])]
    values = tuple(
        Value(name, y.value[0], gradient.value[0], slope)
        for name, y, gradient, slope in zip(names, made, gradients, slopes, strict=True)
    )
    parameters = _step(parts, example)
    return Update(parts, network.places, values, example.encoded[0], loss.item(), parameters)


def opened(network: Network) -> Network:
    """The same network, with each layer's activation as a place of its own: ``tanh(dense_1)``."""
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
    """f'(x) of an activation y = f(x): each entry depends on its own alone."""
    if not isinstance(place.layer, Activation):
        return None
    (slope,) = backward(y, Tensor(np.ones_like(y.value)), [x])
    return slope.value[0]


def _step(parts: Parts, example: Split) -> dict[str, Parameter]:
    """The update as training does it: the learner's gradient, the optimizer's first step."""
    parameters = parts.parameters
    learner = parts.learner()
    learner(example.inputs, example.encoded)
    gradients = learner.gradient.views
    old = {name: parameters.views[name].copy() for name in gradients}
    parts.updater(learner)(parts.rate()(0), 1)
    return {
        name: Parameter(old[name], gradient, parameters.views[name])
        for name, gradient in gradients.items()
    }
