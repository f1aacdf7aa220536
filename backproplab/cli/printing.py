"""Tables and sentences as wide as the terminal, or whole in a pipe: the owner of rich's console."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace

from rich.console import Console
from rich.text import Text

from backproplab.layout import Column, entry, fit, hidden_line, joined, packed, paragraph

PLAIN_WIDTH = 1000  # of what goes to a file or a pipe: nothing is cut


class Output(Console):
    """Standard output; that its reader is gone is an error like any other, not exit code 1."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def console() -> Console:
    """Standard output; not squeezed to 80 columns where there is no terminal."""
    return Output(
        highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else PLAIN_WIDTH
    )


def width() -> int | None:
    """Of the terminal that stdout is; None for a file or a pipe: nothing is shortened there."""
    return console().width if sys.stdout.isatty() else None


def is_drawable(sign: str) -> bool:
    """Whether standard output's encoding has the sign; a curve that it lacks is left out."""
    try:
        sign.encode(sys.stdout.encoding or "utf-8")
    except UnicodeError:
        return False
    return True


def pieces(*parts: tuple[str, str]) -> None:
    """A line of (text, style)."""
    console().print(Text.assemble(*parts))


def heading(title: str, aside: str = "") -> None:
    """A title, and an aside after it or, where that is too long, below it."""
    room = width()
    if room is None or len(title) + len(aside) + 3 <= room:
        pieces((title, "bold"), (f"   {aside}" if aside else "", "dim"))
        return
    lines(paragraph(title, room), "bold")
    if aside:
        lines(paragraph(aside, room, "  ", 2), "dim")


def table(columns: Sequence[Column], hint: str = "") -> None:
    """A table that fits the terminal; the columns that do not are named below it."""
    hidden(grid(columns), hint)


def grid(columns: Sequence[Column]) -> Sequence[str]:
    """A table that fits the terminal; the heads of the columns that do not."""
    fitted = fit([_as_printed(column) for column in columns], width())
    out = console()
    for row in fitted.rows():
        line = Text.assemble(*row)
        line.rstrip()
        out.print(line)
    return fitted.hidden


def _as_printed(column: Column) -> Column:
    """The column with its signs as they are printed: ``+/-`` is wider than ±, and ✗ says no more
    than the word after it."""
    encoding, errors = sys.stdout.encoding or "utf-8", sys.stdout.errors or "strict"
    if is_drawable("±–"):
        return column
    head, *cells = (
        x.replace("✗ ", "").encode(encoding, errors).decode(encoding)
        for x in (column.head, *column.cells)
    )
    return replace(column, head=head, cells=cells)


def hidden(heads: Sequence[str], hint: str = "") -> None:
    """The columns that did not fit, by name."""
    lines(hidden_line(heads, width(), hint))


def lines(texts: Iterable[str], style: str = "") -> None:
    """Lines that are wrapped already."""
    for text in texts:
        console().print(Text(text, style=style))


def facts(texts: Sequence[str], label: str = "", indent: int = 2) -> None:
    """``label a · b · c``, wrapped between two of them."""
    lines(joined(texts, width(), label, indent))


def sentence(text: str, label: str = "", indent: int = 0) -> None:
    """A sentence, wrapped at spaces; no number is parted from its error or unit."""
    lines(paragraph(text, width(), label, indent))


def entries(pairs: Iterable[tuple[str, str]]) -> None:
    """A name on a line, and below it its whole value, wrapped at spaces."""
    for name, value in pairs:
        lines([name])
        lines(paragraph(value, width(), "    ", 4))


def command(label: str, text: str, indent: int = 10) -> None:
    """A command or a path after its label; on a line of its own if it does not fit."""
    lines(entry(label, text, width(), indent))


def values(label: str, texts: Sequence[str]) -> None:
    """Values after their label, each whole, wrapped between two of them."""
    lines(packed(texts, width(), label))


def printable(name: str) -> str:
    """A file's name that can neither break the line nor speak to the terminal."""
    return name if name.isprintable() else ascii(name)
