"""Splitting and scaling of plain arrays; knows neither data sets nor files.

Arrays are scaled block by block in float64, so that 70 000 images stored as bytes never exist
as float64 as a whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import DTypeLike

BLOCK = 4096  # rows: 25 MB of 28 × 28 images in float64


@dataclass(frozen=True, eq=False)
class Scaler:
    """``x ↦ (x − shift) / scale`` for every feature."""

    shift: np.ndarray | float = 0.0
    scale: np.ndarray | float = 1.0

    @classmethod
    def fit(cls, x: np.ndarray) -> Scaler:
        """Mean and (population) standard deviation of ``x`` ``(n, *features)`` over its rows.

        A constant feature is centered and left unscaled. Constant means a variance within the
        rounding error of its computation: the bound of scikit-learn's StandardScaler.
        """
        n, eps = len(x), np.finfo(np.float64).eps
        mean = sum(block.sum(axis=0) for _, block in _blocks(x)) / n
        variance = sum(((block - mean) ** 2).sum(axis=0) for _, block in _blocks(x)) / n
        constant = variance <= n * eps * variance + (n * mean * eps) ** 2
        return cls(mean, np.where(constant, 1.0, np.sqrt(variance)))

    def __call__(self, x: np.ndarray, dtype: DTypeLike) -> np.ndarray:
        """``x`` scaled, computed in float64 and cast to ``dtype`` at the end."""
        result = np.empty(x.shape, dtype)
        for rows, block in _blocks(x):
            result[rows] = (block - self.shift) / self.scale
        return result


def _blocks(x: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(x), BLOCK):
        rows = slice(start, start + BLOCK)
        yield rows, x[rows].astype(np.float64)


def apportion(counts: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """How many examples of each class (``counts``) go to each held-out part (``sizes``).

    Largest remainders: the ideal ``counts · size / n`` is rounded down, and what is missing to
    ``size`` goes to the classes that lost most. Every class keeps one example for training, so
    that a part may stay smaller than its ``size`` when classes are rare. Needs ``sum(sizes) < n``;
    returns ``(parts, classes)``, each entry less than 1 away from the ideal.
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


def partition(
    classes: np.ndarray, sizes: Sequence[int], generator: np.random.Generator
) -> list[np.ndarray]:
    """Shuffled, stratified index arrays: training first, then a part for each of ``sizes``.

    classes: ``(n,)`` labels whose shares every part keeps; all equal for a plain random split.
    """
    present, counts = np.unique(classes, return_counts=True)
    shuffled = generator.permutation(len(classes))
    part_of = np.zeros(len(classes), dtype=np.int64)  # aligned with shuffled; 0 is training
    for label, shares in zip(present, apportion(counts, sizes).T, strict=True):
        (places,) = np.nonzero(classes[shuffled] == label)
        part_of[places[: shares.sum()]] = np.repeat(np.arange(1, len(sizes) + 1), shares)
    return [shuffled[part_of == part] for part in range(len(sizes) + 1)]
