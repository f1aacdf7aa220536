"""Distributions: how the values of arrays are spread, of all members of a population at once.

Plain numbers; this file must not know what they are written for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np

from backproplab.arrays import Array

BINS = 30  # as many as TensorBoard draws
CHUNK = 1 << 15  # values of an array handled at once, so that they stay in the cache


@dataclass(frozen=True)
class Distribution:
    """Of the finite values of an array.

    size: all values, finite or not.  num, min, max, sum, squares: of the finite ones.
    limits, counts: the right edges of equal bins over [min, max], and how many values each holds;
        one bin if all are equal, none if there are no values.
    """

    size: int
    num: int = 0
    min: float = 0.0
    max: float = 0.0
    sum: float = 0.0
    squares: float = 0.0
    limits: Sequence[float] = ()
    counts: Sequence[float] = ()


def distribution(array: Array, bins: int = BINS) -> Distribution:
    """Of one array of any shape."""
    return distributions([np.reshape(array, (1, -1))], bins)[0][0]


def distributions(arrays: Sequence[Array], bins: int = BINS) -> list[list[Distribution]]:
    """Of each row of each array; these are (P, n), with one P for all.

    Values are binned in their own precision, so one within rounding of an edge may fall either
    side of it; integers become float64. What is computed for each row is computed for all rows of
    all arrays at once, because a call of NumPy takes as long as the values of a small array.
    """
    floats = [x if x.dtype in (np.float32, np.float64) else x.astype(np.float64) for x in arrays]
    edges = [(x.min(axis=1), x.max(axis=1)) if x.size else None for x in floats]
    plain = [e is not None and bool(np.isfinite(e).all()) for e in edges]  # NaN is in both
    chosen = [(x, e) for x, e, whole in zip(floats, edges, plain, strict=True) if e and whole]
    of_plain = iter(_of_finite(chosen, bins))
    return [
        next(of_plain) if whole else [_of_any(row, bins) for row in x]
        for x, whole in zip(floats, plain, strict=True)
    ]


def _of_any(row: Array, bins: int) -> Distribution:
    """Of a row that may hold NaN or infinities, or nothing."""
    finite = row[np.isfinite(row)]
    if not finite.size:
        return Distribution(row.size)
    return replace(distributions([finite[None]], bins)[0][0], size=row.size)


def _of_finite(
    found: Sequence[tuple[Array, tuple[Array, Array]]], bins: int
) -> list[list[Distribution]]:
    """Of arrays (P, n), each with its lowest and highest values (P,)."""
    if not found:
        return []
    arrays = [x for x, _ in found]
    lo, hi = (np.array([edges[k] for _, edges in found], np.float64) for k in (0, 1))
    # quarters, where hi - lo might overflow: the bins of x / 4 are the bins of x
    half = np.array([[float(np.finfo(x.dtype).max) / 2] for x in arrays])
    with np.errstate(over="ignore"):
        unit = np.where(hi - lo < half, 1.0, 0.25)
    low, span = lo * unit, hi * unit - lo * unit
    limits = (low[..., None] + span[..., None] * _shares(bins)) / unit[..., None]
    limits[..., -1] = hi
    frames = zip(unit, low, np.where(span > 0, span, 1.0), strict=True)
    counted = [_counted(x, bins, *frame) for x, frame in zip(arrays, frames, strict=True)]
    edges = zip(lo.tolist(), hi.tolist(), limits.tolist(), strict=True)
    return [_rows(x.shape[1], *e, *c) for x, e, c in zip(arrays, edges, counted, strict=True)]


def _rows(size: int, *columns: list[Any]) -> list[Distribution]:
    """One for each row, from the columns lowest, highest, limits, counts, Σx and Σx²."""
    return [
        Distribution(size, size, a, b, s, q, *((edges, held) if a != b else ([b], [size])))
        for a, b, edges, held, s, q in zip(*columns, strict=True)
    ]


@cache
def _shares(bins: int) -> Array:
    """The right edges of equal bins of [0, 1]."""
    return np.arange(1, bins + 1) / bins


def _counted(
    rows: Array, bins: int, unit: Array, low: Array, span: Array
) -> tuple[list[Any], list[Any], list[Any]]:
    """Values in each bin, Σx and Σx² of each row; the sums may overflow to infinity."""
    count, size = rows.shape
    quartered = bool((unit != 1).any())
    unit, low, span = (x.astype(rows.dtype)[:, None] for x in (unit, low, span))
    table = np.zeros((count, bins + 1), np.int64)
    total, squares = np.zeros((2, count))
    height = max(CHUNK // size, 1)
    for at in (slice(k, k + height) for k in range(0, count, height)):
        first = (bins + 1) * np.arange(len(unit[at]))[:, None]
        for start in range(0, size, CHUNK):
            part = rows[at, start : start + CHUNK]
            away = (part * unit[at] if quartered else part) - low[at]
            bin_of = (away / span[at] * bins).astype(np.intp) + first
            table[at] += np.bincount(bin_of.ravel(), minlength=table[at].size).reshape(-1, bins + 1)
            wide = part.astype(np.float64)
            total[at] += wide.sum(axis=1)
            with np.errstate(over="ignore"):
                squares[at] += np.square(wide, out=wide).sum(axis=1)
    table[:, -2] += table[:, -1]  # the highest value itself: the last bin is closed
    return table[:, :-1].tolist(), total.tolist(), squares.tolist()
