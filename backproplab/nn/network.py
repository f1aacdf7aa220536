"""Model: what a config says of the network. Network: its layers with names, shapes and weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.autograd import Tensor
from backproplab.errors import ConfigError
from backproplab.nn.activations import Activation, Relu
from backproplab.nn.initializers import GlorotUniform, Initializer
from backproplab.nn.layer import Layer, Shape
from backproplab.nn.layers import Dense
from backproplab.nn.parameters import ParameterVector
from backproplab.spec import Count, Spec


@dataclass(frozen=True)
class Place:
    """One layer in its network: ``dense_2`` and the shapes that it meets there."""

    name: str
    layer: Layer
    input_shape: Shape
    output_shape: Shape

    @property
    def parameters(self) -> int:
        return sum(prod(w.shape) for w in self.layer.weights(self.input_shape).values())


@dataclass(frozen=True)
class Network:
    """A chain of layers. Calling it is its forward pass; the weights are handed in."""

    places: tuple[Place, ...]
    initializer: Initializer

    @classmethod
    def chain(
        cls, layers: tuple[Layer, ...], input_shape: Shape, initializer: Initializer
    ) -> Network:
        """Name the layers (dense_1, relu_1, dense_2) and pass the shapes through them.

        Raises ConfigError that names the layer whose input does not fit.
        """
        places: list[Place] = []
        kinds: Counter[str] = Counter()
        shape = input_shape
        for layer in layers:
            kinds[layer.name] += 1
            name = f"{layer.name}_{kinds[layer.name]}"
            try:
                after = layer.output_shape(shape)
            except ValueError as error:
                raise ConfigError(f"model: layer {len(places) + 1} ({name}): {error}") from None
            places.append(Place(name, layer, shape, after))
            shape = after
        return cls(tuple(places), initializer)

    @property
    def input_shape(self) -> Shape:
        return self.places[0].input_shape

    @property
    def output_shape(self) -> Shape:
        return self.places[-1].output_shape

    def parameters(self, dtype: Any, population: tuple[int, ...] = ()) -> ParameterVector:
        """Room for the weights, all zero: ``dense_1/kernel``, ``dense_1/bias``, …"""
        shapes = {
            f"{place.name}/{name}": weight.shape
            for place in self.places
            for name, weight in place.layer.weights(place.input_shape).items()
        }
        return ParameterVector(shapes, dtype, population)

    def initialize(self, parameters: ParameterVector, generator: np.random.Generator) -> None:
        """Draw the first weights, in float64 and in the order of the layers, member by member."""
        for member in np.ndindex(parameters.population):
            for place in self.places:
                for name, weight in place.layer.weights(place.input_shape).items():
                    initializer = weight.initializer or self.initializer
                    drawn = initializer.draw(generator, weight.shape)
                    parameters.views[f"{place.name}/{name}"][member] = drawn

    def __call__(
        self,
        weights: Mapping[str, Tensor],
        x: Tensor,
        generator: np.random.Generator | None = None,
    ) -> Tensor:
        """The outputs (…, batch, units) of inputs (…, batch, *input_shape)."""
        for place in self.places:
            x = self.step(place, weights, x, generator)
        return x

    def step(
        self,
        place: Place,
        weights: Mapping[str, Tensor],
        x: Tensor,
        generator: np.random.Generator | None,
    ) -> Tensor:
        """One layer of the forward pass."""
        names = place.layer.weights(place.input_shape)
        own = {name: weights[f"{place.name}/{name}"] for name in names}
        return place.layer.apply(own, x, generator)

    def __str__(self) -> str:
        """``64-32-10 relu``: the widths of the dense layers, and what stands between them."""
        dense = [p for p in self.places if isinstance(p.layer, Dense)]
        widths = [prod(self.input_shape), *[prod(p.output_shape) for p in dense]]
        inner = [p.layer.activation.name for p in dense if isinstance(p.layer, Dense)][:-1]
        others = [p.layer.name for p in self.places if not isinstance(p.layer, Dense)]
        words = dict.fromkeys([*inner, *others])
        return " ".join(["-".join(map(str, widths)), *[w for w in words if w != "linear"]])


class Model(Spec):
    """The network of a config, in one of two forms.

    hidden: the widths of dense hidden layers; the output layer is added to fit the data.
    layers: every layer in order, the last one included.
    """

    hidden: Annotated[tuple[Count, ...], Field(strict=False)] | None = None
    layers: Annotated[tuple[Layer, ...], Field(strict=False, min_length=1)] | None = None
    activation: Activation | None = None
    initializer: Initializer = GlorotUniform()

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, fields: Any) -> Any:
        """Without ``layers``: one hidden layer, and ReLU, unless the config says otherwise."""
        if not isinstance(fields, dict):
            return fields
        said = {key: value for key, value in fields.items() if value is not None}
        return said if "layers" in said else {"hidden": (32,), "activation": Relu(), **said}

    @model_validator(mode="after")
    def _one_form(self) -> Model:
        if self.layers is not None and self.hidden is not None:
            raise PydanticCustomError(
                "two_forms", "give 'hidden' or 'layers', not both", {"path": "layers"}
            )
        if self.layers is not None and self.activation is not None:
            raise PydanticCustomError(
                "unused_activation",
                "'activation' belongs to 'hidden'; with 'layers' each layer says its own",
                {"path": "activation"},
            )
        return self

    def network(self, input_shape: Shape, outputs: int) -> Network:
        """The network for such inputs and so many outputs. ConfigError if they do not fit."""
        if self.layers is None:
            activation = self.activation or Relu()
            inner = [Dense(units=units, activation=activation) for units in self.hidden or ()]
            return Network.chain((*inner, Dense(units=outputs)), input_shape, self.initializer)
        network = Network.chain(self.layers, input_shape, self.initializer)
        if network.output_shape != (outputs,):
            given = "×".join(map(str, network.output_shape))
            raise ConfigError(
                f"model.layers: the model gives {given} outputs, the data and loss need {outputs}"
            )
        return network
