"""A model described in plain JSON for other programs: its preparation, its layers, its classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.errors import RunError
from backproplab.experiment import Model
from backproplab.nn import Layer
from backproplab.nn.chain import Place, chain
from backproplab.nn.convolution import Convolution
from backproplab.nn.embed_columns import EmbedColumns
from backproplab.nn.pooling import Pooling
from backproplab.nn.structure import Residual
from backproplab.tables.dialect import MARKS

KINDS = {
    *("dense", "dropout", "embedding", "embed_columns", "reshape", "flatten", "residual"),
    *("conv1d", "conv2d", "max_pool", "avg_pool", "global_max_pool", "global_avg_pool"),
    *("batch_norm", "layer_norm"),
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


def described(model: Model) -> dict[str, Any]:
    """All of the model but its weights. Raises RunError, by name, for a layer without a rule."""
    views = model.parameters.views
    dtype = np.dtype(model.experiment.dtype)
    return {
        **model.preparation.record,
        "classes": model.named,
        "id": model.intake.row_name,
        "on_logits": LOGITS.get(model.loss.name, ""),
        "dtype": dtype.name,
        "stored": dtype.newbyteorder("<").str,
        "marks": list(MARKS),
        "shapes": {name: list(view.shape) for name, view in views.items()},
        "units": model.network.output_shape[0],
        "layers": _layers(model.network.places),
    }


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
        kind = type(layer).__name__
        kind += f" with {shown['name']}" if shown["name"] not in ACTIVATIONS else ""
        raise RunError(f"the layer {place.name}, {kind}, has no export")
    found: dict[str, Any] = {"kind": layer.name, "name": place.name, "activation": shown}
    if isinstance(layer, EmbedColumns):
        found["places"] = [place for place, _, _ in layer.columns]
        found["others"] = [n for run in layer.runs(place.input_shape) for n in range(*run)]
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
