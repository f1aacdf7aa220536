"""Tiles: a batch whose activations outgrow the cache is walked in parts, each with its share.

Of several threads each takes tiles of its own; of several ranks each walks its own rows. Shares
are added in the order of the tiles. This file must not know how the gradient of a part is computed.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.autograd.engines import EngineName
from backproplab.autograd.engines import engine as engine_named
from backproplab.learners.learner import Brake, NoBrake
from backproplab.learners.turns import Turns
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.ranks import ONE, Ranks
from backproplab.streams import Chance, Rows, restore_state, state_of

TILE = 2**22  # bytes that a tile's activations should stay below: a few times a core's L2 cache


class Batch(NamedTuple):
    """What a gradient is computed of: rows of the examples, None for all, ``length`` of them.

    outputs: filled with what the network gives in training, where it is wanted.
    """

    inputs: Array
    targets: Array
    rows: Array | None
    length: int
    outputs: Array | None


class TiledSource:
    """The gradient of the mean loss of a batch, as the sum of its tiles' shares.

    generator: draws for dropout in training; of a crew, ``Streams``.
    engine: how a step is computed; the numbers are the same.
    tile: examples taken at a time; by default about ``tile_length``, in equal parts.
    gradient: the twin of ``parameters`` that each call fills.
    ranks: the processes that share each batch.
    threads: that take tiles, where the order of the tiles matters to their shares alone. The
        products of each should be computed by one thread; their number changes no bit.
    refusal: why the engine ``auto`` computes eagerly; empty if it does not.
    """

    def __init__(
        self,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        generator: Chance,
        engine: EngineName = "auto",
        tile: int | None = None,
        gradient: ParameterVector | None = None,
        *,
        ranks: Ranks = ONE,
        threads: int = 1,
    ) -> None:
        self.network = network
        self.loss_function = loss
        self.parameters = parameters
        self.generator = generator
        self.ranks = ranks
        self.chance = generator if ranks.size == 1 else Rows(generator)  # of the part at hand
        self.engine = engine_named(engine)
        self.refusal = ""
        self.gradient = gradient or parameters.twin()
        self.exact_tile = tile
        self.tile = tile or tile_length(network, parameters.flat.itemsize)
        self.turns = Turns(1 if network.differs_in_training or ranks.size > 1 else threads)
        self._shares: dict[int, ParameterVector] = {}  # by thread: its tile's gradient

    def __call__(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | None = None,
        brake: Brake | None = None,
        outputs: Array | None = None,
    ) -> bool:
        """Fill ``gradient`` from the batch: the examples of these rows, or all (n, *shape).

        All of them, in the order in which they lie, are read in place and not copied.
        Each member of a crew takes rows of its own, (P, batch).
        outputs: filled with what the network gives in training, (…, batch, units).

        A batch whose activations outgrow the cache is walked in tiles of examples; each adds its
        share to the gradient, so that the mean is that of the whole batch. Between tiles the brake
        may end the step: then what they drew and what they wrote to running statistics is put
        back, and the result is False. Ranks draw as one process does, tile by tile, and add up
        the gradients of their rows; a rank without rows adds zeros.
        """
        batch = len(inputs) if rows is None else rows.shape[-1]
        tiles = self._tiles(batch)
        if len(tiles) == self.ranks.size == 1:
            whole = slice(batch) if rows is None else rows
            self._compute(inputs, targets, whole, batch, self.gradient, outputs)
            return True
        of = Batch(inputs, targets, rows, batch, outputs)
        return (self._spread if self.turns.threads > 1 else self._walk)(of, tiles, brake)

    def _walk(self, batch: Batch, tiles: list[slice], brake: Brake | None) -> bool:
        """The gradient tile by tile; False, and all is as before, if the brake ended it."""
        before, given_up, outputs = self._mark(), False, batch.outputs
        alone = sum(len(self._own(tile, batch.length)) > 0 for tile in tiles) == 1
        if not alone:
            self.gradient.flat[...] = 0
        if outputs is not None and self.ranks.size > 1:
            outputs[...] = 0
        for tile in tiles:
            if given_up := bool(brake and brake.within_step()):
                break
            part = self._own(tile, batch.length)
            if isinstance(self.chance, Rows):
                within = slice(part.start - tile.start, part.stop - tile.start)
                self.chance.of(tile.stop - tile.start, within)
            if part and alone:
                self._part(batch, part, self.gradient)
            elif part:
                self._part(batch, part, self._share(0))
                self._add(0)
            elif self.network.differs_in_training:  # the numbers of other ranks' rows
                self.network(self.parameters.tensors(), Tensor(batch.inputs[:0]), self.chance)
        found = [self.gradient.flat] if outputs is None else [self.gradient.flat, outputs]
        if not self.ranks.add(*found, unless=given_up):
            self._put_back(*before)
            return False
        return True

    def _own(self, tile: slice, batch: int) -> range:
        """The rows of a tile that are this rank's; empty at its beginning if there are none."""
        own = self.ranks.share(batch)
        start, stop = max(tile.start, own.start), min(tile.stop, own.stop)
        return range(start, stop) if start < stop else range(tile.start, tile.start)

    def _spread(self, batch: Batch, tiles: list[slice], brake: Brake | None) -> bool:
        """The gradient by several threads; False if the brake ended it."""
        self.gradient.flat[...] = 0

        def compute(thread: int, number: int) -> None:
            self._part(batch, tiles[number], self._share(thread))

        return self.turns.take(len(tiles), compute, self._add, (brake or NoBrake()).within_step)

    def _part(self, batch: Batch, part: range | slice, into: ParameterVector) -> None:
        """What a part of the batch has in its gradient."""
        at = slice(part.start, part.stop)
        of = at if batch.rows is None else batch.rows[..., at]
        own = None if batch.outputs is None else batch.outputs[..., at, :]
        self._compute(batch.inputs, batch.targets, of, batch.length, into, own)

    def _share(self, thread: int) -> ParameterVector:
        """Where the thread puts the gradient of its tile."""
        if thread not in self._shares:
            self._shares[thread] = self.parameters.twin()
        return self._shares[thread]

    def _add(self, thread: int) -> None:
        np.add(self.gradient.flat, self._shares[thread].flat, out=self.gradient.flat)

    def _tiles(self, examples: int) -> list[slice]:
        return tiles_of(examples, self.tile, self.exact_tile is not None)

    def _mark(self) -> tuple[Any, Array]:
        """What tiles move before the update: the stream of chance and the running statistics."""
        return state_of(self.generator), self.parameters.statistics.copy()

    def _put_back(self, chance: Any, statistics: Array) -> None:
        restore_state(self.generator, chance)
        self.parameters.statistics[...] = statistics

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
        raise NotImplementedError


def tiles_of(examples: int, tile: int, exact: bool) -> list[slice]:
    """The parts of a batch: of the length ``tile`` exactly, or about as long and as equal as can
    be."""
    if exact:
        bounds = [*range(0, examples, tile), examples]
    else:
        count = max((2 * examples + tile) // (2 * tile), 1)  # rounded
        bounds = [examples * k // count for k in range(count + 1)]
    return [slice(start, end) for start, end in pairwise(bounds)]


def tile_length(network: Network, itemsize: int) -> int:
    """Examples to take at a time, by the network alone: the same on every machine.

    A network whose layers look at the batch as a whole (batch normalization) takes it as a whole.
    """
    return 10**9 if network.mixes_examples else fitting_length(network, itemsize)


def fitting_length(network: Network, itemsize: int) -> int:
    """Examples whose activations, forward and backward, stay near the cache, and yet outweigh the
    weights, which every tile reads and whose gradient it writes."""
    example = 2 * network.footprint * itemsize
    return max(TILE // example, network.size * itemsize // example, 1)
