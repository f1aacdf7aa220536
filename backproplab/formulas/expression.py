"""Expression: a formula as a list of steps, and its value on the library's graph.

parse.py makes one from text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Op, Tensor, apply
from backproplab.errors import ConfigError, GraphError, Problem
from backproplab.formulas import functions

INDEX, LIST = "[i]", "[…]"  # the words of x[2] and of [a, b]
MAKE_LIST = Op(
    "list", lambda *xs: np.stack(xs), lambda position: lambda g, y, *xs: g[position], (), "[a, b]."
)


class Step(NamedTuple):
    """One value of an expression: a variable, a constant, or a function of earlier steps.

    value: of a constant; of a step ``INDEX`` the index.
    """

    kind: Literal["variable", "constant", "call"]
    word: str
    value: float = 0.0
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Expression:
    """A parsed text: its steps (inputs first, the result last), and where each one stands.

    places: of each step, as errors name it. labels: the names of steps that have one of their own,
    since they are variables with a formula.
    """

    text: str
    steps: tuple[Step, ...]
    places: tuple[str, ...]
    labels: Mapping[int, str] = field(default_factory=dict)

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that need a value, in the order of their first use."""
        return tuple(step.word for step in self.steps if step.kind == "variable")

    @cached_property
    def constants(self) -> dict[int, Array]:
        """The arrays of the constants in float64, by step: the same ones at every evaluation."""
        return {
            i: np.asarray(step.value)
            for i, step in enumerate(self.steps)
            if step.kind == "constant"
        }

    def evaluate(
        self, values: Mapping[str, Any], dtype: Any = np.float64, one: Tensor | None = None
    ) -> list[Tensor]:
        """The tensor of each step; variables are tracked leaves. Values may be infinite or NaN.

        values: numbers and arrays, or tensors, which keep their graph.
        one: made by an op of a step that is recorded; each constant is a multiple of it.

        Raises ConfigError where shapes do not fit.
        """
        results: list[Tensor] = []
        with np.errstate(all="ignore"):
            for i, (step, place) in enumerate(zip(self.steps, self.places, strict=True)):
                try:
                    if step.kind == "constant":
                        known = Tensor(np.asarray(self.constants[i], dtype))
                        results.append(known if one is None else one * step.value)
                    else:
                        results.append(_compute(step, results, values, dtype))
                except (GraphError, ValueError, IndexError, TypeError) as error:
                    shapes = ", ".join(str(results[i].shape) for i in step.inputs)
                    raise ConfigError(
                        Problem(place, f"{step.word} cannot take {_shapes(shapes)}", _hint(step))
                    ) from error
        return results


def _shapes(shapes: str) -> str:
    return f"arrays of shape {shapes}".replace("()", "() (a number)")


def _hint(step: Step) -> str:
    return "x=[1, 2, 3] makes x a vector" if step.word != LIST else "write numbers in the list"


def _compute(
    step: Step, results: Sequence[Tensor], values: Mapping[str, Any], dtype: Any
) -> Tensor:
    if step.kind == "variable":
        value = values[step.word]
        if isinstance(value, Tensor):
            return value
        return Tensor(np.asarray(value, dtype), None, True)
    inputs = [results[i] for i in step.inputs]
    if step.word == INDEX:
        return inputs[0][int(step.value)]
    if step.word == LIST:
        return apply(MAKE_LIST, *inputs)
    function = functions.find(step.word)
    assert function is not None, "the parser refuses unknown names"
    return function(*inputs)
