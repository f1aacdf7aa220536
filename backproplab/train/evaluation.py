"""Loss and metrics of a whole split, computed in tiles that stay in cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backproplab.autograd import Tensor
from backproplab.autograd.engines import Bound, EngineName
from backproplab.autograd.engines import engine as engine_named
from backproplab.nn import Loss, Metric, Network, ParameterVector
from backproplab.nn.layer import Weights

Array = np.ndarray[Any, Any]
TILE = 1024  # examples a forward pass, if
ENTRIES = 2**21  # the widest layer's result has no more entries


class Evaluation:
    """Measures splits with the weights as they stand, without dropout.

    engine: as of the learner.
    """

    def __init__(
        self,
        network: Network,
        parameters: ParameterVector,
        loss: Loss,
        metrics: tuple[Metric, ...],
        engine: EngineName = "auto",
    ) -> None:
        self.network = network
        self.parameters = parameters
        self.loss = loss
        self.metrics = metrics
        self.engine = engine_named(engine)
        widest = max(prod(place.output_shape) for place in network.places)
        self.length = min(TILE, max(ENTRIES // widest, 1))
        self._bound: dict[int, Bound] = {}  # by the size of the tile

    def __call__(self, inputs: Array, targets: Array, encoded: Array) -> dict[str, Any]:
        """``{"loss": …, metric: …}`` over all examples.

        targets: as the data hold them, for the metrics; encoded: as the loss takes them.
        The mean loss is summed in float64 over tiles of examples. Of a population each value is an
        array (P,); inputs, targets and encoded may have its axis before that of the examples.
        """
        lead = (slice(None),) * (inputs.ndim - 1 - len(self.network.input_shape))
        examples, population = inputs.shape[len(lead)], self.parameters.population
        outputs = np.empty((*population, examples, *self.network.output_shape), self.dtype)
        members = (slice(None),) * len(population)
        total: Any = 0.0
        for start in range(0, examples, self.length):
            tile = slice(start, start + self.length)
            predicted, losses = self._tile(inputs[*lead, tile], encoded[*lead, tile])
            outputs[*members, tile] = predicted
            total = total + np.sum(losses, axis=-1, dtype=np.float64)
        row = {"loss": total / examples}
        return row | {m.name: m.function(self.loss, outputs, targets) for m in self.metrics}

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parameters.flat.dtype

    def _tile(self, inputs: Array, encoded: Array) -> Sequence[Array]:
        """The outputs and the losses of some examples; good until the next call."""
        count = inputs.shape[-1 - len(self.network.input_shape)]
        bound = self._bound.get(count) or self._bind(count)
        bound(inputs, encoded, stay=True)
        return bound.into

    def _bind(self, count: int) -> Bound:
        of_each = *self.parameters.population, count
        into = [
            np.empty((*of_each, *shape), self.dtype) for shape in (self.network.output_shape, ())
        ]
        step = partial(_forward, self.network, self.loss, self.parameters.tensors())
        bound = self.engine.bind(step, list(self.parameters.views.values()), into)
        self._bound[count] = bound
        return bound


def _forward(
    network: Network, loss: Loss, weights: Weights, inputs: Tensor, encoded: Tensor
) -> tuple[Tensor, Tensor]:
    outputs = network(weights, inputs)
    return outputs, loss(outputs, encoded)
