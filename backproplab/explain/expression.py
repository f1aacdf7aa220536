"""Expression: a formula as a list of steps, and its value on the library's graph.

parse.py makes one from text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from backproplab.autograd import Tensor
from backproplab.explain import functions


class Step(NamedTuple):
    """One value of an expression: a variable, a constant, or a function of earlier steps."""

    kind: Literal["variable", "constant", "call"]
    word: str
    value: float = 0.0
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class Expression:
    """A parsed text: its steps (inputs first, the result last), and each one's column in it."""

    text: str
    steps: tuple[Step, ...]
    columns: tuple[int, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The names that need a value, in the order of their first use."""
        return tuple(step.word for step in self.steps if step.kind == "variable")

    def evaluate(self, values: Mapping[str, Any]) -> list[Tensor]:
        """The tensor of each step; variables are tracked leaves. Values may be infinite or NaN."""
        results: list[Tensor] = []
        with np.errstate(all="ignore"):
            for step in self.steps:
                results.append(self._compute(step, results, values))
        return results

    @staticmethod
    def _compute(step: Step, results: Sequence[Tensor], values: Mapping[str, Any]) -> Tensor:
        if step.kind == "constant":
            return Tensor(np.float64(step.value))
        if step.kind == "variable":
            return Tensor(np.float64(values[step.word]), None, True)
        function = functions.find(step.word)
        assert function is not None, "the parser refuses unknown names"
        return function(*[results[i] for i in step.inputs])
