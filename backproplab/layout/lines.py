"""Sentences, commands, lists and bars in lines of a given width."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterable, Sequence

from backproplab.layout.names import cells_of

GAP = "  "  # between two texts
# the space between a number and its sign, error or unit: no line breaks there
JOINED = re.compile(
    r"(?<=[\d)]) (?=[±%×]|k?B\b|[MG]B\b|m?s\b|of \d)|(?<=[±×]) (?=\d)|(?<=\d of) (?=\d)"
)


def paragraph(text: str, width: int | None, label: str = "", indent: int = 0) -> list[str]:
    """A sentence in lines that fit, wrapped at spaces only. label: before the first line."""
    start = f"{label:<{indent}}" if indent else label
    if width is None:
        return [start + text.replace("\N{NO-BREAK SPACE}", " ")]
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
    text = f"{', '.join(hidden)} (too narrow{f'; {hint}' if hint else ''})"
    return paragraph(text, width, "hidden", 8) if hidden else []


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


def joined(texts: Sequence[str], width: int | None, label: str = "", indent: int = 2) -> list[str]:
    """``label a · b · c`` in lines that fit, each text whole."""
    lines = [label]
    for at, text in enumerate(texts):
        piece = text if at == 0 else f" · {text}"
        if at and width is not None and cells_of(lines[-1] + piece) > width:
            lines.append(" " * indent + text)
        else:
            lines[-1] += piece
    return lines


def bar(share: float, width: int, under_way: float = 0.0) -> str:
    """A bar of ``width`` cells, filled up to ``share``, and dashed for what is under way."""
    filled = min(max(int(share * width), 0), width)
    dashed = min(max(round(under_way * width), 0), width - filled)
    return "━" * filled + "╍" * dashed + "─" * (width - filled - dashed)


def progress_line(
    before: str, share: float, after: str, width: int, least: int = 8, under_way: float = 0.0
) -> str:
    """``before ━━━╍── after``: the bar takes the room that the texts leave; they are never cut.

    Without room for ``least`` cells there is no bar.
    """
    room = width - cells_of(before) - cells_of(after) - 2
    if room < least:
        return f"{before} {after}"
    return f"{before} {bar(share, room, under_way)} {after}"


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
