"""Sample: examples whose targets are known, and what a model says of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from backproplab.arrays import Array
from backproplab.data import Examples, Others, TableData
from backproplab.experiment import Model
from backproplab.nn.metrics import METRICS
from backproplab.tables import Table

ORDER = ("test", "validation", "train")  # which split is judged, if there are several


@dataclass(frozen=True, eq=False)
class Sample:
    """name: of the split or the file.  examples: prepared.  table: their rows; None for arrays."""

    name: str
    model: Model
    examples: Examples
    table: Table | None = None

    @classmethod
    def of(cls, model: Model, data: Table | Array | Others | None = None) -> Sample:
        """The examples in data with targets; without any, of the run's own splits the test split,
        else the validation split, else the training split. Raises DataError."""
        if data is not None:
            table = data if isinstance(data, Table) else None
            name = Path(table.name).name if table else "new data"
            return cls(name, model, model.examples(data)["data"], table)
        splits = model.splits()
        name = next(name for name in ORDER if getattr(splits, name))
        own, rows = model.experiment.data, {"train": splits.rows, **splits.held}[name]
        table = own.table() if isinstance(own, TableData) else None
        taken = None if table is None or rows is None else table.take(rows)
        return cls(name, model, getattr(splits, name), taken)

    def __len__(self) -> int:
        return len(self.examples)

    @property
    def title(self) -> str:
        return f"{self.model.folder.name}, {self.name}"

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes; empty for a regression."""
        return self.model.classes

    @property
    def weights(self) -> Array:
        """What each example counts (n,): 1 where all count alike."""
        own = self.examples.weights
        return np.ones(len(self)) if own is None else own.astype(np.float64)

    @cached_property
    def outputs(self) -> Array:
        """Of the network (n, units)."""
        return self.model.outputs(self.examples.inputs)

    @cached_property
    def probabilities(self) -> Array:
        """(n, classes) in float64."""
        return self.model.loss.probabilities(self.outputs).astype(np.float64)

    @cached_property
    def decided(self) -> Array:
        """The predicted classes (n,)."""
        return self.model.loss.decide(self.outputs)

    @property
    def truth(self) -> Array:
        """Labels (n,), or numbers (n, targets) in the units of the target."""
        targets = self.examples.targets
        return targets if self.classes else self.model.preparation.real(targets)

    @property
    def predicted(self) -> Array:
        """Numbers (n, targets) in the units of the target."""
        return self.model.preparation.real(self.outputs)

    def measured(self, name: str, outputs: Array, rows: Array | slice = slice(None)) -> float:
        """A metric of some rows with these outputs, in the units of the target."""
        real = outputs if self.classes else self.model.preparation.real(outputs)
        own = self.examples.weights
        counts = None if own is None else own[rows]
        of = self.model.loss, real, self.truth[rows], counts
        return float(METRICS[name].function(*of))
