"""The IDX files of MNIST and its kin: unsigned bytes behind a header of big-endian sizes.

Format: magic ``00 00 08 d`` for d dimensions, d sizes of four bytes, then the bytes, row by row;
plain or gzip, told apart by content. A file is believed only as far as its bytes go: nothing is
allocated on a header's word. What was long to decode is decoded once (``cache.py``). This file
must not know what the numbers mean.
"""

from __future__ import annotations

import gzip
import io
import math
import os
import stat
import struct
import zlib
from pathlib import Path

import numpy as np

from backproplab.arrays import Array
from backproplab.data.cache import Entry
from backproplab.errors import DataError, Problem, reason

GZIP = b"\x1f\x8b"
CHUNK = 2**20  # bytes
WORTH_KEEPING = 2**20  # bytes; fewer are decoded in a few milliseconds


def read_idx(path: Path, dimensions: int) -> Array:
    """The bytes that ``path`` holds: uint8 with the given number of dimensions, maybe read-only.

    Raises DataError for anything but a whole, sound, regular file of at least one example.
    """
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            return _read(file, dimensions)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        fault = f"damaged gzip file: {error}"
    except OSError as error:
        fault = f"cannot read: {reason(error)}"
    except ValueError as error:
        fault = str(error)
    raise DataError(str(Problem(str(path), fault, "get the file again, or name another folder")))


def _open_without_waiting(path: str, flags: int) -> int:
    """A pipe without a writer would be waited for."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(file: io.BufferedReader, dimensions: int) -> Array:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise ValueError("not a regular file")
    before = _state(file)
    packed = file.peek(2)[:2] == GZIP
    entry = Entry(os.path.realpath(file.name), (*before, dimensions))
    array = entry.recall() if packed else None
    if array is not None:
        return array
    array = _parse(gzip.GzipFile(fileobj=file) if packed else file, dimensions)
    if _state(file) != before:
        raise ValueError("changed while it was read")
    if packed and array.nbytes >= WORTH_KEEPING:
        entry.keep(array)
    return array


def _state(file: io.BufferedReader) -> tuple[int, ...]:
    """What changes with a file's bytes: its place on the disk, its length and its times.

    A program can set back the time of modification, but not the one of the last change (ctime).
    """
    now = os.fstat(file.fileno())
    return now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns


def _parse(file: io.BufferedIOBase, dimensions: int) -> Array:
    shape = _shape(file, dimensions)
    length = math.prod(shape)  # Python's integers: 65536⁴ is not 0
    if not length:
        raise ValueError(f"holds no examples: its sizes are {shape}")
    data = bytearray()
    while chunk := file.read(min(CHUNK, length - len(data))):
        data += chunk
    if len(data) < length:
        raise ValueError(f"its header promises {length} bytes of data, it has {len(data)}")
    if file.read(1):  # and, at the end of gzip, its checksum
        raise ValueError(f"its header promises {length} bytes of data, it has more")
    return np.frombuffer(data, np.uint8).reshape(shape)


def _shape(file: io.BufferedIOBase, dimensions: int) -> tuple[int, ...]:
    magic = file.read(4)
    if magic[:2] == GZIP:
        raise ValueError("gzip within gzip; unpack it once")
    wanted = bytes((0, 0, 8, dimensions))
    if len(magic) == 4 and magic != wanted:
        raise ValueError(
            f"starts with {magic.hex(' ')}; an IDX file of bytes in {dimensions} dimensions"
            f" starts with {wanted.hex(' ')}"
        )
    sizes = file.read(4 * dimensions)
    if len(magic) + len(sizes) < 4 + 4 * dimensions:
        raise ValueError("too short for an IDX header")
    return struct.unpack(f">{dimensions}I", sizes)
