"""Metrics of groups: whether a model is as good for some rows as for others."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import Bar, Part, Picture, figure
from backproplab.assessing.sample import Sample
from backproplab.errors import DataError
from backproplab.measures import Row
from backproplab.nn import metrics_of
from backproplab.tables import Numbers
from backproplab.text import counted

DISTINCT = 12  # numbers of more distinct values are grouped by their quarters
DRAWN = 40


@dataclass(frozen=True, eq=False)
class Groups(Part):
    """found: of each value of the column (examples, metrics)."""

    sample: Sample
    column: str
    found: dict[str, tuple[int, Row]]

    name = "groups"

    @classmethod
    def of(cls, sample: Sample, column: str) -> Groups:
        """Raises DataError where there is no such column."""
        if sample.table is None:
            raise DataError(f"--by {column}: the data are arrays, whose columns have no names")
        names, places = _grouped(sample, column)
        task = sample.model.preparation.task
        metrics = metrics_of(task, sample.model.experiment.metrics or ())
        found = {}
        for n, name in enumerate(names):
            rows = np.flatnonzero(places == n)
            if len(rows):
                outputs = sample.outputs[rows]
                row = {m.name: sample.measured(m.name, outputs, rows) for m in metrics}
                found[name] = len(rows), row
        return cls(sample, column, found)

    @property
    def metric(self) -> str:
        return "accuracy" if self.sample.classes else "mae"

    @property
    def title(self) -> str:
        word = "Accuracy" if self.sample.classes else "Mean absolute error"
        return f"{word} by {self.column}"

    @property
    def aside(self) -> str:
        whole = self.sample.measured(self.metric, self.sample.outputs)
        return (
            f"{self.sample.title}, {counted(len(self.sample), 'example')}: {figure(whole)} of all"
        )

    def tree(self) -> dict[str, object]:
        return {name: {"rows": count, **row} for name, (count, row) in self.found.items()}

    def draw(self, picture: Picture) -> None:
        bars = [
            Bar(name, row[self.metric], f"{figure(row[self.metric])}   {count:,}")
            for name, (count, row) in list(self.found.items())[:DRAWN]
        ]
        picture.bars(bars, self.metric, (self.column, f"{self.metric}   examples"))


def _grouped(sample: Sample, name: str) -> tuple[list[str], Array]:
    """The groups' names, and the place of each row in them."""
    assert sample.table is not None
    column = sample.table.column(name, "--by")
    if isinstance(column, Numbers) and len(np.unique(column.values)) > DISTINCT:
        known = column.values[~column.missing]
        edges = np.unique(np.quantile(known, [0.25, 0.5, 0.75]))
        places = np.searchsorted(edges, column.values)
        ends = [figure(x) for x in (known.min(), *edges, known.max())]
        names = [f"{low} … {high}" for low, high in pairwise(ends)]
        return [*names, "(missing)"], np.where(column.missing, len(names), places)
    texts = column.texts()
    return [*texts.levels, "(missing)"], np.where(texts.codes < 0, len(texts.levels), texts.codes)
