"""Data: what a run's splits say: twins, painted labels, scales, rare classes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.data import Examples, Splits

ROWS = 10_000  # of which correlations and spreads are taken


@dataclass(frozen=True, eq=False)
class Data:
    """The splits as training saw them."""

    splits: Splits

    @cached_property
    def counts(self) -> Array:
        """Training examples of each class."""
        task = self.splits.task
        return np.bincount(self.splits.train.targets, minlength=task.outputs)

    @cached_property
    def twins(self) -> dict[str, int]:
        """By held-out split: how many of its rows are also training rows, bit for bit."""
        held = {"validation": self.splits.validation, "test": self.splits.test}
        known = _hashes(self.splits.train)
        return {n: sum(h in known for h in _hashes(x, True)) for n, x in held.items() if x}

    @cached_property
    def spreads(self) -> tuple[float, float]:
        """The least and the largest standard deviation of an input feature, constant ones aside."""
        found = np.std(self._inputs, axis=0, dtype=np.float64)
        varied = found[found > 1e-12 * max(float(found.max(initial=0)), 1e-300)]
        return (float(varied.min()), float(varied.max())) if varied.size else (0.0, 0.0)

    @cached_property
    def correlation(self) -> float:
        """The largest |correlation| of an input feature with membership in a class."""
        x, classes = self._inputs.astype(np.float64), self.splits.train.targets[:ROWS]
        member = np.equal(classes[:, None], np.arange(len(self.counts))).astype(np.float64)
        x, member = x - x.mean(axis=0), member - member.mean(axis=0)
        scale = np.sqrt(np.outer(np.square(x).sum(axis=0), np.square(member).sum(axis=0)))
        return float(
            np.divide(np.abs(x.T @ member), scale, where=scale > 1e-9, out=scale * 0).max()
        )

    @property
    def _inputs(self) -> Array:
        """Those that are numbers, and no codes of embedded categories."""
        inputs = self.splits.train.inputs[:ROWS]
        codes = [place for place, _, _ in self.splits.preparation.embedded]
        return np.delete(inputs.reshape(len(inputs), -1), codes, axis=1)


def _hashes(examples: Examples, each: bool = False) -> list[int] | set[int]:
    rows = np.ascontiguousarray(examples.inputs).reshape(len(examples), -1)
    found = [hash(row.tobytes()) for row in rows]
    return found if each else set(found)
