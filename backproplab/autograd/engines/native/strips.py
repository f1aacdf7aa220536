"""Strips: the rows of parts, some at a time, with the bits of all at once.

What one strip of a part reads and writes, by address. Nothing is reordered within a row, nor in a
sum over rows, which takes the strips in their order. This file must not know what is computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from backproplab.arrays import Array, aligned
from backproplab.autograd.engines.native.part import Part, address_of

LARGE = 2**17  # bytes of an operand from which a part is played in strips
EACH = 4  # strips of a thread, of a part that is shared alone: one that comes late takes fewer
ENTRIES = 64  # unit of a strip of a row: whole vectors, so that no loop ends in another way


class Operand(NamedTuple):
    """Bytes from low to high, of which each strip has its own if ``step`` is not 0: those from one
    strip to the next. high: of the first strip."""

    low: int
    high: int
    written: bool
    step: int = 0
    total: int = 1

    @property
    def end(self) -> int:
        """Of the last strip."""
        return self.high + self.step * (self.total - 1)

    def overlaps(self, other: Operand) -> bool:
        return self.low < other.end and other.low < self.end

    def has(self, other: Operand) -> bool:
        return self.low <= other.low and other.end <= self.end

    def meets(self, other: Operand) -> bool:
        """Whether one of them writes what the other one uses."""
        return (self.written or other.written) and self.overlaps(other)

    def keeps(self, other: Operand) -> bool:
        """Whether a strip of one has nothing that is in another strip of the other."""
        span = max(self.high, other.high) - min(self.low, other.low)
        return self.step == other.step and span <= self.step


class Stripped(NamedTuple):
    """A part's first strip.  steps: of each view, bytes from one strip to the next.

    last: lengths of the last strip; empty if they are those of the others.
    """

    whole: Part
    part: Part
    steps: Sequence[int]
    operands: Sequence[Operand]
    number: int
    last: Sequence[int] = ()

    @property
    def sums(self) -> bool:
        """Whether each strip adds to what the one before it has left."""
        return any(x.written and not x.step for x in self.operands)


class Strips(NamedTuple):
    """Parts that are played strip by strip.

    total: strips.
    scratch: of each part, the strip's own memory of views that nothing else uses, by their number:
        which memory, and the bytes from its beginning.
    sizes: in bytes, of the memory of a strip.
    """

    parts: Sequence[Stripped]
    total: int
    scratch: Sequence[dict[int, tuple[int, int]]]
    sizes: Sequence[int]

    def on_its_own(self) -> list[Part]:
        """The parts on scratch memory of their own, which each thread needs."""
        memory = [aligned((size,)) for size in self.sizes]
        return [
            one.part._replace(
                views=[
                    _moved(x, memory[own[k][0]], own[k][1]) if k in own else x
                    for k, x in enumerate(one.part.views)
                ],
                kept=(one.part.kept, memory),
            )
            for one, own in zip(self.parts, self.scratch, strict=True)
        ]


def _moved(x: Array, memory: Array, offset: int) -> Array:
    return np.ndarray(x.shape, x.dtype, memory.data, offset, x.strides)


def is_large(part: Part, fixed: Sequence[int]) -> bool:
    """Whether the part can be in strips, and has enough bytes to gain time in them."""
    if part.rows is None or not part.arrays or not units(part):
        return False
    if any(address_of(x) in fixed for x in part.views) or min(_steps(part)) < 0:
        return False
    return max(_bytes(x) for x in part.arrays) >= LARGE


def units(part: Part) -> int:
    """The number of the equal units of which strips are made; 0 if there are none."""
    first = part.views[0]
    if first.ndim > 1 or (first.ndim and part.lengths):
        return len(first)
    if first.ndim:
        return 0 if len(first) % ENTRIES else len(first) // ENTRIES
    if not part.rows:
        return 0
    axis, unit, *_ = part.rows
    return 0 if part.lengths[axis] % unit else part.lengths[axis] // unit


def walked(part: Part) -> int:
    """The bytes from the first to the last strip, of the operand where they are most."""
    return max(_steps(part)) * _length(part)


def _steps(part: Part) -> list[int]:
    """Of each view, the bytes from one row to the next."""
    return [x.strides[0] for x in part.views] if part.views[0].ndim else list((part.rows or ())[2:])


def _length(part: Part) -> int:
    """The number of rows."""
    if part.views[0].ndim:
        return len(part.views[0])
    assert part.rows
    return part.lengths[part.rows[0]]


def _bytes(x: Array) -> int:
    low, high = byte_bounds(x)
    return high - low


def operands_of(part: Part) -> list[Operand]:
    """Of all rows; none if they are not known."""
    written = [part.arrays[n] for n in part.written] if part.arrays else []
    return [Operand(*byte_bounds(x), any(x is y for y in written)) for x in part.arrays]


def first_strip(part: Part, number: int, count: int) -> Stripped:
    """The first strip of the part, of ``count`` equal ones."""
    rows = _length(part) // count
    steps = [step * rows for step in _steps(part)]
    if part.views[0].ndim:
        first = part._replace(views=[x[:rows] for x in part.views])
    else:
        first = part.with_length((part.rows or (0,))[0], rows)
    operands = [
        x._replace(high=x.high - step * (count - 1), step=step, total=count)
        for x, step in zip(operands_of(part), steps, strict=True)
    ]
    return Stripped(part, first, steps, operands, number)


def shared(part: Part, threads: int) -> Strips | None:
    """The part alone in strips, several for each thread; the last strip may be shorter.

    None if the part cannot be shared, or is small.
    """
    if not part.shares or max(map(_bytes, part.arrays)) < LARGE:
        return None
    axis, unit, *steps = part.shares
    length = part.lengths[axis]
    rows = -(-length // (EACH * threads * unit)) * unit
    count = -(-length // rows)
    last = part.with_length(axis, length - rows * (count - 1)).lengths
    first = part.with_length(axis, rows)
    strip = Stripped(part, first, [step * rows for step in steps], (), 0, last)
    return Strips([strip], count, [{}], []) if count > 1 else None
