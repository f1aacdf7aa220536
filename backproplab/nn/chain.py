"""A chain of layers: their names, the shapes of their inputs and outputs, and their weights.

This file must not know where weights are stored, or any particular layer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from backproplab.autograd import Tensor
from backproplab.errors import GraphError
from backproplab.nn.layer import Layer, Pass, Shape, ShapeError, Weight, Weights
from backproplab.streams import Chance


@dataclass(frozen=True)
class Place:
    """One layer in a chain, with its name (``dense_2``), input shape and output shape.

    frozen: training leaves its arrays alone, and it computes what it does in evaluation.
    """

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape
    frozen: bool = False

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """The layer's arrays by their names in the layer."""
        own = self.layer.weights(self.input_shape)
        frozen = {name: replace(weight, trainable=False) for name, weight in own.items()}
        return frozen if self.frozen else own

    @property
    def parameters(self) -> int:
        """The number of trainable weights."""
        return sum(prod(w.shape) for w in self.weights.values() if w.trainable)

    def apply(self, weights: Weights, x: Tensor, generator: Chance | None) -> Tensor:
        """The layer's output for ``x``; ``weights`` are those of the whole chain."""
        own = {name: weights[f"{self.name}/{name}"] for name in self.weights}
        at = Pass(self.input_shape, None if self.frozen else generator)
        return self.layer.apply(own, x, at)


def chain(layers: Iterable[Layer], shape: Shape, source: str = "the data") -> tuple[Place, ...]:
    """The layers with names (dense_1, relu_1, dense_2) and shapes, for inputs of ``shape``.

    source: the origin of the inputs, for the message.
    Raises ShapeError with the path of the layer whose input does not fit.
    """
    places: list[Place] = []
    kinds: Counter[str] = Counter()
    for layer in layers:
        kinds[layer.name] += 1
        name = f"{layer.name}_{kinds[layer.name]}"
        try:
            after = layer.output_shape(shape)
        except (ShapeError, GraphError) as error:
            raise _placed(error, len(places), name, f"got {shape} from {source}") from None
        places.append(Place(name, layer, shape, after))
        shape, source = after, name
    return tuple(places)


def named_weights(places: Iterable[Place]) -> dict[str, Weight]:
    """Every array of the chain: ``dense_1/kernel``, ``dense_1/bias``, …"""
    return {
        f"{place.name}/{name}": weight for place in places for name, weight in place.weights.items()
    }


def _placed(error: ShapeError | GraphError, position: int, name: str, got: str) -> ShapeError:
    """The error with the layer's path; the text of an inner chain's error is kept."""
    here = f"layers.{position}"
    if isinstance(error, GraphError):
        return ShapeError(f"{name}: {error}, {got}", path=here)
    if error.path:
        return ShapeError(error.what, error.hint, f"{here}.{error.path}")
    return ShapeError(f"{name} {error.what}, {got}", error.hint, here)
