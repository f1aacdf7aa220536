"""Intake: what a user gives a trained network, prepared as the run's data were in training."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.data import Dataset, Examples, Others, Preparation, TableData, labels_of
from backproplab.data.encoding import Columns, Encoder
from backproplab.errors import DataError, Problem
from backproplab.tables import Feature, Table, Target, listed, measured, table_of
from backproplab.text import counted

Data = Any  # a path, a data frame of pandas, a Table, an array (n, …); with targets (X, y) too


@dataclass(frozen=True, eq=False)
class Intake:
    """Rows of any kind, read and prepared as in training.

    folder: of the run, for messages.  dataset: what was trained on.
    preparation: of inputs and targets, as fitted then.  dtype: of the network.
    """

    folder: Path
    dataset: Dataset
    preparation: Preparation
    dtype: np.dtype[Any]

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, in the order of ``probabilities``; empty for a regression."""
        task = self.preparation.task
        numbered = tuple(map(str, range(task.outputs)))
        return (task.labels or numbered) if task.kind == "classification" else ()

    @property
    def row_name(self) -> str:
        """The column that names the rows of the run's data; empty if there is none."""
        return str(getattr(self.dataset, "id", ""))

    def examples(self, data: Data) -> Examples:
        """Prepared examples of data with targets, or of a pair (X, y). Raises DataError."""
        if isinstance(data, tuple):
            return self._pair(*_two(data))
        return Examples(self.inputs(data), self.labels(data), self.counts(data))

    def _pair(self, x: Data, y: Any) -> Examples:
        """Examples of inputs and their targets, which are classes by name or number, or numbers."""
        task = self.preparation.task
        if hasattr(x, "columns"):
            return self.examples(x.assign(**{task.target or "target": np.asarray(y)}))
        inputs, targets = self.inputs(x), labels_of(y, replace(task, labels=self.classes))
        if len(inputs) != len(targets):
            raise DataError(f"{self.folder}: {len(inputs):,} inputs and {len(targets):,} targets")
        return Examples(
            inputs, self.preparation.encode(targets, np.arange(len(targets)), self.dtype)
        )

    def inputs(self, data: Data) -> Array:
        """What the network takes, (n, *shape), prepared as in training. Raises DataError."""
        raw = self.raw(data)
        return self.preparation.prepare(raw, np.arange(len(raw)), self.dtype)

    def raw(self, data: Data) -> Array | Columns:
        """The rows as the run's data set would read them. Raises DataError."""
        preparation, given = self.preparation, self.opened(data)
        if isinstance(preparation.inputs, Encoder):
            if not isinstance(given, Table):
                what = "it takes a table with named columns"
                names = ", ".join(feature.name for feature in preparation.inputs.features[:8])
                raise DataError(str(Problem(str(self.folder), what, f"such as {names}")))
            return Columns.of(given, preparation.inputs.features)
        if isinstance(given, Table):
            return self._array(_matrix(given, preparation))
        return self._array(given.inputs if isinstance(given, Others) else given)

    def _array(self, raw: Array) -> Array:
        shape = self.preparation.shape
        if prod(raw.shape[1:]) == prod(shape):  # an image as it is, of a run on flat ones
            raw = raw.reshape(len(raw), *shape)
        if raw.shape[1:] != shape:
            expected, found = (
                " × ".join(map(str, ("n", *each))) for each in (shape, raw.shape[1:])
            )
            raise DataError(f"{self.folder}: it takes {expected} numbers, these are {found}")
        if not np.isfinite(raw).all():
            raise DataError(
                f"{self.folder}: {np.sum(~np.isfinite(raw)):,} inputs are NaN or infinite"
            )
        return raw

    def opened(self, data: Data) -> Table | Array | Others:
        """What the data are: a table, an array, or inputs with names. Raises DataError."""
        if isinstance(data, Table | np.ndarray | Others):
            return data
        if isinstance(data, str | Path):
            inputs = self.preparation.inputs
            features = inputs.features if isinstance(inputs, Encoder) else ()
            texts = [feature.name for feature in features if feature.kind != "numeric"]
            return self.dataset.other(Path(data), texts)
        return table_of(data) if hasattr(data, "columns") else np.asarray(data)

    def labels(self, data: Data) -> Array:
        """The targets of data, as training holds them. Raises DataError if it has none."""
        table, task = self.opened(data), self.preparation.task
        if isinstance(table, Others):
            return self._places(table)
        if not isinstance(table, Table):
            raise DataError(f"{self.folder}: an array has no targets; give a table")
        assert task.kind != "objective"  # of which there is no model
        name = task.target or _last(table, self.preparation)
        targets = Target(name, task.kind, self.classes).read(table)
        return self.preparation.encode(targets, np.arange(len(targets)), self.dtype)

    def _places(self, others: Others) -> Array:
        """The labels of examples whose classes are known. Raises DataError for another class."""
        if not others.classes:
            what = f"{self.folder}: the classes of these examples are not known"
            raise DataError(f"{what}; give a folder with a folder for each class")
        place = {name: i for i, name in enumerate(self.classes)}
        unknown = sorted(set(others.classes) - set(place))
        if unknown:
            row = others.classes.index(unknown[0])
            what = f"the class '{unknown[0]}' is none of {listed(list(self.classes))}"
            raise DataError(str(Problem(others.names[row], what)))
        return np.array([place[name] for name in others.classes], np.int64)

    def counts(self, data: Data) -> Array | None:
        """What each row of a table counts, if the run's data have weights. Raises DataError."""
        dataset, table = self.dataset, self.opened(data)
        return (
            dataset.counts(table)
            if isinstance(dataset, TableData) and isinstance(table, Table)
            else None
        )

    def remarks(self, data: Data) -> Iterator[str]:
        """What is to be known of data: values that training has not seen, columns not used."""
        table, raw = self.opened(data), self.raw(data)
        inputs = self.preparation.inputs
        if isinstance(table, Table) and isinstance(raw, Columns) and isinstance(inputs, Encoder):
            yield from inputs.remarks(raw)
            dataset = self.dataset
            weights = dataset.weights if isinstance(dataset, TableData) else ""
            own = {self.preparation.task.target, self.row_name, weights}
            used = {feature.name for feature in raw.features} | own
            spare = [name for name in table.columns if name not in used]
            if spare:
                yield f"not used: {', '.join(spare[:8])}{', …' if len(spare) > 8 else ''}"


def _two(data: tuple[Any, ...]) -> tuple[Any, Any]:
    if len(data) != 2:
        raise DataError(f"a tuple of {len(data)} is no (X, y)")
    return data[0], data[1]


def _matrix(table: Table, preparation: Preparation) -> Array:
    """The numbers of a table, column by column, of data without names; the target may follow."""
    width = int(np.prod(preparation.shape))
    names = list(table.columns)
    if len(names) not in (width, width + 1):
        raise DataError(
            f"{table.name}: {counted(len(names), 'column')}, expected {width:,} numbers"
        )
    columns = [measured(table, Feature(name, "numeric")) for name in names[:width]]
    return np.hstack([np.asarray(c) for c in columns]).reshape(len(table), *preparation.shape)


def _last(table: Table, preparation: Preparation) -> str:
    """The column after the inputs, of data whose target has no name."""
    width = int(np.prod(preparation.shape))
    if len(table.columns) != width + 1:
        what = f"{counted(len(table.columns), 'column')}, expected {width:,} inputs and the target"
        raise DataError(f"{table.name}: {what}")
    return list(table.columns)[-1]
