"""Model: the network's section of a config. Network: its chain of layers, as a function."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import prod
from typing import Annotated, Any

import numpy as np
from pydantic import Field, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from backproplab.autograd import Tensor
from backproplab.errors import ConfigError, Problem
from backproplab.nn.activations import Activation, Relu
from backproplab.nn.chain import Place, chain, named_weights
from backproplab.nn.initializers import GlorotUniform, Initializer
from backproplab.nn.layer import Layer, Shape, ShapeError, Weight, Weights
from backproplab.nn.layers import Dense
from backproplab.nn.parameters import ParameterVector
from backproplab.nn.parametrization import UNIT, Ntk, Parametrization, Standard
from backproplab.spec import Count, Off, Spec
from backproplab.streams import Chance


@dataclass(frozen=True)
class Network:
    """A chain of layers. Calling it with weights and inputs is a forward pass."""

    places: tuple[Place, ...]
    initializer: Initializer
    parametrization: Parametrization = field(default_factory=Standard)

    @classmethod
    def chain(
        cls,
        layers: tuple[Layer, ...],
        input_shape: Shape,
        initializer: Initializer,
        parametrization: Parametrization | None = None,
    ) -> Network:
        """The network of these layers, with names, for inputs of ``input_shape``.

        Raises ConfigError with the path of each layer without a form in the parametrization, or of
        the first one whose input does not fit.
        """
        parametrization = parametrization or Standard()
        if problems := list(parametrization.problems(layers)):
            raise ConfigError(*problems)
        try:
            places = chain(map(parametrization.layer, layers), input_shape)
            return cls(places, initializer, parametrization)
        except ShapeError as error:
            what = f"model.{error.path}: {error.what}"
            raise ConfigError(Problem("", what, error.hint)) from None

    def after(self, layer: Layer, input_shape: Shape) -> Network:
        """The network with a layer before its first one."""
        (place,) = chain([layer], input_shape)
        return replace(self, places=(place, *self.places))

    def frozen(self, names: Sequence[str]) -> Network:
        """The network with these layers frozen. Raises ConfigError for names that no layer has."""
        known = [place.name for place in self.places]
        if unknown := [name for name in names if name not in known]:
            hint = f"the layers are {', '.join(known)}"
            raise ConfigError(
                *(Problem("", f"freeze: there is no layer '{name}'", hint) for name in unknown)
            )
        if all(place.frozen is (place.name in names) for place in self.places):
            return self
        return replace(self, places=tuple(replace(p, frozen=p.name in names) for p in self.places))

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

    @cached_property
    def size(self) -> int:
        """How many numbers a gradient moves."""
        return sum(place.parameters for place in self.places)

    @property
    def frozen_size(self) -> int:
        """How many numbers are in layers that training leaves alone, as ``size`` counts them."""
        return sum(replace(p, frozen=False).parameters for p in self.places if p.frozen)

    @cached_property
    def mixes_examples(self) -> bool:
        """True if, in training, an example's result depends on the other examples of its batch."""
        return any(p.layer.mixes_examples for p in self.places if not p.frozen)

    @property
    def mixes_members(self) -> bool:
        """True if a result depends on the other members of a population: it computes no crew."""
        return any(place.layer.mixes_members for place in self.places)

    @cached_property
    def differs_in_training(self) -> bool:
        """True if a training pass computes something else than an evaluation, as dropout does."""
        return any(p.layer.differs_in_training for p in self.places if not p.frozen)

    def blocked(self, examples: int) -> dict[int, str]:
        """By place: why nothing is learned through it from a batch of so few examples."""
        found = enumerate(p.layer.blocked(p.input_shape, examples) for p in self.places)
        return {i: f"{self.places[i].name} {why}" for i, why in found if why}

    @cached_property
    def footprint(self) -> int:
        """The approximate number of values kept for one example in a forward pass, with inputs."""
        kept = (place.layer.footprint(place.input_shape) for place in self.places)
        return prod(self.input_shape) + sum(kept)

    @cached_property
    def largest_product(self) -> int:
        """Operations per example in the largest matrix product of a dense layer."""
        dense = (p for p in self.places if isinstance(p.layer, Dense))
        return max((2 * prod(p.input_shape) * prod(p.output_shape) for p in dense), default=0)

    def parameters(self, dtype: Any, population: tuple[int, ...] = ()) -> ParameterVector:
        """A vector for the weights and the statistics, all zero."""
        trainable, statistics = (
            {name: w.shape for name, w in self.weights.items() if w.trainable is wanted}
            for wanted in (True, False)
        )
        return ParameterVector(trainable, dtype, population, statistics)

    def initialize(self, parameters: ParameterVector, generator: np.random.Generator) -> None:
        """Draw the first weights in float64, member by member, in the order of the layers."""
        for member in np.ndindex(parameters.population):
            for name, weight in self.weights.items():
                initializer = weight.initializer or self.initializer
                parameters.views[name][member] = initializer.draw(generator, weight.shape)

    def __call__(self, weights: Weights, x: Tensor, generator: Chance | None = None) -> Tensor:
        """The outputs (…, batch, units) of inputs (…, batch, *input_shape).

        With a ``generator`` this is a training pass: random numbers come from it, and layers
        update their statistics.
        """
        for place in self.places:
            x = place.apply(weights, x, generator)
        return x

    def __str__(self) -> str:
        """``64-32-10 relu``: the widths of the dense layers, their activations, other layers."""
        dense = [p for p in self.places if isinstance(p.layer, Dense)]
        widths = [prod(self.input_shape), *[prod(p.output_shape) for p in dense]]
        inner = [p.layer.activation.name for p in dense if isinstance(p.layer, Dense)][:-1]
        others = [p.layer.name for p in self.places if not isinstance(p.layer, Dense)]
        words = dict.fromkeys([*inner, *others])
        words |= (
            {} if isinstance(self.parametrization, Standard) else {self.parametrization.name: None}
        )
        return " ".join(["-".join(map(str, widths)), *[w for w in words if w != "linear"]])


class Model(Spec):
    """The network of a config, in one of two forms.

    hidden: the widths of dense hidden layers; an output layer that fits the data is added.
    layers: every layer in order, including the output layer.
    parametrization: how weights enter the formulas of layers, ``standard`` or ``ntk``.
    """

    hidden: Annotated[
        Annotated[tuple[Count, ...], Field(strict=False)] | None, Off((), unless="layers")
    ] = None
    layers: Annotated[tuple[Layer, ...], Field(strict=False, min_length=1)] | None = None
    activation: Annotated[Activation | None, Off("linear", unless="layers")] = None
    initializer: Initializer = GlorotUniform()
    parametrization: Annotated[Parametrization, Off("standard")] = Standard()

    @model_validator(mode="before")
    @classmethod
    def _own_initializer(cls, fields: Any) -> Any:
        """The first weights of the ntk parametrization are of size 1."""
        if not isinstance(fields, dict) or fields.get("initializer") is not None:
            return fields
        try:
            scaled = isinstance(Parametrization.parse(fields.get("parametrization")), Ntk)
        except ValueError:  # there is none; or it is reported at its own place
            scaled = False
        return {**fields, "initializer": UNIT} if scaled else fields

    @model_validator(mode="before")
    @classmethod
    def _short_form(cls, fields: Any) -> Any:
        """Defaults without ``layers``: one hidden layer of width 32, ReLU."""
        if not isinstance(fields, dict):
            return fields
        given = {key: value for key, value in fields.items() if value is not None}
        return given if "layers" in given else {"hidden": (32,), "activation": Relu(), **given}

    @model_validator(mode="after")
    def _one_form(self) -> Model:
        if self.layers is not None and self.hidden is not None:
            raise PydanticCustomError(
                "two_forms", "give 'hidden' or 'layers', not both", {"path": "layers"}
            )
        if self.layers is not None and self.activation is not None:
            raise PydanticCustomError(
                "unused_activation",
                "'activation' belongs to 'hidden'; with 'layers' each layer has its own",
                {"path": "activation"},
            )
        return self

    @model_validator(mode="after")
    def _drawn_as_the_parametrization_has_it(self) -> Model:
        if isinstance(self.parametrization, Ntk) and self.initializer != UNIT:
            what = "the ntk parametrization draws from N(0, 1) — remove it"
            raise PydanticCustomError("unused_initializer", what, {"path": "initializer"})
        return self

    @model_serializer(mode="wrap")
    def _without_the_usual_parametrization(self, tree: SerializerFunctionWrapHandler) -> Any:
        """As versions without the key wrote it, so that their configs and trials stay the same."""
        found = tree(self)
        if isinstance(self.parametrization, Standard):
            found.pop("parametrization", None)  # a dump may leave defaults out itself
        return found

    def network(self, input_shape: Shape, outputs: int) -> Network:
        """The network for this shape and number of outputs. Raises ConfigError on a mismatch."""
        if self.layers is None:
            activation = self.activation or Relu()
            inner = [Dense(units=units, activation=activation) for units in self.hidden or ()]
            layers = (*inner, Dense(units=outputs))
            return Network.chain(layers, input_shape, self.initializer, self.parametrization)
        network = Network.chain(self.layers, input_shape, self.initializer, self.parametrization)
        if network.output_shape != (outputs,):
            given = "×".join(map(str, network.output_shape))
            raise ConfigError(
                f"model.layers: the model gives {given} outputs, the data and loss need {outputs}"
            )
        return network
