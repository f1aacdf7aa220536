"""Splitting and scaling of plain arrays; this file knows no data sets and no files.

Rows are copied and scaled a few at a time, in float64 and within the processor's cache, so that
a split is never held in memory as a whole in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from backproplab.arrays import Array

BLOCK = 4096  # rows summed separately; the last bits of the sums depend on it
PIECE = 2**16  # numbers processed at once: half a MiB of float64


@dataclass(frozen=True, eq=False)
class Scaler:
    """``x ↦ (x − shift) / scale`` for every feature."""

    shift: Array | float = 0.0
    scale: Array | float = 1.0

    @classmethod
    def fit(cls, x: Array, rows: Array, one_scale: bool = False) -> Scaler:
        """Mean and (population) standard deviation of ``x`` ``(n, *features)`` over ``rows``.

        A constant feature is centered and left unscaled. Constant means a variance within the
        rounding error of its computation: the bound of scikit-learn's StandardScaler.
        one_scale: the mean and the deviation of all features together.
        """
        n, eps = len(rows), np.finfo(np.float64).eps
        mean = _sum(x, rows) / n
        variance = _sum(x, rows, mean) / n
        if one_scale:
            mean, variance = (np.asarray(x) for x in (mean.mean(), variance.mean() + mean.var()))
        constant = variance <= n * eps * variance + (n * mean * eps) ** 2
        return cls(mean, np.where(constant, 1.0, np.sqrt(variance)))

    @classmethod
    def between(cls, x: Array, rows: Array, one_scale: bool = False) -> Scaler:
        """0 at the least value of each feature over ``rows``, 1 at the largest (MinMaxScaler)."""
        low, high = x[rows[:1]][0].astype(np.float64), x[rows[:1]][0].astype(np.float64)
        for part in _parts(rows, _piece(x)):
            low, high = np.minimum(low, x[part].min(axis=0)), np.maximum(high, x[part].max(axis=0))
        if one_scale:
            low, high = np.asarray(low.min()), np.asarray(high.max())
        return cls(low, np.where(high > low, high - low, 1.0))

    def __call__(self, x: Array, rows: Array, dtype: DTypeLike) -> Array:
        """The ``rows`` of ``x``, scaled: computed in float64, then cast to ``dtype``."""
        result = np.empty((len(rows), *x.shape[1:]), dtype)
        length = _piece(x)
        for part, scaled in zip(_parts(rows, length), _parts(result, length), strict=True):
            centered = np.subtract(x[part], self.shift, dtype=np.float64)
            np.divide(centered, self.scale, out=scaled, casting="same_kind")
        return result

    @property
    def record(self) -> dict[str, Any]:
        """Plain JSON with every digit, from which ``read`` makes an equal scaler."""
        return {"shift": np.asarray(self.shift).tolist(), "scale": np.asarray(self.scale).tolist()}

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> Scaler:
        """The scaler of a record. Raises LookupError, TypeError or ValueError."""
        return cls(*(np.array(record[key], np.float64) for key in ("shift", "scale")))


def _sum(x: Array, rows: Array, mean: Array | None = None) -> Array:
    """``Σ x`` over ``rows`` or, with a ``mean``, ``Σ (x − mean)²``; float64 ``(*features)``."""
    total = np.zeros(x.shape[1:])
    for block in _parts(rows, BLOCK):
        carried = np.zeros(x.shape[1:])
        for part in _parts(block, _piece(x)):
            terms = x[part].astype(np.float64)
            if mean is not None:
                terms -= mean
                terms *= terms
            # NumPy adds row by row, so the bits equal those of one sum over the block
            terms[0] += carried
            carried = terms.sum(axis=0)
        total += carried
    return total


def _piece(x: Array) -> int:
    """The number of rows processed at once."""
    return max(1, min(BLOCK, PIECE // math.prod(x.shape[1:])))


def _parts(rows: Array, length: int) -> Iterator[Array]:
    return (rows[start : start + length] for start in range(0, len(rows), length))


def apportion(counts: Array, sizes: Sequence[int]) -> Array:
    """The number of examples of each class for each held-out part, as ``(parts, classes)``.

    counts: examples of each class. sizes: examples of each part, with ``sum(sizes) < n``.
    Largest-remainder method: the ideal ``counts · size / n`` is rounded down, and the classes with
    the largest remainders get one more until ``size`` is reached. Every class keeps one example
    for training, so a part may stay smaller than its ``size`` if classes are rare. Each entry
    differs from the ideal by less than 1.
    """
    n = int(counts.sum())
    parts = [counts * size // n for size in sizes]
    room = counts - 1 - sum(parts)
    for part, size in zip(parts, sizes, strict=True):
        remainder = counts * size % n
        ranked = np.argsort(-remainder, kind="stable")
        willing = ranked[(remainder[ranked] > 0) & (room[ranked] > 0)]
        chosen = willing[: size - part.sum()]
        part[chosen] += 1
        room[chosen] -= 1
    return np.array(parts)


def partition(classes: Array, sizes: Sequence[int], generator: np.random.Generator) -> list[Array]:
    """Shuffled, stratified index arrays: training first, then a part for each of ``sizes``.

    classes: ``(n,)`` labels, whose proportions every part keeps; all equal: a plain random split.
    """
    present, counts = np.unique(classes, return_counts=True)
    shuffled = generator.permutation(len(classes))
    part_of = np.zeros(len(classes), dtype=np.int64)  # aligned with shuffled; 0 is training
    for label, shares in zip(present, apportion(counts, sizes).T, strict=True):
        (places,) = np.nonzero(classes[shuffled] == label)
        part_of[places[: shares.sum()]] = np.repeat(np.arange(1, len(sizes) + 1), shares)
    return [shuffled[part_of == part] for part in range(len(sizes) + 1)]


def first_of_each(classes: Array, count: int) -> Array:
    """``count`` positions, the first of each class in proportion to its size, in ascending order.

    classes: (n,) labels in random order. A smaller count gives a part of what a larger one does.
    """
    order = np.argsort(classes, kind="stable")
    _, starts, counts = np.unique(classes[order], return_index=True, return_counts=True)
    rank = np.empty(len(classes))
    place = np.arange(len(classes)) - np.repeat(starts, counts)
    rank[order] = (place + 0.5) / np.repeat(counts, counts)
    return np.sort(np.argsort(rank, kind="stable")[:count])
