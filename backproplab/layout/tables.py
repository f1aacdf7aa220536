"""Tables that fit: heads take their short form, names are shortened, then columns fall by rank.

What fell is returned, so that it can be named below the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from backproplab.layout.lines import GAP
from backproplab.layout.names import NARROW, SOLID, WIDE, cells_of, middle, shortened

MARK = "bold green"  # the style of a marked letter


@dataclass(frozen=True)
class Column:
    """cells: one for each row, in the table's order.

    short: a shorter head.  is_name: its texts may be shortened in the middle, all others never.
    rank: 0 never falls; of the others the largest falls first.  styles: one for each cell.
    marks: for each cell the letter that stands out, as the best epoch in a curve; None for none.
    """

    head: str
    cells: Sequence[str]
    right: bool = False
    short: str = ""
    is_name: bool = False
    rank: int = 0
    styles: Sequence[str] = ()
    marks: Sequence[int | None] = ()

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
        """(padded text, style) of the parts of each cell, the heads first; without spaces at a
        line's end."""
        count = max((len(column.cells) for column in self.columns), default=0)
        for at in range(-1 if self.columns else 0, count):
            row = []
            for number, (column, width) in enumerate(zip(self.columns, self.widths, strict=True)):
                text = column.head if at < 0 else column.cells[at]
                style = "bold" if at < 0 else column.styles[at] if column.styles else ""
                fill = " " * (width - cells_of(text))
                last = number == len(self.columns) - 1
                padded = fill + text if column.right else text if last else text + fill
                mark = column.marks[at] if column.marks and at >= 0 else None
                row += _parts(padded if last else padded + GAP, style, mark)
            yield row

    def lines(self) -> list[str]:
        return ["".join(text for text, _ in row).rstrip() for row in self.rows()]


def _parts(text: str, style: str, mark: int | None) -> list[tuple[str, str]]:
    """A cell, in three parts if one of its letters is marked."""
    if mark is None:
        return [(text, style)]
    return [(text[:mark], style), (text[mark], MARK), (text[mark + 1 :], style)]


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


def aligned(texts: Sequence[str]) -> list[str]:
    """Numbers padded so that decimal points, and signs ± after them, stand below each other.

    Numbers with an exponent and texts without digits stay as they are, for a right-aligned column.
    """
    parts = [_number_parts(text) for text in texts]
    widths = [max((len(p[at]) for p in parts if p), default=0) for at in range(4)]
    return [
        p[0].rjust(widths[0]) + "".join(x.ljust(w) for x, w in zip(p[1:], widths[1:], strict=True))
        if p
        else text
        for p, text in zip(parts, texts, strict=True)
    ]


def _number_parts(text: str) -> tuple[str, ...] | None:
    """(before the point, from it on, ± and what is before its point, the rest) of ``1.2 ± 0.3``."""
    if "e" in text or not any(map(str.isdecimal, text)):
        return None
    mean, sign, error = text.partition(" ± ")
    whole, point, decimals = mean.partition(".")
    return whole, point + decimals, sign, error
