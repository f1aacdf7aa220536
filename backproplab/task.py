"""Task: what a data set asks to be predicted. Data sets make it; losses and networks read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Task:
    """kind: classes or numbers. outputs: how many classes, or target columns.

    labels: the names of the classes, where they are known.
    """

    kind: Literal["classification", "regression"]
    outputs: int
    labels: tuple[str, ...] = ()

    def __str__(self) -> str:
        if self.kind == "classification":
            return f"{self.outputs} classes"
        return "regression" if self.outputs == 1 else f"regression of {self.outputs} targets"
