"""Permutation importance: how much worse a model is without a column's information."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.assessing.picture import MARGIN, Bar, Part, Picture
from backproplab.assessing.sample import Sample
from backproplab.data.encoding import Encoder
from backproplab.streams import stream
from backproplab.text import counted, spread

REPEATS = 5  # permutations of each column
COLUMNS = 200  # most that are permuted
EXAMPLES = 4096  # most that are used
DRAWN = 25  # the most important ones


@dataclass(frozen=True, eq=False)
class Importance(Part):
    """names: of the columns.  falls: of the metric, (columns, repeats).  examples: their number."""

    sample: Sample
    metric: str
    names: tuple[str, ...]
    falls: Array
    examples: int

    name = "importance"

    @classmethod
    def of(cls, sample: Sample, repeats: int = REPEATS) -> Importance:
        """metric - metric with a column's values in another order (Breiman 2001); all inputs of a
        category or a date are permuted together."""
        chance = stream(sample.model.experiment.seed, "shuffle")
        rows = np.sort(chance.permutation(len(sample))[:EXAMPLES])
        metric = "accuracy" if sample.classes else "r2"
        whole = sample.measured(metric, sample.outputs[rows], rows)
        inputs = sample.examples.inputs[rows]
        names, falls = [], []
        for name, columns in blocks(sample):
            names.append(name)
            flat = inputs.reshape(len(rows), -1).copy()
            kept, found = flat[:, columns].copy(), []
            for _ in range(repeats):
                flat[:, columns] = kept[chance.permutation(len(rows))]
                outputs = sample.model.outputs(flat.reshape(inputs.shape))
                found.append(whole - sample.measured(metric, outputs, rows))
            falls.append(found)
        return cls(sample, metric, tuple(names), np.array(falls), len(rows))

    @property
    def title(self) -> str:
        return f"Permutation importance: fall of {self.word}"

    @property
    def word(self) -> str:
        return "accuracy" if self.metric == "accuracy" else "R²"

    @property
    def aside(self) -> str:
        many = counted(self.examples, "example")
        return (
            f"{self.sample.title}, {many}: mean and deviation of {self.falls.shape[1]} permutations"
        )

    @property
    def means(self) -> Array:
        return self.falls.mean(axis=1)

    def tree(self) -> dict[str, object]:
        spreads = self.falls.std(axis=1)
        each = zip(self.names, self.means, spreads, strict=True)
        columns = {name: {"mean": mean, "deviation": deviation} for name, mean, deviation in each}
        return {"metric": self.metric, "examples": self.examples, "columns": columns}

    def draw(self, picture: Picture) -> None:
        order = np.argsort(-self.means, kind="stable")[:DRAWN]
        falls = zip(self.means.tolist(), self.falls.std(axis=1).tolist(), strict=True)
        every = [
            Bar(name, mean, spread(mean, deviation), deviation)
            for name, (mean, deviation) in zip(self.names, falls, strict=True)
        ]
        bars = [every[n] for n in order]
        picture.bars(bars, f"fall of {self.word}", ("column", "mean ± deviation"))
        if len(self.names) > DRAWN:
            text = f"the first {DRAWN} of {len(self.names)} columns"
            picture.words(text, MARGIN, picture.bottom + 22, second=True)


def blocks(sample: Sample) -> Iterator[tuple[str, slice]]:
    """Of each column its name and the places of its inputs."""
    inputs = sample.model.preparation.inputs
    if not isinstance(inputs, Encoder):
        names = enumerate(sample.model.preparation.names)
        yield from ((name, slice(n, n + 1)) for n, name in names)
        return
    start = 0
    for each in inputs.fitted:
        end = start + len(each.names)
        yield each.feature.name, slice(start, end)
        start = end
