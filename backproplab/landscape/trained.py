"""Trained: a run's weights with its data, and the loss of other weights in their place.

Many weights are measured at once, as the members of a crew are.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError
from backproplab.experiment import Parts, build, model
from backproplab.files import DiskFolder
from backproplab.journal.saved import Which
from backproplab.learners import Evaluation, Split
from backproplab.learners.evaluation import tile_length
from backproplab.learners.spectrum import Spectrum, spectrum
from backproplab.nn import ParameterVector
from backproplab.runs.run_folder import RunFolder

EXAMPLES = 4096  # of a split that are measured
TOGETHER = 32  # most weights that are measured at once; fewer if
ENTRIES, ACTIVATIONS = 2**18, 2**21  # they, or what they make of a tile of examples, have more


@dataclass(frozen=True, eq=False)
class Trained:
    """A run, built again, with the weights that it found.

    weights: whether they are those of the best epoch, or the last.
    """

    folder: Path
    parts: Parts
    parameters: ParameterVector
    weights: Which

    @property
    def name(self) -> str:
        """``session/run``."""
        return f"{self.folder.parent.name}/{self.folder.name}"

    @property
    def center(self) -> Array:
        """The weights, and after them the running statistics, (n,)."""
        return self.parameters.flat

    @cached_property
    def splits(self) -> dict[str, Split]:
        """The training examples and the validation examples, or the first 4096 of them."""
        found = self.parts.material.splits
        return {
            name: Split(*(x[:EXAMPLES] for x in (of.inputs, of.targets, of.encoded)))
            for name, of in found.items()
            if name != "test"
        }

    def losses(self, points: Array, split: str = "train") -> Array:
        """The mean loss of the split with each of these weights (m, n): (m,), infinite or NaN where
        it is."""
        of, found = self.splits[split], []
        with self.parts.limited(), np.errstate(all="ignore"):
            for start in range(0, len(points), self._together):
                count = len(points[start : start + self._together])
                evaluation = self._evaluations[count]
                evaluation.parameters.flat[...] = points[start : start + count].reshape(
                    evaluation.parameters.flat.shape
                )
                row = evaluation(of.inputs, of.targets, of.encoded)
                assert row is not None
                found.append(np.atleast_1d(row["loss"]))
        return np.concatenate(found)

    @property
    def _together(self) -> int:
        network = self.parts.network
        assert network is not None
        if network.mixes_members:
            return 1
        tile = network.footprint * min(tile_length(network), len(self.splits["train"]))
        return max(min(TOGETHER, ENTRIES // len(self.center), ACTIVATIONS // tile), 1)

    @cached_property
    def _evaluations(self) -> _Evaluations:
        return _Evaluations(self)

    @cached_property
    def spectrum(self) -> Spectrum:
        """The three largest eigenvalues of the Hessian of the training loss, and the smallest."""
        assert self.parts.network is not None
        assert self.parts.loss is not None
        with self.parts.limited():
            return spectrum(
                self.parts.network, self.parts.loss, self.parameters, self.splits["train"], 3
            )


class _Evaluations(dict[int, Evaluation]):
    """By a number of weights: the evaluation that measures that many at once."""

    def __init__(self, of: Trained) -> None:
        super().__init__()
        self.of = of

    def __missing__(self, count: int) -> Evaluation:
        parts, like = self.of.parts, self.of.parameters
        assert parts.network is not None
        assert parts.loss is not None
        population = () if parts.network.mixes_members else (count,)
        statistics = {n: s for n, s in like.shapes.items() if n not in like.weights}
        own = ParameterVector(like.weights, like.flat.dtype, population, statistics)
        self[count] = Evaluation(parts.network, own, parts.loss, (), parts.experiment.engine)
        return self[count]


def trained(folder: Path, weights: Which = "last") -> Trained:
    """The run, with the weights that it ended with, or those of its best epoch.

    Raises RunError for a run that has no network to look at, DamageError for a damaged one, and
    DataError if its data have changed.
    """
    found = model(folder, weights)
    parts = build(found.experiment)
    record = RunFolder(DiskFolder(folder)).record
    if parts.splits.fingerprint != record.get("hashes", {}).get("data"):
        raise DataError(f"{folder}: the data have changed since the run — train it again")
    return Trained(folder, parts, found.parameters, found.weights)
