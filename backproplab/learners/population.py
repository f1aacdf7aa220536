"""PopulationLoss: the training loss of many weight vectors at once, along the leading axis.

It makes forward passes only, and knows nothing of how the vectors were found.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from math import prod
from typing import NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.autograd.engines import Bound
from backproplab.autograd.engines import engine as engine_named
from backproplab.learners.evaluation import tile_length, tiles
from backproplab.learners.learner import Brake
from backproplab.learners.material import Material
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.nn.layer import Weights

CHUNK = 2**21  # bytes that the widest activations of one chunk of members should stay below


class Chunk(NamedTuple):
    """Memory for some members, and the step that computes their losses on a tile of examples."""

    parameters: ParameterVector
    bounds: dict[int, Bound]  # by the number of examples


class PopulationLoss:
    """The mean loss of the training examples for each of many weight vectors.

    members: vectors computed in one set of NumPy calls, so that their activations stay in the
        cache. It depends on the network and the data alone.
    refusal: why the engine ``auto`` computes eagerly; empty if it does not.
    """

    def __init__(self, material: Material, network: Network, loss: Loss) -> None:
        self.network, self.loss = network, loss
        self.train = material.train
        self.dtype = material.dtype
        self.engine = engine_named(material.engine)
        self.refusal = ""
        self.tile = tile_length(network)
        examples = min(self.tile, len(self.train))
        widest = max(prod(place.output_shape) for place in network.places)
        self.members = max(CHUNK // (self.dtype.itemsize * examples * widest), 1)
        self._chunks: dict[int, Chunk] = {}  # by the number of members

    def __call__(self, vectors: Array, brake: Brake) -> Array | None:
        """The losses (P,) in float64 of ``vectors`` (P, n); None if the brake ended it.

        A member's loss does not depend on the other members. One that is not a number is ∞, so
        that it is the worst.
        """
        count = len(vectors)
        parts = -(-count // self.members)
        losses = np.empty(count)
        for start, end in pairwise([count * k // parts for k in range(parts + 1)]):
            found = self._of_chunk(vectors[start:end], brake)
            if found is None:
                return None
            losses[start:end] = found
        return np.nan_to_num(losses, copy=False, nan=np.inf, posinf=np.inf)

    def _of_chunk(self, vectors: Array, brake: Brake) -> Array | None:
        members = len(vectors)
        if members not in self._chunks:
            self._chunks[members] = Chunk(self.network.parameters(self.dtype, (members,)), {})
        chunk, train = self._chunks[members], self.train
        chunk.parameters.flat[...] = vectors
        total = np.zeros(members)
        for tile in tiles(len(train), self.tile, brake):
            if tile is None:
                return None
            inputs, encoded = train.inputs[tile], train.encoded[tile]
            bound = chunk.bounds.get(len(inputs)) or self._bind(chunk, len(inputs))
            bound(inputs, encoded, stay=True)
            total += np.add.reduce(bound.into[0], axis=-1, dtype=np.float64)
            self.refusal = bound.refusal
        return total / len(train)

    def _bind(self, chunk: Chunk, examples: int) -> Bound:
        parameters = chunk.parameters
        into = [np.empty((*parameters.population, examples), self.dtype)]
        step = partial(_losses, self.network, self.loss, parameters.tensors())
        bound = self.engine.bind(step, list(parameters.views.values()), into)
        chunk.bounds[examples] = bound
        return bound


def _losses(
    network: Network, loss: Loss, weights: Weights, inputs: Tensor, encoded: Tensor
) -> tuple[Tensor]:
    return (loss(network(weights, inputs), encoded),)
