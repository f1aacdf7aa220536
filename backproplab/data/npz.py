"""NumPy's files: the arrays in a .npz or .npy file that may be anything.

Nothing is unpickled, and memory is allocated only for bytes that the file has: the header of an
array is compared with the size of its member first. Format: NumPy Enhancement Proposal 1. This file
must not know what the arrays mean.
"""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy

from backproplab.arrays import Array
from backproplab.errors import DataError, reason
from backproplab.files import open_regular
from backproplab.tables.content import BEGINNINGS, absent, fault
from backproplab.text import counted

ZIP, NPY = b"PK", b"\x93NUMPY"
MEMBERS = 1000  # arrays in a file
RATIO, SMALL = 200, 2**26  # most expansion of a member larger than this
LETTERS = 256  # of a text in an array
HINT = "save it again with numpy.savez_compressed"


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays by name; that of a .npy file has the name ``""``.

    Raises DataError unless all of them are whole, and of numbers, truth values or short texts.
    """
    try:
        with os.fdopen(open_regular(path, follow=True), "rb") as file:
            before = os.fstat(file.fileno())
            arrays = _arrays(file)
            after = os.fstat(file.fileno())
    except FileNotFoundError:
        raise absent(path) from None
    except (zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError) as error:
        raise fault(path, f"damaged: {reason(error)}", HINT) from None
    except (ValueError, TokenError, SyntaxError, OverflowError) as error:
        raise fault(path, reason(error), HINT) from None
    except OSError as error:
        raise fault(path, f"cannot read: {reason(error)}", "name a file of arrays") from None
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise fault(path, "changed while it was read", "try again")
    return arrays


def declared(path: Path) -> int:
    """Bytes of all arrays, as far as the file says; 0 if it does not."""
    try:
        with os.fdopen(open_regular(path, follow=True), "rb") as file:
            if file.read(2) != ZIP:
                return os.fstat(file.fileno()).st_size
            return sum(member.file_size for member in zipfile.ZipFile(file).infolist())
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return 0


def _arrays(file: BinaryIO) -> dict[str, Array]:
    beginning = file.read(16)
    file.seek(0)
    if beginning.startswith(NPY):
        return {"": _array(file, os.fstat(file.fileno()).st_size, "the array")}
    if not beginning.startswith(ZIP):
        known = [kind for start, kind in BEGINNINGS.items() if beginning.startswith(start)]
        raise ValueError(
            f"the content is {known[0] if known else 'something else'}, not NPZ or NPY"
        )
    with zipfile.ZipFile(file) as packed:
        members = packed.infolist()
        _check(members)
        found = {}
        for member in members:
            name = member.filename.removesuffix(".npy")
            with packed.open(member) as inside:
                found[name] = _array(inside, member.file_size, f"array '{name}'")
        return found


def _check(members: list[zipfile.ZipInfo]) -> None:
    """Raise ValueError for an archive that holds anything but arrays."""
    if not members:
        raise ValueError("holds no arrays")
    if len(members) > MEMBERS:
        raise ValueError(f"{len(members):,} members; at most {MEMBERS:,} are read")
    names = [member.filename for member in members]
    for member in members:
        name, size = member.filename[:60], member.file_size
        if not name.endswith(".npy"):
            raise ValueError(f"member '{name}' is no array")
        if names.count(member.filename) > 1:
            raise ValueError(f"two members are called '{name}'")
        if member.flag_bits & 1:
            raise ValueError(f"member '{name}' is encrypted")
        if size > SMALL and size > RATIO * max(member.compress_size, 1):
            times = size // max(member.compress_size, 1)
            raise ValueError(f"member '{name}' expands {times:,} times; at most {RATIO} are read")


def _array(file: BinaryIO | object, size: int, name: str) -> Array:
    """The array in a file of ``size`` bytes. Raises ValueError."""
    assert hasattr(file, "read")
    version = npy.read_magic(file)
    readers = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"{name}: an unknown version of the format: {version}")
    shape, fortran, dtype = readers[version](file)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    if not (dtype.kind in "biuf" and dtype.itemsize <= 8) and not (
        dtype.kind == "U" and dtype.itemsize <= 4 * LETTERS
    ):
        raise ValueError(f"{name} is of type {dtype}, expected numbers or short texts")
    if any(length < 0 for length in shape):
        raise ValueError(f"{name} has the shape {shape}")
    length = math.prod(shape) * dtype.itemsize  # Python's integers: 65536⁴ is not 0
    if length > size:
        raise ValueError(
            f"{name}: its header promises {length:,} bytes, it has fewer than {size:,}"
        )
    data = file.read(length)
    rest = file.read(1)  # at the end of a member this also checks its checksum
    if len(data) < length or rest:
        has = "more" if rest else f"{len(data):,}"
        raise ValueError(f"{name}: its header promises {length:,} bytes, it has {has}")
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")
    return np.ascontiguousarray(array, dtype.newbyteorder("=")).reshape(shape)


def finite(path: Path, name: str, array: Array) -> Array:
    """The array. Raises DataError if a number in it is NaN or infinite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        bad = np.argwhere(~np.isfinite(array))
        verb = "is" if len(bad) == 1 else "are"
        what = f"array '{name}': {counted(len(bad), 'number')} {verb} NaN or infinite, the first at"
        raise fault(path, f"{what} {bad[0].tolist()}", "correct or leave out these examples")
    return array


def missing_array(path: Path, name: str, arrays: dict[str, Array]) -> DataError:
    """The error of a name that no array has."""
    return fault(path, f"holds no array '{name}'", f"it has {', '.join(sorted(arrays)[:10])}")
