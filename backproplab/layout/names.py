"""Names shortened in the middle: what tells them apart stays, numbers stay whole."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate

WIDE, NARROW = 24, 14  # letters of a shortened name: with room, and at least
SOLID = re.compile(r"[-+−]?[\d.,]+(e[-+]?\d+)?( ± .*)?|[-+]?inf|nan|–")  # a number: never shortened


def cells_of(text: str) -> int:
    """The number of terminal cells that a text takes."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return len(text) + wide - sum(unicodedata.combining(letter) > 0 for letter in text)


def middle(text: str, width: int, head: int | None = None, sign: str = "…") -> str:
    """A text shortened in the middle: a third of the room for its head, the rest for its tail.

    head: cells of the head instead of a third.
    """
    if cells_of(text) <= width:
        return text
    room = max(width - len(sign), 0)
    first = room // 3 if head is None else min(head, room)
    return (_start(text, first) + sign + _start(text[::-1], room - first)[::-1])[: max(width, 0)]


def _start(text: str, width: int) -> str:
    """The longest beginning that takes at most ``width`` cells."""
    ends = accumulate(cells_of(letter) for letter in text)
    return text[: sum(end <= width for end in ends)]


def shortened(texts: Sequence[str], width: int, sign: str = "…") -> list[str]:
    """Each text shortened in the middle; different texts stay different wherever that is possible.

    Numbers stay whole. The cut moves from a third of the width to where most texts differ. If one
    cut does not tell all apart, each text that is not yet unique keeps its part around the first
    letter in which it differs from the texts that it looks like.
    """
    long = dict.fromkeys(t for t in texts if cells_of(t) > width and not SOLID.fullmatch(t))
    third = max(width - len(sign), 0) // 3
    cuts = sorted(range(max(width - len(sign), 0) + 1), key=lambda cut: (abs(cut - third), cut))

    def at(cut: int) -> dict[str, str]:
        return {text: middle(text, width, cut, sign) for text in long}

    whole = set(texts) - long.keys()

    def different(found: dict[str, str]) -> int:
        return len(set(found.values()) - whole)

    found = at(third)
    for cut in cuts if different(found) < len(long) else ():
        if different(other := at(cut)) > different(found):
            found = other
        if different(found) == len(long):
            break
    if different(found) < len(long):
        found = _around_differences(found, width, sign)
    return [found.get(text, text) for text in texts]


def _around_differences(found: dict[str, str], width: int, sign: str) -> dict[str, str]:
    """Texts that look alike are shown around the letters in which they differ."""
    whole = _pieces(list(found), width, sign)
    if len(set(whole.values())) == len(found):
        return whole
    groups: dict[str, list[str]] = {}
    for text, short in found.items():
        groups.setdefault(short, []).append(text)
    result = dict(found)
    for alike in groups.values():
        if len(alike) > 1:
            result |= _pieces(alike, width, sign)
    return result


def _pieces(texts: Sequence[str], width: int, sign: str) -> dict[str, str]:
    """The letters in which texts differ, with as much around each as fits; else the first."""
    end = max(map(len, texts))
    columns = zip(*(text.ljust(end, "\0") for text in texts), strict=True)
    differing = [at for at, letters in enumerate(columns) if len(set(letters)) > 1]
    best = {text: middle(text, width, sign=sign) for text in texts}
    for places in (differing, differing[:1]):
        for around in range(end):
            kept = sorted({n for at in places for n in range(at - around, at + around + 1)})
            cut = {
                text: _kept(text, [n for n in kept if 0 <= n < len(text)], sign) for text in texts
            }
            if max(map(cells_of, cut.values())) > width:
                break
            best = cut
        if len(set(best.values())) == len(texts):
            break
    return best


def _kept(text: str, places: Sequence[int], sign: str) -> str:
    """The letters at these places, with the sign for each run of others."""
    letters, last = [], -1
    for at in places:
        letters.append(text[at] if at == last + 1 else sign + text[at])
        last = at
    return "".join(letters) + (sign if last < len(text) - 1 else "")
