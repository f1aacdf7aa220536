"""Messages for TensorBoard's HParams and Text tabs.

They must not know what a run or a sweep is. Importing this file costs tensorboardX's own import, so
import it on use.

The messages are those of tensorboard/plugins/hparams (api.proto, plugin_data.proto): a start and an
end, each in the metadata of a summary without value; TensorBoard takes the scalars of the same run
for its metrics. There is no Experiment message: TensorBoard would take the first that it meets and
leave out what another one lists, where without it the columns are those of all runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from backproplab.journal.events import without_module

with without_module("torch"):
    from tensorboardX.proto.api_pb2 import Status
    from tensorboardX.proto.plugin_hparams_pb2 import (
        HParamsPluginData,
        SessionEndInfo,
        SessionStartInfo,
    )
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.types_pb2 import DT_STRING

Setting = bool | int | float | str


def session_start(group: str, settings: Mapping[str, Setting], began: float) -> Summary.Value:
    """A run that began at this time, in seconds since the epoch.

    group: what TensorBoard calls its row; runs of one group are one row, with the means of their
    metrics. settings: columns by name.
    """
    start = SessionStartInfo(group_name=group, start_time_secs=began)
    for name, value in settings.items():
        field = {bool: "bool_value", str: "string_value"}.get(type(value), "number_value")
        setattr(start.hparams[name], field, value)
    data = HParamsPluginData(session_start_info=start)
    return _of_plugin("_hparams_/session_start_info", "hparams", data.SerializeToString())


def session_end(success: bool) -> Summary.Value:
    """It has ended now. A TensorBoard that runs keeps the first end that it reads of a run."""
    status = Status.Value("STATUS_SUCCESS" if success else "STATUS_FAILURE")
    data = HParamsPluginData(
        session_end_info=SessionEndInfo(status=status, end_time_secs=time.time())
    )
    return _of_plugin("_hparams_/session_end_info", "hparams", data.SerializeToString())


def text(tag: str, markdown: str) -> Summary.Value:
    """A card of the Text tab."""
    value = _of_plugin(tag, "text", b"")
    value.tensor.CopyFrom(TensorProto(dtype=DT_STRING, string_val=[markdown.encode()]))
    return value


def _of_plugin(tag: str, plugin: str, content: bytes) -> Summary.Value:
    data = SummaryMetadata.PluginData(plugin_name=plugin, content=content)
    return Summary.Value(tag=tag, metadata=SummaryMetadata(plugin_data=data))
