"""Task: what is to be predicted. Data sets define it; losses and networks use it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Task:
    """What is to be predicted; ``outputs``: number of classes, or of target columns.

    kind: of an ``objective`` nothing is predicted: its one output is to be small.
    labels: the names of the classes, if known.  target: the name of what is predicted, if any.
    counts: training examples of each class, once they are known.
    """

    kind: Literal["classification", "regression", "objective"]
    outputs: int
    labels: tuple[str, ...] = ()
    target: str = ""
    counts: tuple[int, ...] = ()

    def __str__(self) -> str:
        if self.kind == "classification":
            return f"{self.outputs} classes"
        if self.kind == "objective":
            return "no examples"
        return "regression" if self.outputs == 1 else f"regression of {self.outputs} targets"
