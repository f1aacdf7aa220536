"""Objective: a function in place of data, network and loss, so that a run descends it.

It is a network without inputs: its weights are the variables, its output is f, and that is its
loss. One example that nobody reads makes an update of an epoch. So every learner that needs only a
loss descends it, and nothing else of a run knows of it. This file knows no loop.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops
from backproplab.data.dataset import Dataset, Examples, RawData
from backproplab.errors import ConfigError, did_you_mean
from backproplab.formulas import NAMED
from backproplab.formulas.objective import Objective as Function
from backproplab.learners.learner import Learner
from backproplab.measures import MEASURES, POSITION, parsed
from backproplab.nn import Layer, Loss, Network, Pass
from backproplab.nn.initializers import Constant, Zeros
from backproplab.nn.layer import Shape, Weight, Weights
from backproplab.spec import NonNegative, Off, Spec
from backproplab.task import Task

TASK = Task("objective", 1)
VALUE, SLOPE = "f", "gradient_norm"  # columns beside those of the variables
MOST = 20  # variables


class Objective(Spec):
    """A function to descend, in place of ``data``, ``model`` and ``loss``.

    function: a formula of numbers, or the name of one that ``backproplab descend`` knows.
    start: of each variable its first value; a named function has a start of its own.
    maximize: climb: the loss is -f.
    tolerance: ends the run where the gradient's 2-norm is not larger.
    """

    function: Annotated[str, Field(min_length=1, max_length=2000)]
    start: dict[str, float] = Field(default_factory=dict)
    maximize: Annotated[bool, Off(False)] = False
    tolerance: Annotated[NonNegative, Off(0.0)] = 1e-6

    @model_validator(mode="before")
    @classmethod
    def _own_start(cls, fields: Any) -> Any:
        """A named function starts where the table has it, unless ``start`` says else."""
        if not isinstance(fields, dict) or fields.get("function") not in NAMED:
            return fields
        start, named = fields.get("start") or {}, NAMED[fields["function"]]
        if not isinstance(start, dict):
            return fields
        own = dict(zip(Function(named.formula).names, named.start, strict=True))
        return {**fields, "start": {**own, **start}}

    @model_validator(mode="after")
    def _has_a_start(self) -> Self:
        """Raises an error for a function that cannot be descended, or from nowhere."""
        try:
            names = self.formula.names
        except ConfigError as error:
            first = error.problems[0]
            raise _fault("function", " — ".join(filter(None, [first.what, first.hint]))) from None
        if len(names) > MOST:
            raise _fault("function", f"{len(names)} variables, at most {MOST}")
        if not self.formula.spreads:
            what = "lists and functions of vectors are not for runs — write their sums out"
            raise _fault("function", what)
        for name in names:
            if name in {VALUE, SLOPE, *MEASURES, *POSITION} or parsed(name)[0] != "train":
                what = f"a variable cannot be called {name}: a column of metrics.csv is"
                raise _fault("function", what)
        if missing := [name for name in names if name not in self.start]:
            near = did_you_mean(self.function, NAMED) if self.function in names else ""
            hint = near or f"add start: {{{missing[0]}: 1}}"
            raise _fault("", f"no start for {', '.join(missing)} — {hint}")
        if spare := [name for name in self.start if name not in names]:
            what = f"{spare[0][:40]!r} is no variable of the function: {', '.join(names)}"
            raise _fault(f"start.{spare[0]}", what)
        return self

    @cached_property
    def formula(self) -> Function:
        named = NAMED.get(self.function)
        return Function(named.formula if named else self.function, self.maximize)

    @property
    def data(self) -> Dataset:
        return NO_DATA

    @property
    def model(self) -> ObjectiveModel:
        return ObjectiveModel(self)

    @property
    def loss(self) -> Loss:
        return Height(maximize=self.maximize)

    def problem(self, learner: Learner) -> str:
        """Why this learner cannot descend it; empty if it can."""
        if {"model", "loss"} <= learner.uses:
            return ""
        able = sorted(n for n, m in Learner.members.items() if {"model", "loss"} <= _uses(m))
        return f"{learner.name} needs examples, an objective has none; one of {', '.join(able)}"


def _uses(member: type[Learner]) -> frozenset[str]:
    return member.uses if isinstance(member.uses, frozenset) else frozenset()


def _fault(path: str, what: str) -> PydanticCustomError:
    return PydanticCustomError("objective", "{what}", {"what": what, "path": path})


class Nothing(Dataset):
    """One example, which nobody reads."""

    name = "objective"
    validation_split: float = 0.0
    standardize: bool = False

    def read(self, generator: np.random.Generator) -> RawData:
        return RawData(Examples(np.zeros((1, 1)), np.zeros(1, np.int64)), TASK)


NO_DATA = Nothing()


class Variables(Layer):
    """f of its weights, for any inputs: (…, 1, 1)."""

    name = "objective"
    objective: Objective

    def output_shape(self, shape: Shape) -> Shape:
        return (1,)

    def weights(self, shape: Shape) -> dict[str, Weight]:
        start = self.objective.start
        return {n: Weight((), Constant(value=start[n])) for n in self.objective.formula.names}

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        one = ops.ones_like(next(iter(weights.values())))
        value = self.objective.formula.expression.evaluate(weights, one=one)[-1]
        return ops.expand_dims(value, axis=(-1, -2))


@dataclass(frozen=True)
class ObjectiveNetwork(Network):
    """A network whose weights are the variables of a function."""

    def __str__(self) -> str:
        layer = self.places[0].layer
        assert isinstance(layer, Variables)
        return layer.objective.formula.title


@dataclass(frozen=True)
class ObjectiveModel:
    """What makes the network of an objective, as a config's model makes one."""

    objective: Objective

    def network(self, input_shape: Shape, outputs: int) -> Network:
        layers = (Variables(objective=self.objective),)
        return ObjectiveNetwork.chain(layers, input_shape, Zeros())


class Height(Loss):
    """The output itself, or its negative if f is maximized."""

    name = "objective"
    maximize: bool = False

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        return np.zeros((len(targets), 1), dtype)

    def slope(self, outputs: Array, targets: Array) -> Array:
        return np.full_like(outputs, -1.0 if self.maximize else 1.0)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        height = outputs[..., 0]
        return -height if self.maximize else height
