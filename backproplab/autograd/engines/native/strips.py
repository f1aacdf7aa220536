"""Strips: parts that walk the same rows are played strip by strip, with the bits of one by one.

A strip's numbers stay in the cache from one part to the next, and what only these parts use never
leaves it. Nothing is reordered within a row, nor in a sum over rows, which takes the strips in
their order. This file knows which memory a part reads and writes, and not what it computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd
from typing import NamedTuple

import numpy as np
from numpy.lib.array_utils import byte_bounds

from backproplab.arrays import Array, aligned
from backproplab.autograd.engines.native.part import Part, address_of

LARGE = 2**17  # bytes of an operand from which a part is played in strips
STRIP, LONGEST = 2**15, 2**18  # bytes from strip to strip: those aimed at, and most
FEWEST = 2  # strips of a part that has only short ones, so that threads can share them
NEAR = 32  # parts that are looked at for a group
ENTRIES = 64  # unit of a strip of a row: whole vectors, so that no loop ends in another way
Parts = Sequence[tuple[Part, int]]  # with the number of the call that each belongs to


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

    def meets(self, other: Operand) -> bool:
        """Whether one of them writes what the other one uses."""
        writes = self.written or other.written
        return writes and self.low < other.end and other.low < self.end

    def keeps(self, other: Operand) -> bool:
        """Whether a strip of one has nothing that is in another strip of the other."""
        span = max(self.high, other.high) - min(self.low, other.low)
        return self.step == other.step and span <= self.step


class Stripped(NamedTuple):
    """A part's first strip.  steps: of each view, bytes from one strip to the next."""

    whole: Part
    part: Part
    steps: Sequence[int]
    operands: Sequence[Operand]
    number: int

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


def in_strips(
    parts: Parts, scratch: Sequence[Array], fixed: Sequence[int] = (), least: int = 2
) -> list[tuple[Part | Strips, int]]:
    """The parts, those that can be in strips, with the number of a call each.

    scratch: memory that nothing reads after the parts.  fixed: addresses of operands that move
    from round to round.  least: parts that are worth strips.
    """
    if not any(is_large(part, fixed) for part, _ in parts):
        return list(parts)
    rest, made = list(parts), list[tuple[Part | Strips, int]]()
    while rest:
        count = 0
        if is_large(rest[0][0], fixed):
            count = _count([part for part, _ in rest[:NEAR] if is_large(part, fixed)])
        before, group, later = _gathered(rest, count, fixed) if count else ([], [], rest)
        if len(group) < least:
            made.append(rest.pop(0))
            continue
        own = _count([one.whole for one in group])  # more of them, where only these matter
        if own > count:
            count, (before, group, later) = own, _gathered(rest, own, fixed)
        made += [*before, (_strips(group, count, later, scratch), group[0].number)]
        rest = list(later)
    return made


def is_large(part: Part, fixed: Sequence[int]) -> bool:
    """Whether the part can be in strips, and is worth it."""
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


def _count(parts: Sequence[Part]) -> int:
    """The number of strips that suits the first part and as many of the others as possible; 0 if
    there is none."""
    whole, largest, count = 0, 0, 0
    for part in parts:
        common, most = gcd(whole, units(part)), max(largest, _walked(part))
        numbers = range(2, max(most // STRIP, FEWEST) + 1)
        found = max((n for n in numbers if common % n == 0), default=0)
        if found and most // found <= LONGEST:
            whole, largest, count = common, most, found
    return count


def _walked(part: Part) -> int:
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


def _gathered(
    parts: Parts, count: int, fixed: Sequence[int]
) -> tuple[Parts, list[Stripped], Parts]:
    """Parts to be played before a group of strips, the group, and those to be played after it."""
    before, later, group = list[tuple[Part, int]](), list[tuple[Part, int]](), list[Stripped]()
    inside, waiting = list[Operand](), list[Operand]()
    for place, (part, number) in enumerate(parts):
        own = [_whole(x, part, k) for k, x in enumerate(part.arrays)]
        free = bool(own) and not _meet(own, waiting)
        fits = is_large(part, fixed) and units(part) % count == 0
        fits = fits and _walked(part) // count <= LONGEST
        strip = _first(part, number, count) if fits and free else None
        if strip and all(x.keeps(y) for x in strip.operands for y in inside if x.meets(y)):
            group.append(strip)
            inside += strip.operands
        elif fits or not own or part.ends:
            return before, group, [*later, *parts[place:]]
        elif free and not is_large(part, fixed) and not _meet(own, inside):
            before.append((part, number))
        else:
            later.append((part, number))
            waiting += own
    return before, group, later


def _meet(some: Sequence[Operand], others: Sequence[Operand]) -> bool:
    return any(x.meets(y) for x in some for y in others)


def _bytes(x: Array) -> int:
    low, high = byte_bounds(x)
    return high - low


def _whole(x: Array, part: Part, k: int) -> Operand:
    written = {n % len(part.arrays) for n in part.written}
    return Operand(*byte_bounds(x), k in written)


def _first(part: Part, number: int, count: int) -> Stripped:
    """The part's first of so many strips."""
    rows = _length(part) // count
    steps = [step * rows for step in _steps(part)]
    if part.views[0].ndim:
        first = part._replace(views=[x[:rows] for x in part.views])
    else:
        axis = (part.rows or (0,))[0]
        lengths = *part.lengths[:axis], rows, *part.lengths[axis + 1 :]
        first = part._replace(lengths=lengths)
    operands = [
        own._replace(high=own.high - step * (count - 1), step=step, total=count)
        for k, (x, step) in enumerate(zip(part.arrays, steps, strict=True))
        for own in [_whole(x, part, k)]
    ]
    return Stripped(part, first, steps, operands, number)


def _strips(group: Sequence[Stripped], count: int, rest: Parts, scratch: Sequence[Array]) -> Strips:
    """The group, with memory of a strip's own for what nothing reads after it."""
    found: list[dict[int, tuple[int, int]]] = [{} for _ in group]
    memory: list[Operand] = []
    blocks = [byte_bounds(x) for x in scratch]
    for place, one in enumerate(group):
        made = one.operands[-1]
        if one.sums or len(one.part.views) - 1 in found[place] or not _is_filled(one):
            continue
        if not any(low <= made.low and made.end <= high for low, high in blocks):
            continue
        uses = [
            (n, k, x)
            for n, other in enumerate(group[place:], place)
            for k, x in enumerate(other.operands)
            if x.low < made.end and made.low < x.end and (n > place or k == len(one.operands) - 1)
        ]
        if any(not (made.low <= x.low and x.high <= made.high) for *_, x in uses):
            continue
        if not _is_dead(made, rest):
            continue
        for n, k, _ in uses:
            offset = address_of(group[n].part.views[k]) - made.low
            found[n][k] = len(memory), offset
        memory.append(made)
    return Strips(group, count, found, [x.high - x.low for x in memory])


def _is_filled(one: Stripped) -> bool:
    """Whether the part writes each byte of its result, and does not read it."""
    made, whole = one.operands[-1], one.part.arrays[-1]
    reads = any(x.low < made.end and made.low < x.end for x in one.operands[:-1])
    in_place = [x for x in one.operands[:-1] if x[:2] == made[:2]]
    return whole.nbytes == made.end - made.low and (not reads or bool(in_place))


def _is_dead(made: Operand, rest: Parts) -> bool:
    """Whether what follows reads nothing there but what it has written itself."""
    filled = list[Operand]()
    for part, _ in rest:
        if not part.arrays:
            return False
        *inputs, last = [_whole(x, part, k) for k, x in enumerate(part.arrays)]
        for x in inputs:
            known = any(own.low <= x.low and x.end <= own.end for own in filled)
            if not known and x.low < made.end and made.low < x.end:
                return False
        if last.written and part.arrays[-1].nbytes == last.end - last.low:
            if last.low <= made.low and made.end <= last.end:
                return True
            filled.append(last)
    return True
