"""Which tensor of a step stopped being finite first."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.streams import Chance


def first_nonfinite(
    network: Network,
    loss: Loss,
    parameters: ParameterVector,
    gradient: ParameterVector,
    chance: Chance,
    inputs: Array,
    targets: Array,
) -> str:
    """The first tensor of a training step that holds a NaN or an infinity; "" if none does.

    In the order: weights, outputs layer by layer, loss, gradients from the last layer back.
    """
    weights = parameters.tensors(tracked=True)
    for name, view in parameters.views.items():
        if problem := _nonfinite(view):
            return f"the weights {name} ({problem})"
    x = Tensor(inputs)
    for place in network.places:
        x = place.apply(weights, x, chance)
        if problem := _nonfinite(x.value):
            return f"the output of {place.name} ({problem})"
    if problem := _nonfinite(loss(x, Tensor(targets)).value):
        return f"the loss ({problem})"
    for name, view in reversed(gradient.views.items()):
        if problem := _nonfinite(view):
            return f"the gradient of {name} ({problem})"
    return ""


def _nonfinite(array: Array) -> str:
    """``3 of 320 values`` that are not finite, or nothing."""
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    return f"{bad} of {array.size} values" if bad else ""
