"""Graphs for TensorBoard's Graphs tab: a GraphDef, and the time and memory of its nodes.

It must not know what is computed. Sources: tensorflow/core/framework/{graph,step_stats}.proto.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

Shape = tuple[int, ...]
DEVICE = "/device:CPU:0"


@dataclass(frozen=True)
class GraphNode:
    """A node of the graph; its name is a path, ``dense_1/backward/multiply``.

    inputs: names of nodes.  shapes: of its outputs.  settings: shown when the node is selected.
    """

    name: str
    op: str
    inputs: tuple[str, ...] = ()
    shapes: tuple[Shape, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What a node takes. start, micros: its place on the time axis, in µs.  nbytes: of output."""

    node: GraphNode
    start: int
    micros: int
    nbytes: int


def graph_record(nodes: Sequence[GraphNode]) -> bytes:
    """The record of a graph: the same bytes for the same nodes."""
    from backproplab.journal.events import record
    from backproplab.journal.protos import Event, GraphDef, VersionDef

    graph = GraphDef(versions=VersionDef(producer=22))
    for node in nodes:
        made = graph.node.add(name=node.name, op=node.op, input=node.inputs, device=DEVICE)
        shapes = made.attr["_output_shapes"].list
        for shape in node.shapes:
            added = shapes.shape.add()
            for size in shape:
                added.dim.add(size=size)
        for key, value in node.settings.items():
            made.attr[key].s = value.encode()
    content = graph.SerializeToString(deterministic=True)  # attributes are a map, of any order
    return record(Event(graph_def=content).SerializeToString())


def costs_record(tag: str, step: int, costs: Sequence[Cost]) -> bytes:
    """The record of what the nodes take: TensorBoard offers it as the graph's profile ``tag``."""
    from backproplab.journal.events import record
    from backproplab.journal.protos import Event, TaggedRunMetadata

    device = _text(1, DEVICE) + b"".join(_message(2, _node_stats(cost)) for cost in costs)
    metadata = _message(1, _message(1, device))  # RunMetadata.step_stats.dev_stats
    tagged = TaggedRunMetadata(tag=tag, run_metadata=metadata)
    return record(Event(step=step, tagged_run_metadata=tagged).SerializeToString())


# tensorboardX lacks step_stats.proto: the fields in protobuf's wire format, by their numbers


def _node_stats(cost: Cost) -> bytes:
    """NodeExecStats. An output without a shape, even a scalar's, would break TensorBoard's page."""
    times = _number(2, cost.start) + _number(4, cost.micros) + _number(5, cost.micros)
    memory = _text(1, "numpy") + _number(2, cost.nbytes)
    outputs = b"".join(_output(*each) for each in enumerate(cost.node.shapes))
    label = _text(8, cost.node.op)
    return _text(1, cost.node.name) + times + _message(6, memory) + outputs + label


def _output(slot: int, shape: Shape) -> bytes:
    dims = b"".join(_message(2, _number(1, size)) for size in shape)
    description = _number(1, 1) + _message(2, dims)  # dtype float
    return _message(7, _number(1, slot) + _message(3, description))


def _text(field: int, value: str) -> bytes:
    return _message(field, value.encode())


def _message(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; the highest bit says that more follow."""
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])
