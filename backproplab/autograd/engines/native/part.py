"""Part: one loop on fixed arrays, of which the calls of a tape are made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Loop


class Part(NamedTuple):
    """A loop on views: the last axis is the loop's if ``lengths`` is empty, and the others are
    around it; else all axes are around it.

    kept: what must live as long as the part.
    ways: loops of our own that may have the same bits, this one and the next ones.
    arrays: the whole operands, of which the views are corners; empty if they are not known.
    written: which of them are written.
    rows: how it can be played in strips, with the same bits: by the first of the axes of its
        views, where they have one, and ``rows`` is empty; else the number of a length, the unit
        of its parts, and of each view the bytes from one to the next. None if it cannot.
    shares: how threads can share it where it is played alone, as ``rows`` with numbers; its last
        part may be a shorter one. Empty if they cannot.
    ends: whether it may end the playing.
    signed: their trial is also about the sign of NaN.
    """

    loop: Loop
    views: Sequence[Array]
    lengths: tuple[int, ...] = ()
    strides: tuple[int, ...] = ()
    kept: Any = None
    ways: int = 0
    arrays: Sequence[Array] = ()
    written: Sequence[int] = (-1,)
    rows: tuple[int, ...] | None = None
    shares: tuple[int, ...] = ()
    ends: bool = False
    signed: bool = False

    def with_length(self, axis: int, length: int) -> Part:
        """The part with another number of a length."""
        return self._replace(lengths=(*self.lengths[:axis], length, *self.lengths[axis + 1 :]))


def address_of(x: Array) -> int:
    address: int = x.__array_interface__["data"][0]
    return address
