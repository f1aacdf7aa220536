"""Loss and metrics of a whole split, computed in tiles that stay in cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.autograd.engines import Bound, EngineName
from backproplab.autograd.engines import engine as engine_named
from backproplab.learners.learner import Brake, NoBrake
from backproplab.learners.material import Material
from backproplab.learners.turns import Turns
from backproplab.measures import Row
from backproplab.nn import Loss, Metric, Network, ParameterVector
from backproplab.nn.layer import Weights
from backproplab.ranks import ONE, Ranks

TILE = 1024  # most examples of a forward pass; fewer if
ENTRIES = 2**21  # the widest layer's result would have more entries


class Evaluation:
    """Measures splits with the current weights, without dropout.

    ranks: the processes that share the tiles; their sums are added in the order of the tiles.
    threads: of this process, that share its tiles.
    """

    def __init__(
        self,
        network: Network,
        parameters: ParameterVector,
        loss: Loss,
        metrics: tuple[Metric, ...],
        engine: EngineName = "auto",
        ranks: Ranks = ONE,
        threads: int = 1,
    ) -> None:
        self.ranks = ranks
        self.turns = Turns(threads)
        self.network = network
        self.parameters = parameters
        self.loss = loss
        self.metrics = metrics
        self.engine = engine_named(engine)
        self.length = tile_length(network)
        self._bound: dict[tuple[int, int], Bound] = {}  # by thread, and the size of the tile

    def __call__(
        self, inputs: Array, targets: Array, encoded: Array, brake: Brake | None = None
    ) -> dict[str, Any] | None:
        """``{"loss": …, metric: …}`` over all examples; None if the brake ended it.

        targets: as the data hold them, for the metrics; encoded: as the loss takes them.
        The mean loss is summed in float64 over tiles of examples. For a crew each value is an
        array (P,); inputs, targets and encoded may have its axis before that of the examples.
        Raises RankError if ranks have come to have different weights.
        """
        self.ranks.check_equal(self.parameters.flat)
        lead = (slice(None),) * (inputs.ndim - 1 - len(self.network.input_shape))
        examples, population = inputs.shape[len(lead)], self.parameters.population
        outputs = np.zeros((*population, examples, *self.network.output_shape), self.dtype)
        members = (slice(None),) * len(population)
        sums = np.zeros((-(-examples // self.length), *population))  # of each tile's losses
        own = self.ranks.share(len(sums))

        def compute(thread: int, number: int) -> None:
            tile = slice(number * self.length, min((number + 1) * self.length, examples))
            if number in own:
                of = inputs[*lead, tile], encoded[*lead, tile]
                outputs[*members, tile], losses = self._tile(thread, *of)
                np.sum(losses, axis=-1, dtype=np.float64, out=sums[number, ...])

        ends = (brake or NoBrake()).within_step
        whole = self.turns.take(len(sums), compute, lambda thread: None, ends)
        if not self.ranks.add(sums, outputs, unless=not whole):
            return None
        row = {"loss": sum(sums) / examples}
        of = self.loss, outputs, targets, self.loss.sample_weights(encoded)
        return row | {m.name: m.function(*of) for m in self.metrics}

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.parameters.flat.dtype

    def _tile(self, thread: int, inputs: Array, encoded: Array) -> Sequence[Array]:
        """The outputs and the losses of some examples; valid until the thread's next call."""
        key = thread, inputs.shape[-1 - len(self.network.input_shape)]
        bound = self._bound.get(key) or self._bind(key)
        bound(inputs, encoded, stay=True)
        return bound.into

    def _bind(self, key: tuple[int, int]) -> Bound:
        of_each = *self.parameters.population, key[1]
        into = [
            np.empty((*of_each, *shape), self.dtype) for shape in (self.network.output_shape, ())
        ]
        step = partial(_forward, self.network, self.loss, self.parameters.tensors())
        bound = self.engine.bind(step, list(self.parameters.views.values()), into)
        self._bound[key] = bound
        return bound


def measure_outputs(
    predict: Callable[[Array], Array], material: Material, split: str, brake: Brake
) -> list[Row] | None:
    """The row of a split from what ``predict`` gives; None if the brake ended it.

    Raises TypeError for a learner without a loss: it measures its splits itself.
    """
    of, loss = material.splits[split], material.loss
    if loss is None:
        raise TypeError("a learner without a loss measures its splits itself")
    outputs = []
    for tile in tiles(len(of), TILE, brake):
        if tile is None:
            return None
        outputs.append(predict(of.inputs[tile]))
    whole = np.concatenate(outputs)
    losses = loss(Tensor(whole), Tensor(of.encoded)).value
    row = {"loss": float(np.mean(losses, dtype=np.float64))}
    against = loss, whole, of.targets, loss.sample_weights(of.encoded)
    return [row | {m.name: float(m.function(*against)) for m in material.metrics}]


def tile_length(network: Network) -> int:
    """The most examples of a forward pass through this network."""
    widest = max(prod(place.output_shape) for place in network.places)
    return min(TILE, max(ENTRIES // widest, 1))


def tiles(examples: int, length: int, brake: Brake) -> Iterator[slice | None]:
    """Slices of ``length`` examples; None as soon as the brake ends the evaluation."""
    for start in range(0, examples, length):
        if brake.within_step():
            yield None
            return
        yield slice(start, start + length)


def _forward(
    network: Network, loss: Loss, weights: Weights, inputs: Tensor, encoded: Tensor
) -> tuple[Tensor, Tensor]:
    outputs = network(weights, inputs)
    return outputs, loss(outputs, encoded)
