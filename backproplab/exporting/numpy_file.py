"""A model as one Python file: the code of ``standalone.py``, then the model's numbers."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from backproplab.errors import RunError
from backproplab.experiment import Model
from backproplab.exporting import standalone
from backproplab.nn import Layer
from backproplab.nn.chain import Place, chain
from backproplab.nn.convolution import Convolution
from backproplab.nn.pooling import Pooling
from backproplab.nn.structure import Residual
from backproplab.tables.dialect import MARKS

PLACES = ('MODEL: dict[str, Any] = json.loads("{}")', 'WEIGHTS = ""')  # of standalone.py
KINDS = {
    *("dense", "dropout", "embedding", "reshape", "flatten", "residual", "batch_norm"),
    *("conv1d", "conv2d", "max_pool", "avg_pool", "global_max_pool", "global_avg_pool"),
    "layer_norm",
}
ACTIVATIONS = {
    *("linear", "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "softplus", "softsign"),
    *("tanh", "sigmoid", "power"),
}
LOGITS = {  # losses whose outputs become probabilities by a function
    "softmax_cross_entropy": "softmax",
    "binary_cross_entropy": "sigmoid",
    "sigmoid_cross_entropy": "sigmoid",
}


def numpy_file(model: Model) -> str:
    """The text of the file. Raises RunError, by name, for a layer that has no rule here."""
    views = model.parameters.views
    dtype = np.dtype(model.experiment.dtype)
    description = {
        **model.preparation.record,
        "classes": model.named,
        "on_logits": LOGITS.get(model.loss.name, ""),
        "dtype": dtype.name,
        "stored": dtype.newbyteorder("<").str,
        "marks": list(MARKS),
        "shapes": {name: list(view.shape) for name, view in views.items()},
        "layers": _layers(model.network.places),
    }
    flat = np.concatenate([view.ravel() for view in views.values()]).astype(description["stored"])
    source = Path(standalone.__file__).read_text(encoding="utf-8")
    numbers = (
        f"MODEL: dict[str, Any] = json.loads(\n    {json.dumps(description)!r}\n)",
        '"""'.join(["WEIGHTS = ", _lines(flat.tobytes()), ""]),
    )
    for place, text in zip(PLACES, numbers, strict=True):
        source = source.replace(f"\n{place}\n", f"\n{text}\n", 1)
    return source


def is_numpy_file(content: bytes) -> bool:
    """Whether this is a file that ``numpy_file`` wrote."""
    return b"Written by `backproplab export RUN --numpy" in content[:2000]


def _lines(content: bytes) -> str:
    return "\n".join(wrap(base64.b64encode(content).decode(), 76))


def _layers(places: Sequence[Place]) -> list[dict[str, Any]]:
    return [_layer(place) for place in places]


def _layer(place: Place) -> dict[str, Any]:
    """A layer as ``standalone.apply`` takes it."""
    layer = place.layer
    fields = layer.model_dump()
    activation = getattr(layer, "activation", None)
    if layer.name in ACTIVATIONS:
        shown: dict[str, Any] = {"name": layer.name, **fields}
    else:
        shown = (
            {"name": activation.name, **activation.model_dump()}
            if activation
            else {"name": "linear"}
        )
    known = layer.name in KINDS | ACTIVATIONS and shown["name"] in ACTIVATIONS
    if not known or type(layer) is not Layer.members[layer.name]:  # another parametrization
        raise RunError(f"the layer {place.name}, {type(layer).__name__}, has no export to NumPy")
    found: dict[str, Any] = {"kind": layer.name, "name": place.name, "activation": shown}
    if "epsilon" in fields:
        found["epsilon"] = fields["epsilon"]
    if layer.name in ("reshape", "flatten"):
        found["shape"] = list(place.output_shape)
    if isinstance(layer, Convolution | Pooling):
        seen = layer.windows if isinstance(layer, Convolution) else layer.windows(place.input_shape)
        around = seen.paddings(place.input_shape[:-1], layer.padding)
        sizes = {"size": seen.size, "stride": seen.stride, "dilation": seen.dilation}
        found["windows"] = {**sizes, "padding": around}
    if isinstance(layer, Residual):
        found["layers"] = _layers(chain(layer.layers, place.input_shape))
    return found
