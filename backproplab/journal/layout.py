"""Layout: which charts TensorBoard's Custom Scalars tab draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproplab.journal.events import record, without_module

with without_module("torch"):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.summary import custom_scalars


def layout(categories: Mapping[str, Mapping[str, Sequence[str]]]) -> bytes:
    """The record of a layout: category -> title of a chart -> its tags, regular expressions."""
    given = {
        name: {title: ("Multiline", list(tags)) for title, tags in own.items()}
        for name, own in categories.items()
    }
    return record(Event(summary=custom_scalars(given)).SerializeToString())
