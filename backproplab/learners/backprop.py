"""Backpropagation: one forward pass, one backward pass, every derivative of a batch's mean loss.

It knows no loop, no optimizer and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, ops
from backproplab.autograd.engines import Bound
from backproplab.autograd.engines.plan import Plan
from backproplab.learners.tiles import TiledSource
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.streams import Chance

Key = tuple[int, int, int]


class BackpropSource(TiledSource):
    """The gradient of the mean loss of a batch, by automatic differentiation."""

    @cached_property
    def _bound(self) -> dict[Key, Bound]:
        """By the size of the batch, of the part whose outputs are wanted, and what is filled."""
        return {}

    def loss(self, inputs: Array, targets: Array) -> Any:
        """The mean loss of a batch in training: a number, or one for each member."""
        weights, total = self.parameters.tensors(), 0.0
        for tile in self._tiles(len(inputs)):
            outputs = self.network(weights, Tensor(inputs[tile]), self.generator)
            total += ops.sum(self.loss_function(outputs, Tensor(targets[tile])), axis=-1).value
        return total / len(inputs)

    def _compute(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | slice,
        batch: int,
        into: ParameterVector,
        outputs: Array | None,
    ) -> None:
        """The part that these rows have in the gradient of a batch of ``batch`` examples."""
        key = batch, 0 if outputs is None else outputs.shape[-2], id(into)
        bound = self._bound.get(key) or self._bind(key, into, outputs)
        bound.of_rows(rows, inputs, targets)
        if outputs is not None:
            np.copyto(outputs, bound.into[-1])
        self.refusal = self.refusal or bound.refusal

    def ahead(
        self, inputs: Array, targets: Array, rows: tuple[int, ...], with_outputs: bool
    ) -> tuple[Plan, int, Array] | None:
        """What computes the gradient of so shaped rows, as ``Bound.ahead``, and the last array
        that it fills: the outputs, where they are wanted. None also for several tiles, and for
        several ranks, whose gradients have to be added."""
        key = rows[-1], rows[-1] if with_outputs else 0, id(self.gradient)
        parts = max(len(self._tiles(rows[-1])), self.ranks.size)
        if parts > 1 or key not in self._bound:
            return None
        bound = self._bound[key]
        found = bound.ahead(rows, inputs, targets)
        return found and (*found, bound.into[-1])

    def _bind(self, key: Key, into: ParameterVector, outputs: Array | None) -> Bound:
        memory, wanted = list(self.parameters.views.values()), list(into.views.values())
        if outputs is not None:
            wanted.append(np.empty_like(outputs))
        step = partial(
            _gradients, self.network, self.loss_function, self.parameters, self.chance,
            list(into.views), key[0], outputs is not None,
        )  # fmt: skip  # not a method: it would refer to its owner, and neither would be freed
        self._bound[key] = self.engine.bind(step, memory, wanted)
        return self._bound[key]


def _gradients(
    network: Network, loss: Loss, parameters: ParameterVector, generator: Chance,
    names: Sequence[str], batch: int, with_outputs: bool, inputs: Tensor, targets: Tensor,
) -> Sequence[Tensor]:  # fmt: skip
    """∂/∂weights of the sum of these examples' losses, divided by the size of the batch.

    with_outputs: followed by what the network gives.
    """
    weights = parameters.tensors(tracked=True)
    outputs = network(weights, inputs, generator)
    mean = ops.sum(loss(outputs, targets), axis=-1) / batch
    seed = ops.ones_like(Tensor(mean.value))
    found = backward(mean, seed, [weights[name] for name in names])
    return [*found, outputs] if with_outputs else found
