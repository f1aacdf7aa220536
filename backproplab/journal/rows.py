"""Rows: events that hold scalars only, as bytes. Most events of a run are such.

Protobuf's messages give the same bytes in three times the time (tests/journal/test_rows.py). This
file must not know what is logged, nor where it is written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

# the fields of Event, Summary and Summary.Value in tensorflow/core/util/event.proto and
# tensorflow/core/framework/summary.proto; each key is (number << 3) + wire type
WALL_TIME, STEP, SUMMARY = b"\x09", b"\x10", b"\x2a"
DOUBLE = struct.Struct("<d").pack
VALUE, TAG, SIMPLE_VALUE = b"\x0a", b"\x0a", b"\x15"


class Row:
    """An Event with a scalar for each of these tags; all but time, step and values is made once."""

    def __init__(self, tags: Sequence[str]) -> None:
        heads = [_head(tag.encode()) for tag in tags]
        self.fields: list[Any] = [part for head in heads for part in (head, 0.0)]
        self.scalars = struct.Struct("<" + "".join(f"{len(head)}sf" for head in heads))
        self.summary = SUMMARY + varint(self.scalars.size)

    def event(self, time: float, step: int, values: Iterable[float]) -> bytes:
        """The message. Values are rounded to float32; those beyond it become infinities."""
        at = STEP + varint(step) if step else b""  # a field that is 0 is left out
        return b"".join((WALL_TIME, DOUBLE(time), at, self.summary, self._packed(list(values))))

    def _packed(self, values: Sequence[float]) -> bytes:
        self.fields[1::2] = values
        try:
            return self.scalars.pack(*self.fields)
        except OverflowError:
            with np.errstate(over="ignore"):
                return self._packed(np.asarray(values, np.float32).tolist())


def _head(tag: bytes) -> bytes:
    """What stands before a scalar's four bytes."""
    head = TAG + varint(len(tag)) + tag + SIMPLE_VALUE
    return VALUE + varint(len(head) + 4) + head


@lru_cache
def varint(number: int) -> bytes:
    """A number of 64 bits, seven a byte, the lowest first; a negative one as its complement."""
    number &= 2**64 - 1
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    found.append(number)
    return bytes(found)
