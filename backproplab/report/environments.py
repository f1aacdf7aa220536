"""The environment of the runs, as pairs of words; equal values are listed once.

This file must not know what was measured.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

from backproplab.report.gathering import Record

Details = dict[str, Any]
LONGEST = 400  # letters of a command
MOST = 4  # most values listed for one entry


def environment(records: Sequence[Record]) -> list[tuple[str, str]]:
    """(name, value) for the page; differing values are joined."""
    found = [(name, _of(records, read)) for name, read in ENTRIES.items()]
    return [(name, text) for name, text in found if text]


def _of(records: Sequence[Record], read: Callable[[Details], str]) -> str:
    texts = sorted({text for record in records if (text := read(record.details))})
    rest = f"; and {len(texts) - MOST} more" if len(texts) > MOST else ""
    return "; ".join(texts[:MOST]) + rest


def _part(details: Details, *keys: str) -> str:
    value: Any = details
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, dict | list) else str(value)


def _commit(details: Details) -> str:
    commit = _part(details, "git", "commit")[:12]
    return commit and commit + (
        ", with changes" if _part(details, "git", "dirty") == "True" else ""
    )


def _machine(details: Details) -> str:
    system, cpus = _part(details, "machine", "system"), _part(details, "machine", "cpus")
    return f"{system}, {cpus} CPUs" if cpus else system


def _model(details: Details) -> str:
    model, count = _part(details, "model"), _part(details, "parameters")
    return f"{model}, {int(count):,} parameters" if count.isdigit() else model


def _command(details: Details) -> str:
    """The command that started the run, as it can be typed."""
    argv = details.get("argv")
    if not (
        isinstance(argv, list) and len(argv) > 1 and all(isinstance(word, str) for word in argv)
    ):
        return ""
    text = shlex.join(["backproplab", *argv[1:]])
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"


ENTRIES: dict[str, Callable[[Details], str]] = {
    "model": _model,
    "backproplab": lambda details: _part(details, "versions", "backproplab"),
    "commit": _commit,
    "Python": lambda details: _part(details, "python"),
    "NumPy": lambda details: _part(details, "versions", "numpy"),
    "machine": _machine,
    "command": _command,
}
