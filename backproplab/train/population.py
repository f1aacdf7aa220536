"""Population: runs of one shape, trained in lockstep: a step of all of them is one step of arrays
with a leading axis of members.

Each member keeps its own Trainer: state, callbacks, streams, rate. After every epoch its weights,
gradient and slots are brought to it, so what it writes down is what it would write alone. This
file must not know where runs are written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import numpy as np

from backproplab.columns import merged
from backproplab.data import Order
from backproplab.errors import DivergedError
from backproplab.learners import Backprop
from backproplab.nn import Initializer, ParameterVector
from backproplab.optim import Updater
from backproplab.streams import Streams
from backproplab.train.distributions import Distribution, distributions
from backproplab.train.evaluation import Evaluation
from backproplab.train.loop import Array, Split, Trainer, all_finite, watched
from backproplab.train.state import Row

Ended = tuple[Trainer, DivergedError | None]


def train_together(trainers: Sequence[Trainer]) -> Iterator[Ended]:
    """Train all of them; each is given back after its last epoch, with the error if it diverged.

    They must be alike in all but what ``merged`` makes columns of, and stand at the same step.
    Callbacks are not told of single steps.
    """
    rest = list(trainers)
    while rest:
        with np.errstate(all="ignore"):
            ended = Population(rest).train()
        yield from ended
        gone = [trainer for trainer, _ in ended]
        rest = [trainer for trainer in rest if trainer not in gone]


class Population:
    """Members that train together until the first of them ends."""

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        first = trainers[0]
        self.trainers = tuple(trainers)
        self.step, self.examples = first.state.step, first.state.examples
        self.rates, self.rates_move = self._rates(), any(t.rate.moves for t in trainers)
        self.parameters = _stacked([t.parameters for t in trainers])
        self.learner = Backprop(
            merged([t.learner.network for t in trainers], (Initializer,)),
            first.learner.loss_function,
            self.parameters,
            Streams([t.chance for t in trainers]),
            first.learner.engine,
            first.learner.exact_tile,
        )
        self.slots = {n: _stacked([t.slots[n] for t in trainers]) for n in first.slots}
        self.updater = Updater(
            merged([t.optimizer for t in trainers]),
            self.parameters.trainable,
            self.gradient.flat,
            {name: vector.flat for name, vector in self.slots.items()},
        )
        self.evaluation = Evaluation(
            self.learner.network,
            self.parameters,
            first.learner.loss_function,
            first.evaluation.metrics,
            first.learner.engine,
        )
        self.train_split = Together([t.train for t in trainers])
        held_out = [t.validation for t in trainers if t.validation]
        self.validation = Together(held_out) if held_out else None
        self.spread: dict[str, list[Distribution]] = {}  # by array and member, of this epoch
        for number, trainer in enumerate(trainers):
            trainer.distributions = partial(self._distributions, number)
            trainer.sharing = len(trainers)
        self.orders = _shared([t.order for t in trainers])
        for trainer, order in zip(trainers, self.orders, strict=True):
            trainer.order = order
        self.live = dict(enumerate(trainers))
        self.ended: list[Ended] = []
        self.parted: dict[int, Any] = {}  # dropout's stream of those that diverged, as it stood

    @property
    def gradient(self) -> ParameterVector:
        return self.learner.gradient

    def train(self) -> list[Ended]:
        """Epoch after epoch until members end: those, with their errors."""
        while not self.ended:
            self._epoch()
            self.ended += [(t, None) for t in self.live.values() if t.state.stop_reason]
        for trainer, _ in self.ended:
            trainer.order = deepcopy(trainer.order)  # others go on with theirs
        return self.ended

    def _epoch(self) -> None:
        first = self.trainers[0]
        drawn = {order: order.draw() for order in dict.fromkeys(self.orders)}
        rows = np.stack([drawn[order] for order in self.orders])  # (P, examples)
        for start in range(0, rows.shape[1], first.order.length):
            self._step(rows[:, start : start + first.order.length])
            if first.steps is not None and self.step >= first.steps:
                for trainer in self.trainers:
                    trainer.state.request_stop("max_steps")
                break
        for number in self.live:
            self._bring_to(number)
        for number, state in self.parted.items():
            self.trainers[number].chance.bit_generator.state = state
        self.spread = {}
        validation = self._measured(self.validation) if self.validation else [{}] * len(rows)
        train = self._measured(self.train_split)
        for number, trainer in list(self.live.items()):
            try:
                trainer.close_epoch(train[number], validation[number])
            except DivergedError as error:
                self._end(number, error)

    def _step(self, rows: Array) -> None:
        """One update of every member from its own examples (P, batch)."""
        split, first = self.train_split, self.trainers[0]
        self.learner(split.inputs, split.encoded, rows + split.offsets)
        if not all_finite(self.gradient.flat.ravel()):
            self._part_with(rows)
        if first.clipping:
            first.clipping.clip(self.gradient.flat, self.gradient.views)
        rates = self._rates() if self.rates_move else self.rates
        self.step += 1
        self.examples += rows.shape[1]
        self.updater(rates, self.step)

    def _rates(self) -> Array:
        """Of the next update, (P, 1)."""
        return np.array([[trainer.rate(self.step)] for trainer in self.trainers])

    def _part_with(self, rows: Array) -> None:
        """Note the members that diverged. Their numbers go on to the end of the epoch, unread."""
        broken = ~np.isfinite(self.gradient.flat).all(axis=-1, keepdims=True).ravel()
        for number in [number for number in self.live if broken[number]]:
            self._bring_to(number)
            self._end(number, self.trainers[number].diverged(rows[number]))
            self.parted[number] = self.trainers[number].chance.bit_generator.state

    def _end(self, number: int, error: DivergedError) -> None:
        self.ended.append((self.live.pop(number), error))

    def _bring_to(self, number: int) -> None:
        trainer = self.trainers[number]
        trainer.state.step, trainer.state.examples = self.step, self.examples
        trainer.learner.refusal = self.learner.refusal
        trainer.parameters.flat[...] = self.parameters.flat[number]
        trainer.gradient.flat[...] = self.gradient.flat[number]
        for name, vector in self.slots.items():
            trainer.slots[name].flat[...] = vector.flat[number]

    def _distributions(self, number: int) -> dict[str, Distribution]:
        """A member's; those of all are made when the first one asks."""
        if not self.spread:
            arrays = watched(self.learner).items()
            count = len(self.trainers)
            self.spread = {tag: distributions(x.reshape(count, -1)) for tag, x in arrays}
        return {tag: spreads[number] for tag, spreads in self.spread.items()}

    def _measured(self, split: Together) -> list[Row]:
        """Loss and metrics of a split, member by member."""
        whole = split.stacked
        found = self.evaluation(whole.inputs, whole.targets, whole.encoded)
        return [
            {name: float(values[number]) for name, values in found.items()}
            for number in range(len(self.trainers))
        ]


class Together:
    """One split of each member.

    stacked: their arrays, (n, …) if all have the same ones, else (P, n, …).
    inputs, encoded: the same with all examples on one axis.
    offsets: where on it each member's begin, (P, 1).
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        first, count = splits[0], len(splits[0])
        self.stacked, self.inputs, self.encoded = first, first.inputs, first.encoded
        self.offsets = np.zeros((len(splits), 1), np.intp)
        if any(split.inputs is not first.inputs for split in splits):
            self.stacked = Split(
                np.stack([split.inputs for split in splits]),
                np.stack([split.targets for split in splits]),
                np.stack([split.encoded for split in splits]),
            )
            self.inputs, self.encoded = (
                array.reshape(-1, *array.shape[2:])
                for array in (self.stacked.inputs, self.stacked.encoded)
            )
            self.offsets += count * np.arange(len(splits))[:, None]


def _shared(orders: Sequence[Order]) -> list[Order]:
    """For each the first that stands where it does: members of one seed take the same batches."""
    first: dict[Any, Order] = {}
    return [first.setdefault(order.place, order) for order in orders]


def _stacked(vectors: Sequence[ParameterVector]) -> ParameterVector:
    """The members' vectors as one, (P, n)."""
    first = vectors[0]
    statistics = {n: s for n, s in first.shapes.items() if n not in first.weights}
    whole = ParameterVector(first.weights, first.flat.dtype, (len(vectors),), statistics)
    np.stack([vector.flat for vector in vectors], out=whole.flat)
    return whole
