"""An event file that TensorBoard's HParams tab shows as one row: settings, final metrics, status.

Bytes only: it must not know what a sweep is, nor where the file goes. Importing this file costs
tensorboardX's own import, so import it on use.

The messages are those of tensorboard/plugins/hparams (api.proto, plugin_data.proto): a start and an
end, each in the metadata of a summary without value. There is no Experiment message: TensorBoard
would take the first that it meets and leave out what another one lists, where without it the
columns are those of all rows.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from backproplab.journal.events import record, without_module

with without_module("torch"):
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.plugin_hparams_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata

Setting = bool | int | float | str


def hparams_row(
    group: str,
    settings: Mapping[str, Setting],
    metrics: Mapping[str, float],
    status: str,
) -> bytes:
    """The event file of one row.

    group: what TensorBoard calls it; rows of one name become one. settings: columns by name.
    metrics: the last values of scalars. status: ``success``, ``failure``, ``running``, ``unknown``.
    """
    start = SessionStartInfo(group_name=group)
    for name, value in settings.items():
        field = {bool: "bool_value", str: "string_value"}.get(type(value), "number_value")
        setattr(start.hparams[name], field, value)
    end = SessionEndInfo(status=Status.Value(f"STATUS_{status.upper()}"))
    values = [
        _data("_hparams_/session_start_info", HParamsPluginData(session_start_info=start)),
        _data("_hparams_/session_end_info", HParamsPluginData(session_end_info=end)),
        *(Summary.Value(tag=name, simple_value=value) for name, value in metrics.items()),
    ]
    now = time.time()
    events = (
        Event(wall_time=now, file_version="brain.Event:2"),
        Event(wall_time=now, summary=Summary(value=values)),
    )
    return b"".join(record(event.SerializeToString()) for event in events)


def _data(tag: str, content: HParamsPluginData) -> Summary.Value:
    plugin = SummaryMetadata.PluginData(plugin_name="hparams", content=content.SerializeToString())
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=plugin))
