"""Event files for TensorBoard, written before the call returns: no queue, no thread.

The only importer of tensorboardX, of which it uses the messages alone. It must not know what is
logged or when. Importing this file costs tensorboardX's own import, so import it on use.

A record is ``uint64 length, uint32 crc(length), data, uint32 crc(data)``, little-endian, with
masked CRC-32C (tensorflow/core/lib/io/record_writer.h); the data is one Event message.
"""

from __future__ import annotations

import errno
import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Any, Self, cast

import google_crc32c
import numpy as np

from backproplab.files import machine_limits, sync


@contextmanager
def without_module(name: str) -> Iterator[None]:
    """Within, ``import name`` fails as if it were not installed, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = cast(Any, None)  # how Python notes that there is none
    try:
        yield
    finally:
        del sys.modules[name]


# tensorboardX imports PyTorch where it finds it: 2 s and 130 MB, for nothing that is used here
with without_module("torch"):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import HistogramProto, Summary

CHUNK = 1 << 15  # values of a histogram handled at once, so that they stay in the cache
NUMBERED = re.compile(r"events\.out\.tfevents\.(\d{10})\.")


class EventWriter:
    """One event file in ``folder``, which is made if need be.

    When a call returns, its data is with the operating system and survives ``kill -9``. ``step``
    is the caller's (an epoch, from 0). Tags are written as given; keep to ``[A-Za-z0-9_./-]``.
    Raises MachineError when the disk is full or the file was deleted, and is closed from then on.
    """

    def __init__(self, folder: Path) -> None:
        with machine_limits(folder):
            folder.mkdir(parents=True, exist_ok=True)
            self._file = _create(folder)
        self.path = Path(os.fsdecode(self._file.name))
        self._write(Event(file_version="brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write all ``values`` at ``step``, rounded to float32; NaN and infinities are kept."""
        summary = Summary(value=[_scalar(tag, value) for tag, value in values.items()])
        self._write(Event(step=step, summary=summary))

    def histograms(self, step: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Write the distribution of each array at ``step``.

        Where an array holds NaN or infinities, their number is the scalar ``<tag>/nonfinite``.
        """
        summary = Summary()
        for tag, array in arrays.items():
            distribution = histogram(array)
            summary.value.append(Summary.Value(tag=tag, histo=distribution))
            if nonfinite := np.size(array) - distribution.num:
                summary.value.append(_scalar(f"{tag}/nonfinite", nonfinite))
        self._write(Event(step=step, summary=summary))

    def flush(self) -> None:
        """Put what was written on the disk itself, where it survives a power cut (fsync)."""
        with machine_limits(self.path):
            sync(self._file.fileno())

    def close(self) -> None:
        """Flush and close; closing twice is fine."""
        if not self._file.closed:
            with machine_limits(self.path), self._file:
                self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, event: Event) -> None:
        """Append one record. A torn one can only be the last: after an error the file is closed."""
        event.wall_time = time.time()
        rest = memoryview(record(event.SerializeToString()))
        with machine_limits(self.path):
            try:
                while rest:
                    rest = rest[self._file.write(rest) :]
                if os.fstat(self._file.fileno()).st_nlink == 0:
                    raise OSError(errno.ENOENT, "the file was deleted during the run")
            except OSError:
                self._file.close()
                raise


def histogram(values: np.ndarray, bins: int = 64) -> HistogramProto:
    """Counts of the finite ``values``, of any shape, in equal ``bins`` over [min, max].

    ``num`` is how many are finite; without any there are no buckets. Equal values share one.
    Values are binned in their own precision, so one within rounding of an edge may fall either
    side of it; integers become float64.
    """
    flat = np.ravel(values)
    flat = flat if flat.dtype in (np.float32, np.float64) else flat.astype(np.float64)
    finite = np.isfinite(flat)
    flat = flat if finite.all() else flat[finite]
    if flat.size == 0:
        return HistogramProto()
    lo, hi = float(flat.min()), float(flat.max())
    limits, counts = ([hi], [flat.size]) if lo == hi else _buckets(flat, lo, hi, bins)
    total, squares = _moments(flat)
    return HistogramProto(
        min=lo,
        max=hi,
        num=flat.size,
        sum=total,
        sum_squares=squares,
        bucket_limit=limits,
        bucket=counts,
    )


def _buckets(flat: np.ndarray, lo: float, hi: float, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Right edges and counts, each (bins,), of values that are finite and not all equal."""
    # quarters, where hi - lo might overflow: the bins of x / 4 are the bins of x
    unit = 1.0 if hi - lo < float(np.finfo(flat.dtype).max) / 2 else 0.25
    low, span = lo * unit, hi * unit - lo * unit
    counts = np.zeros(bins + 1, np.int64)
    for start in range(0, flat.size, CHUNK):
        part = (flat[start : start + CHUNK] * unit - low) / span * bins
        counts += np.bincount(part.astype(np.intp), minlength=bins + 1)
    counts[-2] += counts[-1]  # hi itself: the last bin is closed
    return np.linspace(low, hi * unit, bins + 1)[1:] / unit, counts[:-1]


def _moments(flat: np.ndarray) -> tuple[float, float]:
    """Σx and Σx² in float64, which may overflow to infinity."""
    total = squares = 0.0
    with np.errstate(over="ignore"):
        for start in range(0, flat.size, CHUNK):
            part = flat[start : start + CHUNK].astype(np.float64, copy=False)
            total += float(part.sum())
            squares += float(np.square(part).sum())  # @ would wake the BLAS threads
    return total, squares


def _scalar(tag: str, value: float) -> Summary.Value:
    return Summary.Value(tag=tag, simple_value=value)


def _create(folder: Path) -> FileIO:
    """Open a file that no one has, with a name after all others: TensorBoard reads in that order.

    The number in the name is the time in seconds, or one more than the newest file's.
    """
    while True:
        found = (NUMBERED.match(path.name) for path in folder.iterdir())
        number = max([int(time.time()), *(int(match[1]) + 1 for match in found if match)])
        name = f"events.out.tfevents.{number:010d}.{socket.gethostname()}.{os.getpid()}"
        try:
            return (folder / name).open("xb", buffering=0)
        except FileExistsError:  # another thread of this process took the number
            continue


def record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    return b"".join((length, _masked_crc(length), data, _masked_crc(data)))


def _masked_crc(data: bytes) -> bytes:
    """CRC-32C, rotated right by 15 bits, plus a constant, as 4 bytes."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
