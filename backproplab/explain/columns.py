"""Order and heights of the slots in each column of a drawing: few crossings, straight arrows.

These are the last two steps of the layered layout in layout.py. This file does not know the
drawing: a slot is a width, a height and its neighbors in the adjacent columns.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, pairwise

GAP = 16.0  # between slots of a column, in pixels
ROUNDS = 24


@dataclass
class Slot:
    """A place in a layer, for a box or for an arrow that passes through (``box`` is None)."""

    layer: int
    width: float
    height: float
    box: int | None = None
    y: float = 0.0
    left: list[Slot] = field(default_factory=list)
    right: list[Slot] = field(default_factory=list)


def order(columns: list[list[Slot]]) -> None:
    """Sort columns by their neighbors' mean place, in both directions; keep the best order."""
    best, fewest = [list(column) for column in columns], _crossings(columns)
    for turn in range(ROUNDS):
        there = columns if turn % 2 == 0 else columns[::-1]
        for near, column in pairwise(there):
            place = {id(slot): i for i, slot in enumerate(near)}
            keys = [_mean([place[id(s)] for s in _towards(slot, near)], i)
                    for i, slot in enumerate(column)]  # fmt: skip
            column[:] = [slot for _, _, slot in sorted(zip(keys, count(), column, strict=False))]
        crossings = _crossings(columns)
        if crossings < fewest:
            best, fewest = [list(column) for column in columns], crossings
    columns[:] = best


def _towards(slot: Slot, near: Sequence[Slot]) -> list[Slot]:
    return slot.left if near and near[0].layer < slot.layer else slot.right


def _mean(values: Sequence[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


def _crossings(columns: Sequence[Sequence[Slot]]) -> int:
    """The number of arrow pairs that cross between adjacent columns: inversions of their ends."""
    total = 0
    for left, right in pairwise(columns):
        place = {id(slot): i for i, slot in enumerate(right)}
        seen: list[int] = []
        for slot in left:
            ends = sorted(place[id(s)] for s in slot.right)
            total += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return total


def settle(columns: Sequence[Sequence[Slot]]) -> None:
    """Move every slot towards the mean height of its neighbors, as far as the gaps allow."""
    for column in columns:
        _settle_one(column, [0.0] * len(column))
    for turn in range(ROUNDS):
        there = columns if turn % 2 == 0 else columns[::-1]
        for near, column in pairwise(there):
            wanted = [_mean([s.y for s in _towards(slot, near)], slot.y) for slot in column]
            _settle_one(column, wanted)


def _settle_one(column: Sequence[Slot], wanted: Sequence[float]) -> None:
    """Set the heights nearest to the ``wanted`` ones that keep the order and the gaps.

    Least squares under y[i+1] - y[i] ≥ distance: isotonic regression of ``wanted`` minus the
    distances, by pooling adjacent violators. Arrows weigh more, so that long ones are straight.
    """
    offsets = list(accumulate((_distance(a, b) for a, b in pairwise(column)), initial=0.0))
    pools: list[tuple[float, float, int]] = []  # (mean, weight, number of slots)
    for slot, want, offset in zip(column, wanted, offsets, strict=True):
        mean, weight, size = want - offset, 1.0 if slot.box is not None else 4.0, 1
        while pools and pools[-1][0] > mean:
            before, heavy, more = pools.pop()
            mean = (mean * weight + before * heavy) / (weight + heavy)
            weight, size = weight + heavy, size + more
        pools.append((mean, weight, size))
    settled = (mean for mean, _, size in pools for _ in range(size))
    for slot, base, offset in zip(column, settled, offsets, strict=True):
        slot.y = base + offset


def _distance(above: Slot, below: Slot) -> float:
    return (above.height + below.height) / 2 + GAP
