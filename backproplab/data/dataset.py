"""What a data set is: what it reads or draws, and what training receives.

This file must not know any particular data set, where its bytes come from, or how it is split.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
from pydantic import model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.spec import Family, Fraction
from backproplab.task import Task


@dataclass(frozen=True, eq=False)
class Examples:
    """Inputs ``(n, *input_shape)`` and their targets, row by row.

    targets: ``(n,)`` int64 labels in ``0 … outputs-1``, or ``(n, outputs)`` real numbers.
    """

    inputs: Array
    targets: Array

    def __len__(self) -> int:
        return len(self.inputs)

    def take(self, indices: Array) -> Examples:
        """The examples at ``indices``, in that order."""
        return Examples(self.inputs[indices], self.targets[indices])


@dataclass(frozen=True, eq=False)
class Source:
    """What a data set reads or draws, before it is split and scaled.

    test: its own test split, if it has one.
    unit: inputs that are not standardized are divided by it (255: pixels become ``0 … 1``).
    """

    examples: Examples
    task: Task
    test: Examples | None = None
    unit: float = 1.0


@dataclass(frozen=True, eq=False)
class Splits:
    """What training, validation and testing see."""

    train: Examples
    validation: Examples | None
    test: Examples | None
    task: Task

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example's input."""
        return self.train.inputs.shape[1:]

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over shape, dtype and bytes of every array: equal for equal data only."""
        digest = hashlib.sha256()
        for name in ("train", "validation", "test"):
            examples: Examples | None = getattr(self, name)
            for array in (examples.inputs, examples.targets) if examples else ():
                digest.update(f"{name} {array.shape} {array.dtype.str};".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class Dataset(Family):
    """The family of data sets. A member says what to ``read``; ``load`` splits and scales it.

    validation_split: share of the examples that is kept out of training for validation; 0: none.
    test_split: the same for testing; only for sets that bring no test examples of their own.
    standardize: every input feature to mean 0 and variance 1, measured on the training split.
    """

    brings_test: ClassVar[bool] = False

    validation_split: Fraction = 0.2
    test_split: Fraction = 0.0
    standardize: bool = True

    def read(self, generator: np.random.Generator) -> Source:
        """All examples of the set, with ``generator`` (stream ``data``) as the only chance."""
        raise NotImplementedError

    @model_validator(mode="after")
    def _splits_fit(self) -> Self:
        fault = ""
        if self.brings_test and self.test_split:
            fault = f"must be 0: {self.name} brings its own test examples"
        elif self.validation_split + self.test_split >= 1:
            fault = "must leave training examples: with validation_split it reaches 1"
        if fault:
            raise PydanticCustomError("split", "{fault}", {"fault": fault, "path": "test_split"})
        return self


class RegressionDataset(Dataset):
    """A data set with real targets.

    standardize_targets: every target column to mean 0 and variance 1 on the training split;
    losses are then in units of the targets' standard deviation.
    """

    standardize_targets: bool = False
