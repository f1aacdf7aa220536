"""Layout: where boxes, labels and arrows of a drawing go, in layers from left to right.

After Sugiyama, Tagawa and Toda 1981: layers, an order within each that crosses few arrows, then
heights that keep arrows straight. An arrow takes a slot of its own in every layer that it passes,
and every other layer is for labels only, so nothing can lie on anything else.

This file knows sizes and places, in pixels, and no format.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate, count, pairwise

from backproplab.explain.drawing import Drawing

LETTER, LINE = 7.9, 17.0  # a letter of the monospaced 13 px font, a line of text
PAD, GAP, MARGIN = 10.0, 16.0, 24.0  # in a box, between things, around all
REACH = 26.0  # between columns, where arrows bend
ROUNDS = 24

Point = tuple[float, float]


@dataclass
class Slot:
    """A place in a layer: of a box, or of an arrow that passes (``box`` is None)."""

    layer: int
    width: float
    height: float
    box: int | None = None
    y: float = 0.0
    left: list[Slot] = field(default_factory=list)
    right: list[Slot] = field(default_factory=list)


@dataclass(frozen=True)
class Rectangle:
    """Its center and its size."""

    x: float
    y: float
    width: float
    height: float

    def overlaps(self, other: Rectangle) -> bool:
        return (
            abs(self.x - other.x) < (self.width + other.width) / 2
            and abs(self.y - other.y) < (self.height + other.height) / 2
        )


@dataclass(frozen=True)
class Layout:
    """boxes: in the drawing's order. labels: the room of each arrow's label.
    routes: the points that each arrow goes through, from box to box."""

    boxes: list[Rectangle]
    labels: list[Rectangle]
    routes: list[list[Point]]
    width: float
    height: float


def arrange(drawing: Drawing) -> Layout:
    """Give every box, label and arrow its place."""
    layers = _layers(drawing)
    boxes = [
        Slot(
            2 * layer,
            max(map(len, box.lines)) * LETTER + 2 * PAD,
            len(box.lines) * LINE + 2 * PAD,
            number,
        )
        for number, (box, layer) in enumerate(zip(drawing.boxes, layers, strict=True))
    ]
    chains = [
        _chain(boxes[arrow.source], boxes[arrow.target], arrow.label) for arrow in drawing.arrows
    ]
    columns = _columns([*boxes, *(slot for chain in chains for slot in chain)])
    _order(columns)
    _heights(columns)
    return _places(boxes, chains, columns)


def _layers(drawing: Drawing) -> list[int]:
    """Each box as far left as its inputs allow; then leaves as far right as their first use."""
    layers = [0] * len(drawing.boxes)
    first_use: dict[int, int] = {}
    entered = {arrow.target for arrow in drawing.arrows}
    for arrow in sorted(drawing.arrows, key=lambda arrow: arrow.target):
        layers[arrow.target] = max(layers[arrow.target], layers[arrow.source] + 1)
    for arrow in drawing.arrows:
        use = layers[arrow.target] - 1
        first_use[arrow.source] = min(use, first_use.get(arrow.source, use))
    return [
        first_use.get(i, 0) if i not in entered else layer for i, layer in enumerate(layers)
    ]


def _chain(source: Slot, target: Slot, label: str) -> list[Slot]:
    """The slots that an arrow passes; the first holds its label, right behind the source."""
    chain = [
        Slot(
            layer,
            (len(label) + 2) * LETTER if label and layer == source.layer + 1 else 0.0,
            LINE if label and layer == source.layer + 1 else 0.0,
        )
        for layer in range(source.layer + 1, target.layer)
    ]
    path = [source, *chain, target]
    for left, right in pairwise(path):
        left.right.append(right)
        right.left.append(left)
    return chain


def _columns(slots: Sequence[Slot]) -> list[list[Slot]]:
    columns: list[list[Slot]] = [[] for _ in range(max(slot.layer for slot in slots) + 1)]
    for slot in slots:
        columns[slot.layer].append(slot)
    return columns


def _order(columns: list[list[Slot]]) -> None:
    """Sort each column by the mean place of its neighbors, to and fro; keep the best found."""
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
    """How many pairs of arrows cross between neighboring columns: inversions of their ends."""
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


def _heights(columns: Sequence[Sequence[Slot]]) -> None:
    """Move every slot towards the mean height of its neighbors, as far as the others allow."""
    for column in columns:
        _settle(column, [0.0] * len(column))
    for turn in range(ROUNDS):
        there = columns if turn % 2 == 0 else columns[::-1]
        for near, column in pairwise(there):
            wanted = [_mean([s.y for s in _towards(slot, near)], slot.y) for slot in column]
            _settle(column, wanted)


def _settle(column: Sequence[Slot], wanted: Sequence[float]) -> None:
    """The heights nearest to the ``wanted`` ones that keep the order and the gaps.

    Least squares under y[i+1] - y[i] ≥ distance: isotonic regression of what is wanted less the
    distances, by pooling adjacent violators. Arrows weigh more than boxes, so long ones are straight.
    """
    offsets = list(accumulate((_distance(a, b) for a, b in pairwise(column)), initial=0.0))
    pools: list[tuple[float, float, int]] = []  # (mean, weight, how many)
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


def _places(
    boxes: Sequence[Slot], chains: Sequence[Sequence[Slot]], columns: Sequence[Sequence[Slot]]
) -> Layout:
    """Columns as wide as their widest slot; all shifted to begin at the margin."""
    widths = [max((slot.width for slot in column), default=0.0) for column in columns]
    starts = list(accumulate((width + REACH for width in widths), initial=MARGIN))
    everything = [slot for column in columns for slot in column]
    top = min(slot.y - slot.height / 2 for slot in everything) - MARGIN
    bottom = max(slot.y + slot.height / 2 for slot in everything) + MARGIN

    def place(slot: Slot) -> Rectangle:
        x = starts[slot.layer] + widths[slot.layer] / 2
        return Rectangle(x, slot.y - top, slot.width, slot.height)

    def route(source: Slot, chain: Sequence[Slot], target: Slot) -> list[Point]:
        begin, end = place(source), place(target)
        passed = [
            (x, slot.y - top)
            for slot in chain
            for x in (starts[slot.layer], starts[slot.layer] + widths[slot.layer])
        ]
        return [(begin.x + begin.width / 2, begin.y), *passed, (end.x - end.width / 2, end.y)]

    return Layout(
        [place(slot) for slot in boxes],
        [place(chain[0]) for chain in chains],
        [route(chain[0].left[0], chain, chain[-1].right[0]) for chain in chains],
        starts[-1] - REACH + MARGIN,
        bottom - top,
    )
