"""A model as an ONNX file, its preparation inside; onnxruntime must agree before it is written."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import ConfigError, RunError
from backproplab.experiment import Model
from backproplab.exporting import onnx_columns
from backproplab.exporting.describing import described
from backproplab.exporting.onnx_graph import ML, Graph, network

OPSET, ML_OPSET, IR = 20, 3, 9  # 20 is the first with StringSplit, for dates
TOLERANCE = 1e-5  # relative to numbers above 1
CHECKED = 64  # rows that both compute
PRODUCER = "backproplab"


def onnx_file(model: Model) -> tuple[bytes, float]:
    """The file, and the largest difference from the model on rows that are made up.

    Raises RunError for what has no rule, or for a difference above 1e-5; ConfigError if onnx or
    onnxruntime is missing.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError:
        raise ConfigError("--onnx needs pip install 'backproplab[onnx]'") from None
    proto = _proto(model)
    onnx.checker.check_model(proto, full_check=True)
    content = proto.SerializeToString()
    difference = _difference(model, content)
    if not difference <= TOLERANCE:
        what = f"{model.folder}: onnxruntime differs from the run by {difference:.2g}"
        raise RunError(f"{what}, more than {TOLERANCE:g}; nothing was written")
    return content, difference


def is_onnx_file(content: bytes) -> bool:
    """Whether this is a file that ``onnx_file`` made: the producer is one of its first fields."""
    return PRODUCER.encode() in content[:64]


def _proto(model: Model) -> Any:
    from onnx import helper

    description, graph = described(model), Graph()
    _with_ranks(description["layers"], model)
    if "columns" in description:
        inputs = [_column_input(each) for each in description["columns"]]
        x = onnx_columns.columns(graph, description["columns"])
    else:
        shape = ["n", *description["shape"]]
        inputs = [helper.make_tensor_value_info("inputs", _type("DOUBLE"), shape)]
        x = onnx_columns.array(graph, description, "inputs")
    y = network(graph, description["layers"], model.parameters.views, x)
    outputs = _classified(graph, description, y) if model.classes else _real(graph, description, y)
    made = helper.make_graph(graph.nodes, "model", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(ML, ML_OPSET)]
    proto = helper.make_model(made, producer_name=PRODUCER, opset_imports=opsets, ir_version=IR)
    helper.set_model_props(proto, _about(model, description))
    return proto


def _type(kind: str) -> int:
    from onnx import TensorProto

    return int(getattr(TensorProto, kind))


def _column_input(each: Mapping[str, Any]) -> Any:
    from onnx import helper

    kind = "DOUBLE" if each["kind"] == "numeric" else "STRING"
    return helper.make_tensor_value_info(each["name"], _type(kind), ["n", 1])


def _with_ranks(layers: Sequence[dict[str, Any]], model: Model) -> None:
    """How many axes of places the inputs of a global pooling have."""
    for layer, place in zip(layers, model.network.places, strict=True):
        layer["rank"] = len(place.input_shape) - 1


def _classified(graph: Graph, description: Mapping[str, Any], y: str) -> list[Any]:
    """``prediction`` (n,), a class as the target has it, and ``probabilities`` (n, classes)."""
    from onnx import helper

    classes, logits = description["classes"], description["on_logits"]
    one = description["units"] == 1  # which two classes share
    p = graph.add("Softmax", y, axis=1) if logits == "softmax" else y
    p = graph.add("Sigmoid", p) if logits == "sigmoid" else p
    if one:
        other = graph.add("Sub", graph.constant(1, np.float32), p)
        p = graph.add("Concat", other, p, axis=1)
        limit = graph.constant(0 if logits == "sigmoid" else 0.5, np.float32)
        chosen = graph.add("Flatten", graph.add("Greater", y, limit), axis=1)
        code = graph.add("Reshape", graph.cast(chosen, "INT64"), graph.constant([-1], np.int64))
    else:
        code = graph.add("ArgMax", y, axis=1, keepdims=0)
    bounds = graph.constant(0, np.float32), graph.constant(1, np.float32)
    graph.named("Clip", "probabilities", p, *bounds)
    texts = isinstance(classes[0], str)
    names = graph.constant(classes, object if texts else np.int64)
    graph.named("Gather", "prediction", names, code)
    return [
        helper.make_tensor_value_info("prediction", _type("STRING" if texts else "INT64"), ["n"]),
        helper.make_tensor_value_info("probabilities", _type("FLOAT"), ["n", len(classes)]),
    ]


def _real(graph: Graph, description: Mapping[str, Any], y: str) -> list[Any]:
    """``prediction`` (n, targets), in the units of the target."""
    from onnx import helper

    scale, shift = (
        graph.constant(description["targets"][key], np.float64) for key in ("scale", "shift")
    )
    graph.named("Add", "prediction", graph.add("Mul", graph.cast(y, "DOUBLE"), scale), shift)
    shape = ["n", description["units"]]
    return [helper.make_tensor_value_info("prediction", _type("DOUBLE"), shape)]


def _about(model: Model, description: Mapping[str, Any]) -> dict[str, str]:
    inputs = [
        {"name": each["name"], "kind": each["kind"], "format": each.get("format", "")}
        for each in description.get("columns", ())
    ]
    about = {
        "run": str(model.folder),
        "weights": model.weights,
        "classes": json.dumps(description["classes"]),
        "inputs": json.dumps(inputs or [{"name": "inputs", "shape": description["shape"]}]),
        "missing": "NaN for a number, an empty text for any other",
    }
    return about


def _difference(model: Model, content: bytes) -> float:
    """The largest |onnxruntime - run| / max(1, |run|) of probabilities or numbers."""
    import onnxruntime

    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(content, settings, providers=["CPUExecutionProvider"])
    name = "probabilities" if model.classes else "prediction"
    ask = model.probabilities if model.classes else model.predict
    worst = 0.0
    for feed, data in _rows(model):
        found = session.run([name], feed)[0]
        ours = np.asarray(ask(data), np.float64).reshape(found.shape)
        size = np.maximum(1, np.abs(ours))
        worst = max(worst, float(np.max(np.abs(found - ours) / size, initial=0.0)))
    return worst


def _rows(model: Model) -> Iterator[tuple[dict[str, Array], Any]]:
    """Made-up rows as the graph takes them, and as the model does."""
    description, chance = described(model), np.random.default_rng(0)
    if "columns" not in description:
        scaler = description["inputs"]
        drawn = chance.normal(size=(CHECKED, *description["shape"]))
        x = drawn * np.array(scaler["scale"]) + np.array(scaler["shift"])
        yield {"inputs": x}, x
        return
    cells = {each["name"]: _cells(each, chance) for each in description["columns"]}
    feed: dict[str, Array] = {}
    for each in description["columns"]:
        numeric, own = each["kind"] == "numeric", cells[each["name"]]
        values: Any = [float(cell or "nan") for cell in own] if numeric else own
        feed[each["name"]] = np.array(values, np.float64 if numeric else object)[:, None]
    with TemporaryDirectory(prefix="backproplab-onnx-") as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([list(cells), *zip(*cells.values(), strict=True)])
        yield feed, path


def _cells(each: Mapping[str, Any], chance: np.random.Generator) -> list[str]:
    """Cells of a column: usual ones, missing ones, far ones, unseen ones."""
    if each["kind"] == "categorical":
        known = [*each["levels"], "", "(never seen)"]
        return [known[i] for i in chance.integers(len(known), size=CHECKED)]
    if each["kind"] == "boolean":
        known = [*each["words"], ""]
        return [known[i] for i in chance.integers(len(known), size=CHECKED)]
    if each["kind"] == "date":
        days = chance.integers(-20_000, 30_000, size=CHECKED).astype("datetime64[D]")
        texts = [day.item().strftime(each["format"]) for day in days]
        return ["", *texts[1:]]
    spread = chance.normal(size=CHECKED) * np.where(np.arange(CHECKED) % 8, 1, 100)
    numbers = spread * each["scale"][0] + each["shift"][0]
    return ["", *(repr(float(number)) for number in numbers[1:])]
