"""Model: what a config says of the network. Network: its chain of layers, as a function."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.autograd import Tensor
from backproplab.errors import ConfigError, Problem
from backproplab.nn.activations import Activation, Relu
from backproplab.nn.chain import Place, chain, named_weights
from backproplab.nn.initializers import GlorotUniform, Initializer
from backproplab.nn.layer import Layer, Shape, ShapeError, Weight, Weights
from backproplab.nn.layers import Dense
from backproplab.nn.parameters import ParameterVector
from backproplab.spec import Count, Spec
from backproplab.streams import Chance


@dataclass(frozen=True)
class Network:
    """A chain of layers. Calling it is its forward pass; the weights are handed in."""

    places: tuple[Place, ...]
    initializer: Initializer

    @classmethod
    def chain(
        cls, layers: tuple[Layer, ...], input_shape: Shape, initializer: Initializer
    ) -> Network:
        """The network of these layers, named, for inputs of ``input_shape``.

        Raises ConfigError that names the layer whose input does not fit.
        """
        try:
            return cls(chain(layers, input_shape), initializer)
        except ShapeError as error:
            what = f"model.{error.path}: {error.what}"
            raise ConfigError(Problem("", what, error.hint)) from None

    @property
    def input_shape(self) -> Shape:
        return self.places[0].input_shape

    @property
    def output_shape(self) -> Shape:
        return self.places[-1].output_shape

    @cached_property
    def weights(self) -> dict[str, Weight]:
        """Every array of the network: ``dense_1/kernel``, ``residual_1/conv2d_1/bias``, …"""
        return named_weights(self.places)

    @property
    def size(self) -> int:
        """How many numbers a gradient moves."""
        return sum(place.parameters for place in self.places)

    @property
    def mixes_examples(self) -> bool:
        """True if, in training, the result for an example depends on the others of its batch."""
        return any(place.layer.mixes_examples for place in self.places)

    @property
    def footprint(self) -> int:
        """About how many numbers a forward pass keeps for an example, its inputs included."""
        kept = (place.layer.footprint(place.input_shape) for place in self.places)
        return prod(self.input_shape) + sum(kept)

    @property
    def largest_product(self) -> int:
        """Operations an example in the largest matrix product of a dense layer."""
        dense = (p for p in self.places if isinstance(p.layer, Dense))
        return max((2 * prod(p.input_shape) * prod(p.output_shape) for p in dense), default=0)

    def parameters(self, dtype: Any, population: tuple[int, ...] = ()) -> ParameterVector:
        """Room for the weights and the statistics, all zero."""
        trainable, statistics = (
            {name: w.shape for name, w in self.weights.items() if w.trainable is wanted}
            for wanted in (True, False)
        )
        return ParameterVector(trainable, dtype, population, statistics)

    def initialize(self, parameters: ParameterVector, generator: np.random.Generator) -> None:
        """Draw the first weights, in float64 and in the order of the layers, member by member."""
        for member in np.ndindex(parameters.population):
            for name, weight in self.weights.items():
                initializer = weight.initializer or self.initializer
                parameters.views[name][member] = initializer.draw(generator, weight.shape)

    def __call__(self, weights: Weights, x: Tensor, generator: Chance | None = None) -> Tensor:
        """The outputs (…, batch, units) of inputs (…, batch, *input_shape).

        With a ``generator`` this is a pass of training: chance is drawn from it, and layers
        write to their statistics.
        """
        for place in self.places:
            x = place.apply(weights, x, generator)
        return x

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
