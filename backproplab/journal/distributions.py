"""Distributions: how the values of arrays are spread, of all members of a population at once.

Plain numbers; this file must not know what they are written for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from backproplab.arrays import Array

BINS = 64
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
    return distributions(np.reshape(array, (1, -1)), bins)[0]


def distributions(rows: Array, bins: int = BINS) -> list[Distribution]:
    """Of each row of (P, n).

    Values are binned in their own precision, so one within rounding of an edge may fall either
    side of it; integers become float64.
    """
    rows = rows if rows.dtype in (np.float32, np.float64) else rows.astype(np.float64)
    if rows.size and np.isfinite(rows).all():
        return _of_finite(rows, bins)
    return [_of_any(row, bins) for row in rows]


def _of_any(row: Array, bins: int) -> Distribution:
    """Of a row that may hold NaN or infinities, or nothing."""
    finite = row[np.isfinite(row)]
    if not finite.size:
        return Distribution(row.size)
    return replace(_of_finite(finite[None], bins)[0], size=row.size)


def _of_finite(rows: Array, bins: int) -> list[Distribution]:
    lo, hi = (edge.astype(np.float64) for edge in (rows.min(axis=1), rows.max(axis=1)))
    limits, counts = _bins(rows, lo, hi, bins)
    total, squares = _moments(rows)
    size = rows.shape[1]
    spread = (lo != hi).tolist()
    columns = (x.tolist() for x in (lo, hi, total, squares, limits, counts))
    return [
        Distribution(size, size, a, b, s, q, *((edges, held) if many else ([b], [size])))
        for many, a, b, s, q, edges, held in zip(spread, *columns, strict=True)
    ]


def _bins(rows: Array, lo: Array, hi: Array, bins: int) -> tuple[Array, Array]:
    """Right edges and counts, (P, bins) each; of rows whose values are all equal they are void."""
    # quarters, where hi - lo might overflow: the bins of x / 4 are the bins of x
    with np.errstate(over="ignore"):
        unit = np.where(hi - lo < float(np.finfo(rows.dtype).max) / 2, 1.0, 0.25)
    low, high = lo * unit, hi * unit
    span = np.where(high > low, high - low, 1.0)
    own = [x.astype(rows.dtype)[:, None] for x in (unit, low, span)]
    first = (bins + 1) * np.arange(len(rows))[:, None]
    counts = np.zeros(len(rows) * (bins + 1), np.int64)
    for start in range(0, rows.shape[1], CHUNK):
        part = (rows[:, start : start + CHUNK] * own[0] - own[1]) / own[2] * bins
        counts += np.bincount((part.astype(np.intp) + first).ravel(), minlength=counts.size)
    table = counts.reshape(len(rows), bins + 1)
    table[:, -2] += table[:, -1]  # hi itself: the last bin is closed
    return np.linspace(low, high, bins + 1, axis=1)[:, 1:] / unit[:, None], table[:, :-1]


def _moments(rows: Array) -> tuple[Array, Array]:
    """Σx and Σx² in float64, which may overflow to infinity."""
    total, squares = np.zeros((2, len(rows)))
    with np.errstate(over="ignore"):
        for start in range(0, rows.shape[1], CHUNK):
            part = rows[:, start : start + CHUNK].astype(np.float64, copy=False)
            total += part.sum(axis=1)
            squares += np.square(part).sum(axis=1)  # @ would wake the BLAS threads
    return total, squares
