"""Layout: the positions of a drawing's boxes, labels and arrows, in layers from left to right.

Method of Sugiyama, Tagawa and Toda 1981: choose layers, order each layer for few crossings, then
choose heights that keep arrows straight. An arrow takes a slot in every layer that it passes, and
every second layer holds labels only, so nothing overlaps.

Sizes and positions are in pixels. This file knows no output format.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from backproplab.explain.boxes import set_box, set_label
from backproplab.explain.columns import Slot, order, settle
from backproplab.explain.drawing import Drawing

MARGIN = 30.0  # around the drawing
REACH = 46.0  # between columns, where arrows bend
FRAME = 8.0  # around a label
PORT = 26.0  # between two arrows at one side of a box, at most

Point = tuple[float, float]


@dataclass(frozen=True)
class Rectangle:
    """A rectangle by its center and size."""

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
    """A rectangle for each box and each arrow's label, in the drawing's order.

    routes: the points that each arrow passes, from box to box.
    """

    boxes: list[Rectangle]
    labels: list[Rectangle]
    routes: list[list[Point]]
    width: float
    height: float


def arrange(drawing: Drawing) -> Layout:
    """The positions of all boxes, labels and arrows."""
    layers = _layers(drawing)
    sizes = [set_box(box) for box in drawing.boxes]
    boxes = [
        Slot(2 * layer, size.width, size.height, number)
        for number, (size, layer) in enumerate(zip(sizes, layers, strict=True))
    ]
    chains = [
        _chain(boxes[arrow.source], boxes[arrow.target], arrow.label) for arrow in drawing.arrows
    ]
    columns = _columns([*boxes, *(slot for chain in chains for slot in chain)])
    order(columns)
    settle(columns)
    return _places(boxes, chains, columns)


def _layers(drawing: Drawing) -> list[int]:
    """The layer of each box: as far left as inputs allow; leaves just before their first use."""
    layers = [0] * len(drawing.boxes)
    first_use: dict[int, int] = {}
    entered = {arrow.target for arrow in drawing.arrows}
    for arrow in sorted(drawing.arrows, key=lambda arrow: arrow.target):
        layers[arrow.target] = max(layers[arrow.target], layers[arrow.source] + 1)
    for arrow in drawing.arrows:
        use = layers[arrow.target] - 1
        first_use[arrow.source] = min(use, first_use.get(arrow.source, use))
    return [first_use.get(i, 0) if i not in entered else layer for i, layer in enumerate(layers)]


def _chain(source: Slot, target: Slot, label: str) -> list[Slot]:
    """The slots that an arrow passes; the first, right after the source, holds its label."""
    chain = [Slot(layer, 0.0, 0.0) for layer in range(source.layer + 1, target.layer)]
    if label:
        line = set_label(label)
        chain[0].width = line.width + 2 * FRAME
        chain[0].height = line.ascent + line.descent + 10
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


def _places(
    boxes: Sequence[Slot], chains: Sequence[Sequence[Slot]], columns: Sequence[Sequence[Slot]]
) -> Layout:
    """The layout in pixels: columns as wide as their widest slot, all starting at the margin."""
    widths = [max((slot.width for slot in column), default=0.0) for column in columns]
    starts = list(accumulate((width + REACH for width in widths), initial=MARGIN))
    everything = [slot for column in columns for slot in column]
    top = min(slot.y - slot.height / 2 for slot in everything) - MARGIN
    bottom = max(slot.y + slot.height / 2 for slot in everything) + MARGIN

    def rectangle(slot: Slot) -> Rectangle:
        x = starts[slot.layer] + widths[slot.layer] / 2
        return Rectangle(x, slot.y - top, slot.width, slot.height)

    leaving, arriving = _ports(chains, 0), _ports(chains, -1)

    def route(number: int, chain: Sequence[Slot]) -> list[Point]:
        begin, end = rectangle(chain[0].left[0]), rectangle(chain[-1].right[0])
        passed = [
            (x, slot.y - top)
            for slot in chain
            for x in (starts[slot.layer], starts[slot.layer] + widths[slot.layer])
        ]
        first = begin.x + begin.width / 2, begin.y + leaving[number]
        return [first, *passed, (end.x - end.width / 2, end.y + arriving[number])]

    return Layout(
        [rectangle(slot) for slot in boxes],
        [rectangle(chain[0]) for chain in chains],
        [route(number, chain) for number, chain in enumerate(chains)],
        starts[-1] - REACH + MARGIN,
        bottom - top,
    )


def _ports(chains: Sequence[Sequence[Slot]], end: int) -> dict[int, float]:
    """How far from its box's middle each arrow begins (end 0) or ends (-1): in the order of their
    next slots, so that they do not cross."""
    found: dict[int, float] = {}
    sides: dict[int, list[int]] = {}
    box = [chain[0].left[0] if end == 0 else chain[-1].right[0] for chain in chains]
    for number, slot in enumerate(box):
        sides.setdefault(id(slot), []).append(number)
    for numbers in sides.values():
        numbers.sort(key=lambda number: chains[number][end].y)
        height = box[numbers[0]].height
        step = min(PORT, 0.8 * height / len(numbers))
        for place, number in enumerate(numbers):
            found[number] = (place - (len(numbers) - 1) / 2) * step
    return found
