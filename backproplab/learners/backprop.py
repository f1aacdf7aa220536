"""Backpropagation: one forward pass, one backward pass, every gradient.

A learner turns a batch into a loss and a gradient in the flat vector. It knows no loop, no
optimizer and no file.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import Tensor, backward, ops
from backproplab.nn import Loss, Network, ParameterVector

Array = np.ndarray[Any, Any]


class Backprop:
    """The mean loss of a batch and its gradient.

    network, loss: what is computed.  parameters: where the weights stand.
    generator: draws what layers do by chance (dropout) in training.
    gradient: the twin of ``parameters`` that each call fills.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        generator: np.random.Generator,
    ) -> None:
        self.network = network
        self.loss = loss
        self.parameters = parameters
        self.gradient = parameters.twin()
        self.generator = generator

    def __call__(self, inputs: Array, targets: Array) -> Any:
        """The mean loss over the batch (…, n): a number, or one for each member."""
        weights = self.parameters.tensors(tracked=True)
        outputs = self.network(weights, Tensor(inputs), self.generator)
        loss = ops.mean(self.loss(outputs, Tensor(targets)), axis=-1)
        moved = [weights[name] for name in self.gradient.views]
        gradients = backward(loss, Tensor(np.ones_like(loss.value)), moved)
        for view, gradient in zip(self.gradient.views.values(), gradients, strict=True):
            np.copyto(view, gradient.value)
        return loss.value

    def first_nonfinite(self, inputs: Array, targets: Array) -> str:
        """Name the first tensor of the step that holds a NaN or an infinity; "" if none does.

        Forward layer by layer, then the loss, then the gradients from the last layer back.
        """
        weights = self.parameters.tensors(tracked=True)
        for name, view in self.parameters.views.items():
            if problem := _nonfinite(view):
                return f"the weights {name} ({problem})"
        x = Tensor(inputs)
        for place in self.network.places:
            x = place.apply(weights, x, self.generator)
            if problem := _nonfinite(x.value):
                return f"the output of {place.name} ({problem})"
        if problem := _nonfinite(self.loss(x, Tensor(targets)).value):
            return f"the loss ({problem})"
        for name, view in reversed(self.gradient.views.items()):
            if problem := _nonfinite(view):
                return f"the gradient of {name} ({problem})"
        return ""


def _nonfinite(array: Array) -> str:
    """``3 of 320 values`` that are not finite, or nothing."""
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    return f"{bad} of {array.size} values" if bad else ""
