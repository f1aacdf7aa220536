"""tensorboardX's messages beyond scalars and histograms. Importing this file imports all of it."""

from backproplab.journal.events import without_module

with without_module("torch"):
    from tensorboardX.proto.event_pb2 import Event, TaggedRunMetadata
    from tensorboardX.proto.graph_pb2 import GraphDef
    from tensorboardX.proto.plugin_pr_curve_pb2 import PrCurvePluginData
    from tensorboardX.proto.summary_pb2 import Summary, SummaryMetadata
    from tensorboardX.proto.tensor_pb2 import TensorProto
    from tensorboardX.proto.tensor_shape_pb2 import TensorShapeProto
    from tensorboardX.proto.types_pb2 import DT_FLOAT, DT_STRING
    from tensorboardX.proto.versions_pb2 import VersionDef

__all__ = [
    "DT_FLOAT",
    "DT_STRING",
    "Event",
    "GraphDef",
    "PrCurvePluginData",
    "Summary",
    "SummaryMetadata",
    "TaggedRunMetadata",
    "TensorProto",
    "TensorShapeProto",
    "VersionDef",
]
