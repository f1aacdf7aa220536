"""The player's structures, and the library that plays them.

This file must not know what is played.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import CFUNCTYPE, POINTER, Structure, c_char_p, c_double, c_int, c_ssize_t, c_void_p
from functools import cache
from pathlib import Path

from backproplab.autograd.engines.native.building import LIBRARY, digest

OPERANDS = 8
AXES = 32

Callback = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)


class Record(Structure):
    """One call of a loop; player.c explains the fields."""

    _fields_ = (
        ("loop", c_void_p),
        ("context", c_void_p),
        ("aux", c_void_p),
        ("data", c_void_p * OPERANDS),
        ("lengths", c_void_p),
        ("strides", c_void_p),
        ("axes", c_ssize_t),
        ("shape", c_void_p),
        ("outer", c_void_p),
    )


class Mover(Structure):
    _fields_ = (("address", c_void_p), ("bytes", c_ssize_t))


class Rows(Structure):
    """What is taken from: its address, the number of its rows, and the bytes of one."""

    _fields_ = (("rows", c_void_p), ("count", c_ssize_t), ("bytes", c_ssize_t))


class Strips(Structure):
    """Records played strip by strip; strips.c explains the fields."""

    _fields_ = (
        ("records", c_void_p),
        ("count", c_ssize_t),
        ("strips", c_ssize_t),
        ("steps", c_void_p),
        ("last", c_void_p),
        ("turns", c_void_p),
        ("crew", c_void_p),
        ("next", c_ssize_t),
        ("end", c_int),
    )


class Crew(Structure):
    """The threads that take strips of one tape; strips.c explains the fields."""

    _fields_ = (("now", c_void_p), ("inside", c_ssize_t), ("over", c_ssize_t))


class Ending(Structure):
    _fields_ = (("rounds", c_ssize_t), ("record", c_ssize_t))


class Library:
    """The compiled player. Raises OSError if it is absent, damaged or of another version."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise OSError("the player is not built: install where there is a C compiler")
        loaded = ctypes.CDLL(str(path))
        loaded.source.restype = c_char_p
        if loaded.source() != digest().encode():
            raise OSError("the player is built from another version of its source: install again")
        self.loaded = loaded
        self.play: Callable[..., None] = loaded.play
        self.play.argtypes = (
            c_void_p, c_ssize_t, c_ssize_t, c_void_p, c_ssize_t, c_double, POINTER(Ending),
        )  # fmt: skip
        self.play.restype = None
        self.help: Callable[..., None] = loaded.help
        self.help.argtypes, self.help.restype = (c_void_p, c_ssize_t), None

    def loop(self, name: str) -> int:
        """The address of one of its own loops."""
        address = ctypes.cast(getattr(self.loaded, name), c_void_p).value
        assert address is not None
        return address


@cache
def library() -> Library:
    return Library(LIBRARY)
