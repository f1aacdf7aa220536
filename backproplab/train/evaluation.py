"""Loss and metrics of a whole split, computed in tiles that stay in cache."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from backproplab.autograd import Tensor
from backproplab.nn import Loss, Metric, Network, ParameterVector

Array = np.ndarray[Any, Any]
TILE = 1024  # examples a forward pass, if
ENTRIES = 2**21  # the widest layer's result has no more entries


def evaluate(
    network: Network,
    parameters: ParameterVector,
    loss: Loss,
    metrics: tuple[Metric, ...],
    inputs: Array,
    targets: Array,
    encoded: Array,
) -> dict[str, Any]:
    """``{"loss": …, metric: …}`` over all examples, without dropout.

    targets: as the data hold them, for the metrics; encoded: as the loss takes them.
    The mean loss is summed in float64 over tiles of examples. Of a population each value is an
    array (P,); inputs, targets and encoded may have its axis before that of the examples.
    """
    widest = max(prod(place.output_shape) for place in network.places)
    length = min(TILE, max(ENTRIES // widest, 1))
    weights = parameters.tensors()
    lead = (slice(None),) * (inputs.ndim - 1 - len(network.input_shape))
    examples = inputs.shape[len(lead)]
    outputs: list[Array] = []
    total: Any = 0.0
    for start in range(0, examples, length):
        tile = (*lead, slice(start, start + length))
        y = network(weights, Tensor(inputs[tile]))
        outputs.append(y.value)
        total = total + np.sum(loss(y, Tensor(encoded[tile])).value, axis=-1, dtype=np.float64)
    predicted = np.concatenate(outputs, axis=-2)
    row = {"loss": total / examples}
    return row | {m.name: m.function(loss, predicted, targets) for m in metrics}
