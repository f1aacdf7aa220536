"""Standard streams that are there, print in any encoding, and say when nobody reads them.

A display whose terminal, pipe or disk is gone must not end what it shows; a command that only
prints ends quietly when its reader has gone. This file must not know what is shown.
"""

from __future__ import annotations

import codecs
import os
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any

from backproplab.errors import MachineError, reason

HANDLER = "backproplab"  # of characters that a stream's encoding lacks
ASCII = "backproplab-ascii"  # ASCII by a name that typer does not replace by UTF-8
SIGNS = {
    "—": "-", "–": "-", "−": "-", "…": "...", "·": ".", "•": "*", "±": "+/-", "×": "x",
    "✓": "ok", "✗": "no", "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "√": "sqrt", "∞": "inf",
    "∫": "int", "∂": "d", "∇": "grad", "⁻": "^-", "⌊": "[", "⌋": "]", "⌈": "[", "⌉": "]",
    "“": '"', "”": '"', "‘": "'", "’": "'", "→": "->", "←": "<-", "↔": "<->", "°": "deg",
    "‖": "|", "′": "'", "ˆ": "^", "⊙": "*",
}  # fmt: skip


class ReaderGone(Exception):
    """Nobody reads standard output any more, as after ``| head``."""


class OutputFailed(MachineError):
    """Standard output cannot be written, as to a full disk."""


def prepare() -> None:
    """Open a missing stream on /dev/null, and let none fail for what it is given to print.

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
    codecs.register_error(HANDLER, _replace)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding=_encoding(stream.encoding), errors=HANDLER)
    if not isinstance(sys.stdout, Output):
        sys.stdout = Output(sys.stdout)
    if not isinstance(sys.stderr, Forgiving):
        sys.stderr = Forgiving(sys.stderr)


def _encoding(name: str) -> str:
    if codecs.lookup(name).name != "ascii":
        return name
    codecs.register(lambda name: _ascii() if name.replace("_", "-") == ASCII else None)
    return ASCII


def _ascii() -> codecs.CodecInfo:
    known = codecs.lookup("ascii")
    parts = known.encode, known.decode, known.streamreader, known.streamwriter
    return codecs.CodecInfo(*parts, known.incrementalencoder, known.incrementaldecoder, ASCII)


def _replace(error: UnicodeError) -> tuple[str, int]:
    """The error handler of our streams: signs as they are typed, letters without accents."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(typed, error.object[error.start : error.end])), error.end


def typed(sign: str) -> str:
    """A character in ASCII, which every encoding has; ``?`` for one without a likeness."""
    name = unicodedata.name(sign, "")
    if sign in SIGNS:
        return SIGNS[sign]
    if name.startswith("GREEK "):
        word = name.rpartition(" LETTER ")[2].partition(" ")[0]
        return word.capitalize() if "CAPITAL" in name else word.lower()
    if name.startswith("BOX DRAWINGS "):
        lies, stands = "HORIZONTAL" in name, "VERTICAL" in name
        return "-" if lies and not stands else "|" if stands and not lies else "+"
    if " BLOCK" in name or name.startswith("BLACK "):
        return "#"
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    mark = {"<super>": "^", "<sub>": "_"}.get(unicodedata.decomposition(sign).partition(" ")[0], "")
    return mark + plain if plain else "?"


class Output:
    """Standard output. Raises ReaderGone, or OutputFailed, where it cannot be written."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with _named():
            return self._stream.write(text)

    def flush(self) -> None:
        with _named():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def _named() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        raise ReaderGone from None
    except OSError as error:
        raise OutputFailed(f"standard output: cannot write: {reason(error)}") from None


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
    except (ReaderGone, OutputFailed):
        mute()


def silence() -> None:
    """Print nothing at all: another process prints it."""
    nowhere = open(os.devnull, "w")  # noqa: SIM115, PTH123  # until the end
    sys.stdout, sys.stderr = Output(nowhere), Forgiving(nowhere)


def mute() -> None:
    """Drop whatever else goes to stdout, and what its buffer still holds."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
