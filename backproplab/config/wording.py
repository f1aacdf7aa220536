"""Keys and values as text for messages: short, printable, never a whole container.

This file knows neither YAML nor pydantic.
"""

from __future__ import annotations

from typing import Any

TreePath = tuple[str | int, ...]
"""The keys and list indexes from the top of a config down to one value."""

WIDTH = 80


def cut(text: str) -> str:
    """``text``, or its first characters and ``…`` if it is longer than 80."""
    return text if len(text) <= WIDTH else text[: WIDTH - 1] + "…"


def quoted(text: str) -> str:
    """``'text'``, cut to 80 characters, unprintable ones escaped."""
    return repr(cut(text))


def dotted(path: TreePath) -> str:
    """``model.layers.0.units``: a path as written in messages and on the command line."""
    return ".".join(cut(str(s)) if str(s).isprintable() else quoted(str(s)) for s in path)


def shown(value: Any) -> str:
    """A value in YAML's terms: ``text 'x'``, ``true``, ``null``, ``1.5``, ``a list``."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"text {quoted(value)}"
    if isinstance(value, dict):
        return "a mapping"
    return cut(repr(value)) if isinstance(value, int | float) else "a list"


def command_line(word: str) -> str:
    """``command line 'epochs=3'``: the position of a value that is in no file."""
    return f"command line {quoted(word)}"
