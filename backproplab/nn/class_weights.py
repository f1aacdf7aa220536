"""Class weights: what an example of each class counts in a loss, as a config says it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.errors import did_you_mean
from backproplab.spec import Checked, Off
from backproplab.task import Task

BALANCED = "balanced"


@dataclass(frozen=True)
class ByClass(Checked):
    """Marks a field that is ``balanced``, or a positive number for each class by its name."""

    def _described(self) -> dict[str, Any]:
        number = {"type": "number", "exclusiveMinimum": 0}
        mapping = {"type": "object", "additionalProperties": number}
        return {"anyOf": [{"const": BALANCED}, mapping, {"type": "null"}]}

    def _checked(self, value: Any) -> dict[str, float] | str | None:
        if value is None or value == BALANCED:
            return value
        named = {str(key): each for key, each in value.items()} if isinstance(value, dict) else {}
        if named and len(named) == len(value) and all(map(_is_weight, named.values())):
            return {key: float(each) for key, each in named.items()}
        valid = "must be balanced, or a number above 0 for each class: {no: 1, yes: 5}"
        raise PydanticCustomError("class_weights", "{valid}", {"valid": valid})


ClassWeights = Annotated[dict[str, float] | str | None, ByClass(), Off()]


def unknown(weights: dict[str, float] | str | None, task: Task) -> str:
    """Why the weights do not fit the classes; empty if they do."""
    if not isinstance(weights, Mapping):
        return ""
    names = _names(task)
    strange = [name for name in weights if name not in names]
    if not strange:
        return ""
    hint = did_you_mean(strange[0], names) or f"one of {', '.join(names[:8])}"
    return f"class_weights: '{strange[0]}' is no class of the data; {hint}"


def weights_of(weights: dict[str, float] | str | None, task: Task) -> Array:
    """The weight of each class, (classes,), in float64."""
    if isinstance(weights, Mapping):
        return np.array([weights.get(name, 1.0) for name in _names(task)])
    if weights == BALANCED and task.counts:
        counts = np.maximum(task.counts, 1)
        return sum(task.counts) / (len(counts) * counts)
    return np.ones(task.outputs)


def _names(task: Task) -> list[str]:
    return list(task.labels) or [str(label) for label in range(task.outputs)]


def _is_weight(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < math.inf
