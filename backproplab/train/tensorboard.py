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
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, Self, cast

import google_crc32c

from backproplab.files import (
    append,
    is_deleted,
    machine_limits,
    make_folder,
    names_in,
    open_log,
    sync,
)
from backproplab.train.distributions import Distribution


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

NUMBERED = re.compile(r"events\.out\.tfevents\.(\d{10})\.")


class EventWriter:
    """One event file in ``folder``, which is made if need be.

    When a call returns, its data is with the operating system and survives ``kill -9``, unless
    it is in memory. ``step`` is the caller's (an epoch, from 0). Tags are written as
    given; keep to ``[A-Za-z0-9_./-]``.
    Raises MachineError when the disk is full or the file was deleted, and is closed from then on.
    """

    def __init__(self, folder: Path) -> None:
        with machine_limits(folder):
            make_folder(folder, parents=True)
            self._file, self.path = _create(folder)
        # by tags: to fill an event again takes a tenth of making it
        self._rows: dict[tuple[str, ...], tuple[Event, list[Summary.Value]]] = {}
        self._write(Event(file_version="brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """Write all ``values`` at ``step``, rounded to float32; NaN and infinities are kept."""
        tags = tuple(values)
        if tags not in self._rows:
            event = Event(summary=Summary(value=[_scalar(tag, 0.0) for tag in tags]))
            self._rows[tags] = event, list(event.summary.value)
        event, messages = self._rows[tags]
        event.step = step
        for message, value in zip(messages, values.values(), strict=True):
            message.simple_value = value
        self._write(event)

    def histograms(self, step: int, distributions: Mapping[str, Distribution]) -> None:
        """Write the distribution of each array at ``step``.

        Where an array holds NaN or infinities, their number is the scalar ``<tag>/nonfinite``.
        """
        values = []
        for tag, spread in distributions.items():
            values.append(Summary.Value(tag=tag, histo=histogram(spread)))
            if nonfinite := spread.size - spread.num:
                values.append(_scalar(f"{tag}/nonfinite", nonfinite))
        self._write(Event(step=step, summary=Summary(value=values)))

    def flush(self) -> None:
        """Put what was written on the disk itself, where it survives a power cut (fsync)."""
        with machine_limits(self.path):
            sync(self._file)

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
        data = record(event.SerializeToString())
        with machine_limits(self.path):
            try:
                append(self._file, data)
                if is_deleted(self._file):
                    raise OSError(errno.ENOENT, "the file was deleted during the run")
            except OSError:
                self._file.close()
                raise


def histogram(spread: Distribution) -> HistogramProto:
    """The message that TensorBoard draws; without finite values it has no buckets."""
    return HistogramProto(
        min=spread.min,
        max=spread.max,
        num=spread.num,
        sum=spread.sum,
        sum_squares=spread.squares,
        bucket_limit=spread.limits,
        bucket=spread.counts,
    )


def _scalar(tag: str, value: float) -> Summary.Value:
    return Summary.Value(tag=tag, simple_value=value)


def _create(folder: Path) -> tuple[BinaryIO, Path]:
    """Open a file that no one has, with a name after all others: TensorBoard reads in that order.

    The number in the name is the time in seconds, or one more than the newest file's.
    """
    while True:
        found = (NUMBERED.match(name) for name in names_in(folder))
        number = max([int(time.time()), *(int(match[1]) + 1 for match in found if match)])
        name = f"events.out.tfevents.{number:010d}.{socket.gethostname()}.{os.getpid()}"
        try:
            return open_log(folder / name, "xb"), folder / name
        except FileExistsError:  # another thread of this process took the number
            continue


def record(data: bytes) -> bytes:
    return b"".join((_head(len(data)), data, _masked_crc(data)))


@lru_cache
def _head(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + _masked_crc(length)


def _masked_crc(data: bytes) -> bytes:
    """CRC-32C, rotated right by 15 bits, plus a constant, as 4 bytes."""
    crc = google_crc32c.value(data)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
