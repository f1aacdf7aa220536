"""Layout: the message that names the charts of TensorBoard's Custom Scalars tab.

Importing this file costs tensorboardX's own import, so import it on use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproplab.journal.events import record, without_module

with without_module("torch"):
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.layout_pb2 import Category, Chart, Layout, MultilineChartContent
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto

PLUGIN = SummaryMetadata.PluginData(plugin_name="custom_scalars")


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
        metadata=SummaryMetadata(plugin_data=PLUGIN),
    )
    return record(Event(summary=Summary(value=[value])).SerializeToString())


def _chart(title: str, tags: Sequence[str]) -> Chart:
    return Chart(title=title, multiline=MultilineChartContent(tag=tags))
