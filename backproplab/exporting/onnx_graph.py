"""Graph: ONNX operators by name, and a network's layers written with them.

Layers compute as those of ``standalone.py``, in float32. This file must not know columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array

ML = "ai.onnx.ml"
FIELDS = {"leaky_relu": "LeakyRelu", "elu": "Elu"}  # with the field alpha
PLAIN = {
    "relu": "Relu",
    "selu": "Selu",
    "softplus": "Softplus",
    "softsign": "Softsign",
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
}


class Graph:
    """Operators and constants, in the order in which they are added; a value is its name."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(
        self, op: str, *inputs: str, domain: str = "", results: int = 1, **settings: Any
    ) -> str:
        """The first result of an operator."""
        from onnx import helper

        name = f"{op.lower()}_{len(self.nodes)}"
        names = [name, *(f"{name}_{number}" for number in range(1, results))]
        self.nodes.append(helper.make_node(op, list(inputs), names, domain=domain, **settings))
        return name

    def named(self, op: str, name: str, *inputs: str, **settings: Any) -> None:
        """An operator whose result is an output of the graph."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, list(inputs), [name], **settings))

    def constant(self, value: Any, dtype: Any = None) -> str:
        """A constant; of texts, one that holds these."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        array = np.asarray(value, dtype)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def cast(self, x: str, kind: str) -> str:
        """x as ``FLOAT``, ``DOUBLE``, ``INT64`` or ``BOOL``."""
        from onnx import TensorProto

        return self.add("Cast", x, to=getattr(TensorProto, kind))

    def code(self, x: str, codes: Mapping[str, int], other: int) -> str:
        """The number of each text, int64."""
        return self.add(
            "LabelEncoder", x, domain=ML, keys_strings=list(codes),
            values_int64s=list(codes.values()), default_int64=other,
        )  # fmt: skip


def network(
    graph: Graph, layers: Sequence[Mapping[str, Any]], weights: Mapping[str, Array], x: str
) -> str:
    """The outputs (n, units) of a chain of layers for inputs x, float32."""
    for layer in layers:
        start = f"{layer['name']}/"
        own = {n[len(start) :]: w for n, w in weights.items() if n.startswith(start)}
        x = _layer(graph, layer, own, x)
    return x


def _layer(graph: Graph, layer: Mapping[str, Any], own: Mapping[str, Array], x: str) -> str:
    kind = layer["kind"]
    if kind == "dense":
        x = graph.add("MatMul", x, graph.constant(own["kernel"], np.float32))
    elif kind in ("conv1d", "conv2d"):
        x = _convolution(graph, layer["windows"], own["kernel"], x)
    elif kind in ("max_pool", "avg_pool"):
        x = _pool(graph, kind, layer["windows"], x)
    elif kind in ("global_max_pool", "global_avg_pool"):
        x = _global_pool(graph, kind, layer["rank"], x)
    elif kind == "batch_norm":
        deviation = np.sqrt(own["variance"] + np.float32(layer["epsilon"]))
        centered = graph.add("Sub", x, graph.constant(own["mean"], np.float32))
        x = graph.add("Div", centered, graph.constant(deviation, np.float32))
        x = _scaled(graph, own, x)
    elif kind == "layer_norm":
        centered = graph.add("Sub", x, _mean(graph, x))
        variance = _mean(graph, graph.add("Mul", centered, centered))
        epsilon = graph.constant(layer["epsilon"], np.float32)
        root = graph.add("Sqrt", graph.add("Add", variance, epsilon))
        x = _scaled(graph, own, graph.add("Div", centered, root))
    elif kind == "embedding":
        x = graph.add("Gather", graph.constant(own["table"], np.float32), graph.cast(x, "INT64"))
    elif kind == "embed_columns":
        x = _embedded(graph, layer, own, x)
    elif kind in ("reshape", "flatten"):
        x = graph.add("Reshape", x, graph.constant([0, *layer["shape"]], np.int64))
    elif kind == "residual":
        x = graph.add("Add", x, network(graph, layer["layers"], own, x))
    if "bias" in own:
        x = graph.add("Add", x, graph.constant(own["bias"], np.float32))
    return _activation(graph, layer["activation"], x)


def _embedded(graph: Graph, layer: Mapping[str, Any], own: Mapping[str, Array], x: str) -> str:
    """The other inputs, then the row of each table that a code names."""
    found = [graph.add("Gather", x, graph.constant(layer["others"], np.int64), axis=1)]
    for place in layer["places"]:
        code = graph.cast(graph.add("Gather", x, graph.constant(place, np.int64), axis=1), "INT64")
        table = graph.constant(own[f"table_{place}"], np.float32)
        found.append(graph.add("Gather", table, code))
    return graph.add("Concat", *found, axis=1)


def _scaled(graph: Graph, own: Mapping[str, Array], x: str) -> str:
    scaled = graph.add("Mul", x, graph.constant(own["scale"], np.float32))
    return graph.add("Add", scaled, graph.constant(own["shift"], np.float32))


def _mean(graph: Graph, x: str) -> str:
    return graph.add("ReduceMean", x, graph.constant([-1], np.int64), keepdims=1)


def _channels(graph: Graph, x: str, rank: int, first: bool) -> str:
    """Channels before the ``rank`` axes of places, as ONNX has them, or after, as we have them."""
    axes = [0, rank + 1, *range(1, rank + 1)] if first else [0, *range(2, rank + 2), 1]
    return graph.add("Transpose", x, perm=axes)


def _spatial(windows: Mapping[str, Any]) -> dict[str, Any]:
    before, after = zip(*windows["padding"], strict=True)
    return {
        "kernel_shape": list(windows["size"]),
        "strides": list(windows["stride"]),
        "dilations": list(windows["dilation"]),
        "pads": [*before, *after],
    }


def _convolution(graph: Graph, windows: Mapping[str, Any], kernel: Array, x: str) -> str:
    rank = len(windows["size"])
    turned = np.moveaxis(kernel, (-1, -2), (0, 1))  # (filters, channels, *size)
    weights = graph.constant(np.ascontiguousarray(turned), np.float32)
    x = graph.add("Conv", _channels(graph, x, rank, True), weights, **_spatial(windows))
    return _channels(graph, x, rank, False)


def _pool(graph: Graph, kind: str, windows: Mapping[str, Any], x: str) -> str:
    """Padded entries are ignored."""
    rank = len(windows["size"])
    op = {"max_pool": "MaxPool", "avg_pool": "AveragePool"}[kind]
    x = graph.add(op, _channels(graph, x, rank, True), **_spatial(windows))
    return _channels(graph, x, rank, False)


def _global_pool(graph: Graph, kind: str, rank: int, x: str) -> str:
    op = {"global_max_pool": "ReduceMax", "global_avg_pool": "ReduceMean"}[kind]
    return graph.add(op, x, graph.constant(range(1, rank + 1), np.int64), keepdims=0)


def _activation(graph: Graph, of: Mapping[str, Any], x: str) -> str:
    name = of["name"]
    if name in PLAIN:
        return graph.add(PLAIN[name], x)
    if name in FIELDS:
        return graph.add(FIELDS[name], x, alpha=float(of["alpha"]))
    if name == "silu":
        return graph.add("Mul", x, graph.add("Sigmoid", x))
    if name == "gelu":  # x Φ(x)
        root, half, one = (graph.constant(c, np.float32) for c in (np.sqrt(0.5), 0.5, 1.0))
        below = graph.add("Add", graph.add("Erf", graph.add("Mul", x, root)), one)
        return graph.add("Mul", graph.add("Mul", x, half), below)
    if name == "power":
        return graph.add("Pow", x, graph.constant(of["exponent"], np.float32))
    return x
