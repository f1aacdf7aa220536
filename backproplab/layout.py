"""Tables, lists and bars of plain text that fit a terminal's width.

Numbers and status words are never cut or wrapped. When a table is too wide, heads take their short
form, names are shortened in the middle, then columns fall by rank; what fell is returned, so that
it can be named below the table. This file must not know what is shown, nor how it is styled.
"""

from __future__ import annotations

import math
import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate

GAP = "  "  # between two columns
WIDE, NARROW = 24, 14  # letters of a shortened name: with room, and at least
# the space between a number and its sign, error or unit: no line breaks there
JOINED = re.compile(
    r"(?<=[\d)]) (?=[±%×]|k?B\b|[MG]B\b|m?s\b|of \d)|(?<=[±×]) (?=\d)|(?<=\d of) (?=\d)"
)
SOLID = re.compile(r"[-+−]?[\d.,]+(e[-+]?\d+)?( ± .*)?|[-+]?inf|nan|–")  # a number: never shortened


@dataclass(frozen=True)
class Column:
    """cells: one for each row, in the table's order.

    short: a shorter head.  is_name: its texts may be shortened in the middle, all others never.
    rank: 0 never falls; of the others the largest falls first.  styles: one for each cell.
    """

    head: str
    cells: Sequence[str]
    right: bool = False
    short: str = ""
    is_name: bool = False
    rank: int = 0
    styles: Sequence[str] = ()

    @property
    def natural(self) -> int:
        return max(map(cells_of, [self.head, *self.cells]))

    def least(self, room: int) -> int:
        """The width if names get ``room``; a number never gets less than its own width."""
        if not self.is_name:
            return self.natural
        solid = [cells_of(text) for text in self.cells if SOLID.fullmatch(text)]
        return min(self.natural, max([room, *solid]))

    def at(self, width: int) -> Column:
        """The column with each text shortened to the width."""
        if not self.is_name or self.natural <= width:
            return self
        return replace(self, head=middle(self.head, width), cells=shortened(self.cells, width))


@dataclass(frozen=True)
class Table:
    """Columns that fit.  hidden: heads of those that do not."""

    columns: Sequence[Column]
    hidden: Sequence[str] = field(default=())

    @property
    def widths(self) -> list[int]:
        return [column.natural for column in self.columns]

    def rows(self) -> Iterator[list[tuple[str, str]]]:
        """(padded text, style) of each cell, the heads first; without spaces at a line's end."""
        count = max((len(column.cells) for column in self.columns), default=0)
        for at in range(-1 if self.columns else 0, count):
            row = []
            for number, (column, width) in enumerate(zip(self.columns, self.widths, strict=True)):
                text = column.head if at < 0 else column.cells[at]
                style = "bold" if at < 0 else column.styles[at] if column.styles else ""
                fill = " " * (width - cells_of(text))
                last = number == len(self.columns) - 1
                padded = fill + text if column.right else text if last else text + fill
                row.append((padded if last else padded + GAP, style))
            yield row

    def lines(self) -> list[str]:
        return ["".join(text for text, _ in row).rstrip() for row in self.rows()]


def fit(columns: Sequence[Column], width: int | None) -> Table:
    """The columns as they fit ``width``; None: nothing is shortened, and none falls."""
    columns = [column for column in columns if column.cells]
    if width is None or _total([column.natural for column in columns]) <= width:
        return Table(columns)
    ranks = sorted({column.rank for column in columns})
    for heads, room in ((False, WIDE), (True, WIDE), (True, NARROW)):
        given = [_short_head(column) for column in columns] if heads else list(columns)
        kept = _chosen(given, [rank for rank in ranks if rank <= 1], width, room)
        if all(column.rank > 1 or column in kept for column in given):
            break
    kept = _chosen(given, ranks, width, room)
    hidden = [old.head for old, new in zip(columns, given, strict=True) if new not in kept]
    if heads:  # a head is whole again where that costs nothing
        pairs = [(old, new) for old, new in zip(columns, given, strict=True) if new in kept]
        kept = [old if old.natural == new.natural else new for old, new in pairs]
    return Table(_filled(kept, width, room), hidden)


def _short_head(column: Column) -> Column:
    return replace(column, head=column.short or column.head)


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _chosen(columns: Sequence[Column], ranks: Sequence[int], width: int, room: int) -> list[Column]:
    """The columns that fit, by rank and then from left to right."""
    kept: list[Column] = []
    for rank in ranks:
        for column in columns:
            if column.rank == rank:
                wanted = _total([each.least(room) for each in [*kept, column]])
                kept += [column] if not rank or wanted <= width else []
    return [column for column in columns if any(column is each for each in kept)]


def _filled(columns: Sequence[Column], width: int, room: int) -> list[Column]:
    """Names get the room that is left, the shortest first."""
    widths = [column.least(room) for column in columns]
    least = [column.least(1) for column in columns]
    while _total(widths) > width and any(w > low for w, low in zip(widths, least, strict=True)):
        longest = max(range(len(widths)), key=lambda at: (widths[at] > least[at], widths[at]))
        widths[longest] -= 1
    free = width - _total(widths)
    while free > 0:
        short = [at for at, c in enumerate(columns) if widths[at] < c.natural]
        if not short:
            break
        at = min(short, key=lambda at: columns[at].natural - widths[at])
        more = min(free, columns[at].natural - widths[at])
        widths[at], free = widths[at] + more, free - more
    return [column.at(width) for column, width in zip(columns, widths, strict=True)]


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


def paragraph(text: str, width: int | None, label: str = "", indent: int = 0) -> list[str]:
    """A sentence in lines that fit, wrapped at spaces only. label: before the first line."""
    start = f"{label:<{indent}}" if indent else label
    if width is None:
        return [start + text]
    wrapper = textwrap.TextWrapper(
        width, initial_indent=start, subsequent_indent=" " * indent,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    joined = JOINED.sub("\N{NO-BREAK SPACE}", text)
    return [line.replace("\N{NO-BREAK SPACE}", " ") for line in wrapper.wrap(joined)] or [start]


def entry(label: str, text: str, width: int | None, indent: int = 10) -> list[str]:
    """A command or a path with its label: whole, on a line of its own if it does not fit."""
    if width is None or indent + cells_of(text) <= width:
        return [f"{label:<{indent}}{text}"]
    return [label, f"  {text}"]


def hidden_line(hidden: Sequence[str], width: int | None, hint: str = "") -> list[str]:
    """The line below a table that names the columns that fell."""
    text = f"not shown at this width: {', '.join(hidden)}"
    return paragraph(text + (f" ({hint})" if hint else ""), width) if hidden else []


def listed(items: Iterable[str], width: int, gap: str = "   ") -> str:
    """Items of falling importance while they fit, each whole; ``+4`` counts those that do not."""
    texts = list(items)
    for count in range(len(texts), 0, -1):
        rest = [f"+{len(texts) - count}"] if count < len(texts) else []
        line = gap.join([*texts[:count], *rest])
        if cells_of(line) <= width:
            return line
    return f"+{len(texts)}" if texts else ""


def packed(texts: Sequence[str], width: int | None, label: str, gap: str = GAP) -> list[str]:
    """Texts after a label in lines that fit, each text whole; later lines are indented as far."""
    lines = [label]
    for at, text in enumerate(texts):
        piece = text if at == 0 else gap + text
        if at and width is not None and cells_of(lines[-1] + piece) > width:
            lines.append(" " * cells_of(label) + text)
        else:
            lines[-1] += piece
    return lines


def bar(share: float, width: int) -> str:
    """A bar of ``width`` cells, filled up to ``share``."""
    filled = min(max(int(share * width), 0), width)
    return "━" * filled + "─" * (width - filled)


def progress_line(before: str, share: float, after: str, width: int, least: int = 8) -> str:
    """``before ━━━── after``: the bar takes the room that the texts leave; they are never cut.

    Without room for ``least`` cells there is no bar.
    """
    room = width - cells_of(before) - cells_of(after) - 2
    return f"{before} {bar(share, room)} {after}" if room >= least else f"{before} {after}"


def duration(seconds: float | None) -> str:
    """``<1 s left``, ``9 m 10 s left``; empty while it is unknown."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    if seconds < 1:
        return "<1 s left"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [f"{hours} h {minutes} m"] if hours else [f"{minutes} m {rest} s"] if minutes else []
    return f"{(parts or [f'{rest} s'])[0]} left"
