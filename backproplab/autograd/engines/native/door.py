"""NumPy's door for compilers: the address of a ufunc's inner loop.

``ufunc._resolve_dtypes_and_context`` and ``ufunc._get_strided_loop`` exist since NumPy 1.24 and
are unstable by their own account: whatever they do not give, or give with another layout, is an
Unplayable here, and its caller makes the call in Python.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import PYFUNCTYPE, Structure, c_bool, c_char_p, c_void_p, py_object
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

CAPSULE = b"numpy_1.24_ufunc_call_info"
POINTER_OF = PYFUNCTYPE(c_void_p, py_object, c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)  # raises ValueError if the capsule has another name


class Unplayable(Exception):
    """A call that the player cannot make itself; Python makes it."""


class CallInfo(Structure):
    _fields_ = (
        ("loop", c_void_p),
        ("context", c_void_p),
        ("aux", c_void_p),
        ("requires_python", c_bool),
        ("sets_no_flags", c_bool),
    )


class Loop(NamedTuple):
    """An inner loop: its address, its first and last argument, and what keeps them alive."""

    address: int
    context: int | None = None
    aux: int | None = None
    owner: Any = None


def types_of(ufunc: np.ufunc, given: Sequence[Any], dtype: Any = None) -> tuple[np.dtype[Any], ...]:
    """The types that the ufunc computes in; a number of Python is given as its type."""
    signature = (*[None] * ufunc.nin, dtype)
    try:
        types, _ = ufunc._resolve_dtypes_and_context(tuple(given), signature=signature)  # type: ignore[attr-defined]
    except TypeError as error:  # an operand that is no array, but makes one when it is asked
        raise Unplayable(f"{ufunc.__name__} of other objects than arrays and numbers") from error
    return types


@lru_cache(maxsize=4096)
def loop_of(
    ufunc: np.ufunc, types: tuple[np.dtype[Any], ...], strides: tuple[int, ...] | None
) -> Loop:
    """The loop for arrays of these types, with these bytes from one entry to the next."""
    own, capsule = ufunc._resolve_dtypes_and_context(types, signature=types)  # type: ignore[attr-defined]
    if own != types:
        raise Unplayable(f"{ufunc.__name__} has no loop of its own for {types}")
    ufunc._get_strided_loop(capsule, fixed_strides=strides)  # type: ignore[attr-defined]
    info = CallInfo.from_address(POINTER_OF(capsule, CAPSULE))
    if info.requires_python or not info.loop:
        raise Unplayable(f"{ufunc.__name__} needs Python")
    return Loop(info.loop, info.context, info.aux, capsule)
