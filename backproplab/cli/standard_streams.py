"""Standard streams that are there, and a stderr that never fails.

A display whose terminal, pipe or disk is gone must not end what it shows. This file must not know
what is shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any


def prepare() -> None:
    """Open a missing stream on /dev/null, and make stderr silent where it cannot be written.

    A descriptor that is closed would otherwise become the first file that is opened.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115, PTH123  # until the end
    sys.stderr = Forgiving(sys.stderr)


class Forgiving:
    """A text stream that is silent from its first error on."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._broken = False

    def write(self, text: str) -> int:
        if not self._broken:
            try:
                return self._stream.write(text)
            except (OSError, ValueError):  # ValueError: it was closed
                self._broken = True
        return len(text)

    def flush(self) -> None:
        if not self._broken:
            try:
                self._stream.flush()
            except (OSError, ValueError):
                self._broken = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def shown() -> Iterator[None]:
    """Around output that only shows what was done: if stdout fails, the rest of it is dropped."""
    try:
        yield
        sys.stdout.flush()
    except OSError:
        mute()


def mute() -> None:
    """Drop whatever else goes to stdout, and what its buffer still holds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
