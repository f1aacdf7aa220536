"""Preparation: what was fitted on the training rows, so that other data can be prepared alike.

It is kept with a run as plain JSON. This file must not know where the data come from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from backproplab.arrays import Array
from backproplab.data.encoding import Columns, Encoder
from backproplab.data.preprocessing import Scaler
from backproplab.task import Task


@dataclass(frozen=True, eq=False)
class Preparation:
    """From what a data set reads to what a network takes, and back to what is predicted.

    inputs: of a table its encoder, else the scaler of an array (n, *shape).
    targets: of a regression; the identity where targets stay as they are.
    given: the names of an array's features, if they have some.
    """

    inputs: Scaler | Encoder
    targets: Scaler
    task: Task
    shape: tuple[int, ...]
    given: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The name of every input: ``age``, ``sex=male``; ``input 1`` where it has none."""
        if isinstance(self.inputs, Encoder):
            return self.inputs.names
        return self.given or tuple(f"input {n + 1}" for n in range(prod(self.shape)))

    @property
    def scaler(self) -> Scaler:
        """Of every input, by which it is x ↦ (x − shift) / scale; of a category's the identity."""
        return self.inputs.scaler if isinstance(self.inputs, Encoder) else self.inputs

    @property
    def embedded(self) -> tuple[tuple[int, int, int], ...]:
        """Of each embedded category the place of its code, its number of codes, its units."""
        return self.inputs.embedded if isinstance(self.inputs, Encoder) else ()

    @property
    def record(self) -> dict[str, Any]:
        """Plain JSON, from which ``read`` makes an equal preparation."""
        table = isinstance(self.inputs, Encoder)
        task = self.task
        return {
            "task": {"kind": task.kind, "outputs": task.outputs, "labels": list(task.labels),
                     "target": task.target, "counts": list(task.counts)},
            "shape": list(self.shape),
            "columns" if table else "inputs": self.inputs.record,
            "targets": self.targets.record,
            **({"names": list(self.given)} if self.given else {}),
        }  # fmt: skip

    @property
    def trained_for(self) -> str:
        """``regression, target in standard deviations of 9.18``, as losses and metrics count it."""
        scales = np.unique(self.targets.scale)
        if np.array_equal(scales, [1.0]):
            return str(self.task)
        of = f" of {scales[0]:.4g}" if scales.size == 1 else ""
        return f"{self.task}, target in standard deviations{of}"

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Preparation:
        """The preparation of a record.

        Raises LookupError, TypeError or ValueError for a damaged one.
        """
        entry = record["task"]
        if entry["kind"] not in ("classification", "regression"):
            raise ValueError("no known kind of task")
        labels = tuple(map(str, entry["labels"]))
        counts = tuple(map(int, entry.get("counts", ())))
        task = Task(entry["kind"], int(entry["outputs"]), labels, str(entry["target"]), counts)
        table = "columns" in record
        inputs = Encoder.read(record["columns"]) if table else Scaler.read(record["inputs"])
        shape = tuple(int(length) for length in record["shape"])
        if isinstance(inputs, Encoder) and shape != (len(inputs.names),):
            raise ValueError("the columns do not give as many inputs as the network takes")
        given = tuple(map(str, record.get("names", ())))
        return cls(inputs, Scaler.read(record["targets"]), task, shape, given)

    def prepare(self, raw: Array | Columns, rows: Array, dtype: DTypeLike) -> Array:
        """The network's inputs of some rows of what a data set reads."""
        if isinstance(self.inputs, Encoder):
            assert isinstance(raw, Columns)
            return self.inputs(raw, rows, dtype)
        assert not isinstance(raw, Columns)
        return self.inputs(raw, rows, dtype)

    def encode(self, targets: Array, rows: Array, dtype: DTypeLike) -> Array:
        """The targets of some rows: labels as they are, numbers scaled."""
        classes = self.task.kind == "classification"
        return targets[rows] if classes else self.targets(targets, rows, dtype)

    def real(self, outputs: Array) -> Array:
        """Outputs of a regression in the units of the target, as float64."""
        return outputs.astype(np.float64) * self.targets.scale + self.targets.shift
