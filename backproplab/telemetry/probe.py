"""Probe: a forward and a backward pass in evaluation mode, and what each hidden layer shows there.

A hidden layer is one with a kernel that is not the last. Its pre-activation z is what its own
activation takes, or the activation that follows it as a layer (also behind a normalization).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, ops
from backproplab.learners import Descent
from backproplab.nn.activations import Activation, Linear, Sigmoid, Softsign, Tanh
from backproplab.nn.chain import Place, chain
from backproplab.nn.layer import Weights
from backproplab.nn.structure import Residual

SLOPES: dict[type[Activation], Callable[[Array], Array]] = {  # f'(z) / max f' from a = f(z)
    Tanh: lambda a: 1 - a * a,
    Softsign: lambda a: (1 - np.abs(a)) ** 2,
    Sigmoid: lambda a: 4 * a * (1 - a),
}


@dataclass(frozen=True, eq=False)
class Hidden:
    """A hidden layer on some examples: z and activations (n, …, units), and ∂L/∂z if asked for."""

    name: str
    activation: Activation
    z: Tensor
    outputs: Tensor
    pull: Array | None = None

    @property
    def units(self) -> int:
        """Units, or channels."""
        return self.z.shape[-1]

    @property
    def signal(self) -> float:
        """The root mean square of ∂L/∂z."""
        assert self.pull is not None
        return rms(self.pull)

    @property
    def slope(self) -> float | None:
        """mean f'(z) / max f' of a bounded activation; None of any other."""
        slope = SLOPES.get(type(self.activation))
        return None if slope is None else float(np.mean(slope(self.outputs.value), dtype=float))

    @property
    def dead(self) -> int:
        """Units that give the activation's ``dead`` value for every example."""
        if self.activation.dead is None:
            return 0
        return int((self._rows == self.activation.dead).all(axis=0).sum())

    @property
    def stuck(self) -> int:
        """Units beyond the activation's ``knees`` on more than 90 % of the examples."""
        if self.activation.knees is None:
            return 0
        low, high = self.activation.knees
        near = (self._rows < low) | (self._rows > high)
        return int((near.mean(axis=0) > 0.9).sum())

    @property
    def _rows(self) -> Array:
        return np.reshape(self.outputs.value, (-1, self.units))


def rms(values: Array) -> float:
    """√(mean of the squares), taken in float64."""
    return float(np.sqrt(np.mean(np.square(values, dtype=np.float64))))


def forward(descent: Descent, inputs: Array) -> tuple[Tensor, list[Hidden]]:
    """The outputs, and every hidden layer from the first to the last."""
    seen: list[Hidden] = []
    weights = descent.parameters.tensors(tracked=True)
    outputs = _walk(descent.network.places, weights, Tensor(inputs), "", seen)
    return outputs, seen[:-1]


def probe(descent: Descent, inputs: Array, encoded: Array) -> tuple[float, list[Hidden]]:
    """The mean loss of these examples, and every hidden layer with its ∂L/∂z."""
    outputs, hidden = forward(descent, inputs)
    loss = ops.mean(descent.loss(outputs, Tensor(encoded)))
    pulls = backward(loss, Tensor(np.ones_like(loss.value)), [layer.z for layer in hidden])
    found = zip(hidden, pulls, strict=True)
    return float(loss.value), [replace(layer, pull=pull.value) for layer, pull in found]


def _walk(
    places: Iterable[Place], weights: Weights, x: Tensor, at: str, seen: list[Hidden]
) -> Tensor:
    """The chain's output; the layers with a kernel are added to ``seen``."""
    for place in places:
        layer = place.layer
        if isinstance(layer, Residual):
            prefix = f"{place.name}/"
            own = {n.removeprefix(prefix): w for n, w in weights.items() if n.startswith(prefix)}
            inner = chain(layer.layers, place.input_shape)
            x = _activated(layer.activation, x + _walk(inner, own, x, at + prefix, seen), seen)
        elif isinstance(layer, Activation):
            x = _activated(layer, x, seen)
        elif "kernel" in place.weights:
            plain = layer.model_copy(update={"activation": Linear()})
            x = replace(place, layer=plain).apply(weights, x, None)
            seen.append(Hidden(at + place.name, Linear(), x, x))
            x = _activated(getattr(layer, "activation", Linear()), x, seen)
        else:
            x = place.apply(weights, x, None)
    return x


def _activated(activation: Activation, z: Tensor, seen: list[Hidden]) -> Tensor:
    """f(z), which is the output of the newest layer with a kernel, if that has none yet."""
    if isinstance(activation, Linear):
        return z
    outputs = activation(z)
    if seen and isinstance(seen[-1].activation, Linear):
        seen[-1] = Hidden(seen[-1].name, activation, z, outputs)
    return outputs
