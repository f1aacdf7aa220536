"""Grouping: parts that walk the same rows are played strip by strip.

A strip's numbers stay in the cache from one part to the next, and what only these parts use never
leaves it. Parts pass each other only where they have no memory in common.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd, inf

from numpy.lib.array_utils import byte_bounds

from backproplab.arrays import Array
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.strips import (
    Operand,
    Stripped,
    Strips,
    first_strip,
    is_large,
    operands_of,
    units,
    walked,
)

STRIP, LONGEST = 2**15, 2**18  # bytes from strip to strip: those aimed at, and most
FEWEST = 2  # strips of a part that has only short ones, so that threads can share them
NEAR = 32  # parts that are looked at for a group
Parts = Sequence[tuple[Part, int]]  # with the number of the call that each belongs to


def in_strips(
    parts: Parts,
    scratch: Sequence[Array] = (),
    until: float = inf,
    fixed: Sequence[int] = (),
    least: int = 2,
) -> list[tuple[Part | Strips, int]]:
    """The parts, those that can be in strips, with the number of a call each.

    scratch: memory that nothing reads from the call of the number ``until`` on.
    fixed: addresses of operands that move from round to round.
    least: parts that are worth strips.
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
        made += [*before, (_strips(group, count, later, scratch, until), group[0].number)]
        rest = list(later)
    return made


def _count(parts: Sequence[Part]) -> int:
    """The number of strips that suits the first part and as many of the others as possible; 0 if
    there is none."""
    whole, largest, count = 0, 0, 0
    for part in parts:
        common, most = gcd(whole, units(part)), max(largest, walked(part))
        numbers = range(2, max(most // STRIP, FEWEST) + 1)
        found = max((n for n in numbers if common % n == 0), default=0)
        if found and most // found <= LONGEST:
            whole, largest, count = common, most, found
    return count


def _gathered(
    parts: Parts, count: int, fixed: Sequence[int]
) -> tuple[Parts, list[Stripped], Parts]:
    """Parts to be played before a group of strips, the group, and those to be played after it."""
    before, later, group = list[tuple[Part, int]](), list[tuple[Part, int]](), list[Stripped]()
    inside, waiting = list[Operand](), list[Operand]()
    for place, (part, number) in enumerate(parts):
        own = operands_of(part)
        free = bool(own) and not _meet(own, waiting)
        fits = is_large(part, fixed) and units(part) % count == 0
        fits = fits and walked(part) // count <= LONGEST
        strip = first_strip(part, number, count) if fits and free else None
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


def _strips(
    group: Sequence[Stripped], count: int, rest: Parts, scratch: Sequence[Array], until: float
) -> Strips:
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
            if x.overlaps(made) and (n > place or k == len(one.operands) - 1)
        ]
        if any(not (made.low <= x.low and x.high <= made.high) for *_, x in uses):
            continue
        if not _is_dead(made, rest, until):
            continue
        for n, k, _ in uses:
            offset = address_of(group[n].part.views[k]) - made.low
            found[n][k] = len(memory), offset
        memory.append(made)
    return Strips(group, count, found, [x.high - x.low for x in memory])


def _is_filled(one: Stripped) -> bool:
    """Whether the part writes each byte of its result, and reads none but where it writes."""
    *inputs, made = one.operands
    whole = one.part.arrays[-1].nbytes == made.end - made.low
    return whole and all(x[:2] == made[:2] for x in inputs if x.overlaps(made))


def _is_dead(made: Operand, rest: Parts, until: float) -> bool:
    """Whether what follows reads nothing there but what it has written itself."""
    filled = list[Operand]()
    for part, number in rest:
        if number >= until:
            continue
        if not part.arrays:
            return False
        used = operands_of(part)
        *inputs, last = used if used[-1].written else [*used, made._replace(low=0, high=0)]
        for x in inputs:
            if x.overlaps(made) and not any(own.has(x) for own in filled):
                return False
        if last.overlaps(made) and part.arrays[-1].nbytes == last.end - last.low:
            if last.has(made):
                return True
            filled.append(last)
    return True
