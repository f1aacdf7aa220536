"""Event files for TensorBoard, written before the call returns: no queue, no thread.

The only importer of tensorboardX, of which it uses the messages alone. It must not know what is
logged or when. Importing this file costs tensorboardX's own import, so import it on use.

A record is ``uint64 length, uint32 crc(length), data, uint32 crc(data)``, little-endian, with
masked CRC-32C (tensorflow/core/lib/io/record_writer.h); the data is one Event message.
"""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, cast

import google_crc32c

from backproplab.files import Folder
from backproplab.journal.distributions import Distribution
from backproplab.journal.rows import Row


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
    from tensorboardX.proto.layout_pb2 import Category, Chart, Layout, MultilineChartContent
    from tensorboardX.proto.summary_pb2 import HistogramProto, Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto

CUSTOM_SCALARS = SummaryMetadata.PluginData(plugin_name="custom_scalars")
NUMBERED = re.compile(r"events\.out\.tfevents\.(\d{10})\.")


class EventWriter:
    """One event file of a folder.

    name: of a file to continue; by default a new one in the folder ``below``.
    When a call returns, its data is with the operating system and survives ``kill -9``, unless
    the folder is in memory. Tags are written as given; keep to ``[A-Za-z0-9_./-]``.
    The length of an event depends on its tags and values alone, so that a run that is resumed
    writes the bytes that it would have written, except their times.
    Raises MachineError when the disk is full or the file was deleted.
    """

    def __init__(self, folder: Folder, below: str, name: str = "") -> None:
        self.name = name or new_name(folder, below)
        self.log = folder.log(self.name)
        self._rows: dict[tuple[str, ...], Row] = {}  # by the form of their tags, and names
        if not self.log.length:
            self._write(Event(file_version="brain.Event:2"))

    def scalars(self, step: int, values: Mapping[str, float], form: str = "{}") -> None:
        """Write all ``values`` at ``step``, rounded to float32; NaN and infinities are kept.

        form: of the tags, as ``epoch_{}``, from the names.
        """
        self.log.append(self._row(step, values, form))

    def _row(self, step: int, values: Mapping[str, float], form: str = "{}") -> bytes:
        """The record of these scalars."""
        names = form, *values
        row = self._rows.get(names)
        if row is None:
            row = self._rows[names] = Row([form.format(name) for name in values])
        return record(row.event(time.time(), step, values.values()))

    def series(self, found: Mapping[str, tuple[Sequence[int], Sequence[float]]]) -> None:
        """Write scalars that are known at several steps each: (steps, values) by tag, at once."""
        rows: dict[int, dict[str, float]] = {}
        for tag, (steps, values) in found.items():
            for step, value in zip(steps, values, strict=True):
                rows.setdefault(int(step), {})[tag] = float(value)
        self.log.append(b"".join(self._row(step, row) for step, row in sorted(rows.items())))

    def histograms(self, step: int, distributions: Mapping[str, Distribution]) -> None:
        """Write the distribution of each array at ``step``.

        Where an array holds NaN or infinities, their number is the scalar ``<tag>/nonfinite``.
        """
        values = []
        for tag, spread in distributions.items():
            values.append(Summary.Value(tag=tag, histo=histogram(spread)))
            if nonfinite := spread.size - spread.num:
                values.append(_scalar(f"{tag}/nonfinite", nonfinite))
        self.write(step, values)

    def write(self, step: int, values: Sequence[Summary.Value]) -> None:
        """Write what ``messages`` and ``summaries`` make."""
        self._write(Event(step=step, summary=Summary(value=values)))

    def _write(self, event: Event) -> None:
        self.log.append(_record_now(event))


def _record_now(event: Event) -> bytes:
    event.wall_time = time.time()
    return record(event.SerializeToString())


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


def layout(categories: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """The record of a layout: category -> title of a chart -> its tags, regular expressions.

    The tag and the form of its value: tensorboard/plugins/custom_scalar/summary.py.
    """
    message = Layout(
        category=[
            Category(title=category, chart=[_chart(*chart) for chart in charts.items()])
            for category, charts in categories.items()
        ]
    )
    value = Summary.Value(
        tag="custom_scalars__config__",
        tensor=TensorProto(dtype="DT_STRING", string_val=[message.SerializeToString()]),
        metadata=SummaryMetadata(plugin_data=CUSTOM_SCALARS),
    )
    return record(Event(summary=Summary(value=[value])).SerializeToString())


def _chart(title: str, tags: Sequence[str]) -> Chart:
    return Chart(title=title, multiline=MultilineChartContent(tag=tags))


def new_name(folder: Folder, below: str) -> str:
    """A name for an event file after all others there: TensorBoard reads them in that order.

    The number in the name is the time in seconds, or one more than the newest file's.
    """
    found = (NUMBERED.search(name) for name in folder.names(below))
    number = max([int(time.time()), *(int(match[1]) + 1 for match in found if match)])
    return named(below, number)


def named(below: str, number: int) -> str:
    """The name of the event file with this number."""
    return f"{below}/events.out.tfevents.{number:010d}.{socket.gethostname()}.{os.getpid()}"


def record(data: bytes) -> bytes:
    return b"".join((_head(len(data)), data, _masked_crc(data)))


@lru_cache
def _head(size: int) -> bytes:
    length = struct.pack("<Q", size)
    return length + _masked_crc(length)


def _masked_crc(data: bytes) -> bytes:
    """CRC-32C, rotated right by 15 bits, plus a constant, as 4 bytes."""
    crc = google_crc32c.value(data)
    return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")
