"""Numeric: each derivative as a difference of two losses, of copies of the network.

Copies that differ in one weight each are a leading axis, and as many as keep near the cache are
computed together. Losses are float64 whatever the weights are: a difference of float32 losses
has no digits left. This file must not know how losses are used.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from time import perf_counter
from typing import Any, Literal, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops
from backproplab.autograd.engines import Bound, EngineName
from backproplab.autograd.engines import engine as engine_named
from backproplab.learners.learner import Brake
from backproplab.learners.material import Material
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.streams import Chance, Shared, restore_state, state_of

Scheme = Literal["central", "forward"]
BYTES = 2**20  # that the copies computed together, with their activations, should stay below
# √ε and ∛ε: what rounding adds to a difference of losses is as large as what the step leaves out
STEPS = {"forward": np.finfo(float).eps ** (1 / 2), "central": np.finfo(float).eps ** (1 / 3)}


class Sizes(NamedTuple):
    """Copies of the network, and examples, that are computed together."""

    copies: int
    examples: int


def sizes(network: Network, batch: int, tile: int | None = None) -> Sizes:
    """By the network and the batch alone: the same on every machine.

    tile: how many examples a network is to see at once, if that is given.
    """
    example = network.footprint * 8
    most = batch if network.mixes_examples else max(BYTES // example, 1)
    examples = min(batch, tile or most)
    copies = max(BYTES // (examples * example + network.size * 8), 1)
    chunks = max(-(-network.size // copies), 1)
    return Sizes(-(-network.size // chunks), examples)


class NumericSource:
    """The gradient of the mean loss of a batch: (f(θ + h eᵢ) - f(θ - h eᵢ)) / 2h for each weight i.

    scheme: ``forward`` is (f(θ + h eᵢ) - f(θ)) / h, with half the passes and fewer digits.
    step: h; by default for each weight the scheme's of STEPS, times |θᵢ| where this is above 1.
    tile: examples taken at a time; by default as many as keep near the cache.
    gradient: the twin of ``parameters`` that each call fills.
    refusal: why the engine ``auto`` computes eagerly; empty if it does not.

    All copies get one mask for dropout. Running statistics move as in one pass in training.
    """

    def __init__(
        self,
        scheme: Scheme,
        step: float | None,
        network: Network,
        loss: Loss,
        parameters: ParameterVector,
        generator: Chance,
        engine: EngineName = "auto",
        tile: int | None = None,
        gradient: ParameterVector | None = None,
    ) -> None:
        self.scheme, self.step = scheme, step
        self.network, self.loss_function = network, loss
        self.parameters, self.generator = parameters, generator
        self.engine, self.exact_tile = engine_named(engine), tile
        self.gradient = gradient or parameters.twin()
        self.refusal = ""
        self._copies: dict[int, Copies] = {}  # by the size of the batch

    def __call__(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | None = None,
        brake: Brake | None = None,
        outputs: Array | None = None,
    ) -> bool:
        """Fill ``gradient``; False, and nothing has changed, if the brake ended it midway."""
        if rows is not None:
            inputs, targets = inputs.take(rows, axis=0), targets.take(rows, axis=0)
        copies = self._copies.get(len(inputs)) or self._begin(len(inputs))
        before = state_of(self.generator)
        slopes = np.empty(len(self.parameters))
        for part, found in self._slopes(copies, inputs.astype(np.float64), double(targets)):
            if brake and brake.within_step():
                restore_state(self.generator, before)
                return False
            slopes[part] = found
        self.gradient.flat[...] = slopes
        self.refusal = copies.refusal
        if outputs is not None or self.parameters.statistics.size:
            self._pass_once(before, inputs, outputs)
        return True

    def _begin(self, batch: int) -> Copies:
        own = self.network, self.loss_function, self.parameters, self.generator, self.engine
        self._copies[batch] = Copies(*own, sizes(self.network, batch, self.exact_tile))
        return self._copies[batch]

    def _slopes(self, copies: Copies, x: Array, t: Array) -> Iterator[tuple[slice, Array]]:
        """The derivatives, some weights at a time; the stream of chance moves once in all."""
        theta = self.parameters.trainable.astype(np.float64)
        steps = self._steps(theta)
        above, below = theta + steps, theta - steps if self.scheme == "central" else theta
        copies.reset(theta, x, t)
        here = None if self.scheme == "central" else copies.losses()[0]
        for part in copies.parts:
            high = copies.changed(part, above)
            low = copies.changed(part, below) if here is None else here
            copies.restore(part, theta)
            yield part, (high - low) / (above[part] - below[part])

    def _steps(self, theta: Array) -> Array:
        if self.step is not None:
            return np.full_like(theta, self.step)
        return STEPS[self.scheme] * np.maximum(np.abs(theta), 1)

    def _pass_once(self, before: Any, inputs: Array, outputs: Array | None) -> None:
        """One pass in training with the masks of the copies: outputs and running statistics."""
        restore_state(self.generator, before)
        length = sizes(self.network, len(inputs), self.exact_tile).examples
        for start in range(0, len(inputs), length):
            tile = slice(start, start + length)
            found = self.network(self.parameters.tensors(), Tensor(inputs[tile]), self.generator)
            if outputs is not None:
                outputs[tile] = found.value


class Copies:
    """Float64 copies of the network, as rows of one array, and their losses on one batch.

    parts: slices of the weights; copy k of a part has another value of the part's k-th weight.
    """

    def __init__(
        self, network: Network, loss: Loss, parameters: ParameterVector, generator: Chance,
        engine: Any, lengths: Sizes,
    ) -> None:  # fmt: skip
        assert isinstance(generator, np.random.Generator)
        self.length, self.chance = lengths.examples, Shared(generator)
        self.network, self.loss, self.engine = network, loss, engine
        self.statistics = parameters.statistics
        names = {n: s for n, s in parameters.shapes.items() if n not in parameters.weights}
        self.own = ParameterVector(parameters.weights, np.float64, (lengths.copies,), names)
        n, trainable = len(parameters), self.own.trainable
        self.parts = [slice(a, min(a + lengths.copies, n)) for a in range(0, n, lengths.copies)]
        # views of the entries (k, k) of each part's columns
        self._diagonals = {
            part.start: np.einsum("kk->k", trainable[: part.stop - part.start, part])
            for part in self.parts
        }
        self._bound: dict[int, tuple[Array, Array, Bound]] = {}  # by the number of examples

    def reset(self, theta: Array, x: Array, t: Array) -> None:
        """All copies as the network is, and the batch that they are to see."""
        self.own.trainable[...] = theta
        self.own.statistics[...] = self.statistics
        self.before, self.draws = state_of(self.chance), True
        tiles = [slice(at, at + self.length) for at in range(0, len(x), self.length)]
        self.batch, self.examples = [(x[tile], t[tile]) for tile in tiles], len(x)
        self.is_new = True  # the memory that a replay reads has another batch

    def changed(self, part: slice, values: Array) -> Array:
        """The losses of the copies whose weights of this part have these values, one in each."""
        self._diagonals[part.start][...] = values[part]
        return self.losses()[: part.stop - part.start]

    def restore(self, part: slice, theta: Array) -> None:
        """The copies of this part as the network is."""
        self._diagonals[part.start][...] = theta[part]

    def losses(self) -> Array:
        """The mean loss of each copy, (copies,), with the same masks in every call."""
        if self.draws:
            restore_state(self.chance, self.before)
        total: Any = 0.0
        for x, t in self.batch:
            own_x, own_t, bound = self._bound.get(len(x)) or self._bind(x, t)
            if len(self.batch) > 1 or self.is_new:
                own_x[...], own_t[...] = x, t
            bound(own_x, own_t, stay=True)
            total = total + bound.into[0]
        if self.is_new:
            self.is_new, self.draws = False, state_of(self.chance) != self.before
        return total / self.examples

    @property
    def refusal(self) -> str:
        return next((b.refusal for *_, b in self._bound.values() if b.refusal), "")

    def _bind(self, x: Array, t: Array) -> tuple[Array, Array, Bound]:
        """Memory for a tile of this length, and what computes its losses.

        The inputs have the axis of the copies, so that dropout in the first layer draws for it.
        """
        step = partial(_losses, self.network, self.loss, self.own, self.chance)
        into = [np.empty(self.own.population)]
        bound = self.engine.bind(step, list(self.own.views.values()), into)
        own_x, own_t = np.empty((*self.own.population, *x.shape)), np.empty_like(t)
        self._bound[len(x)] = own_x, own_t, bound
        return self._bound[len(x)]


def _losses(
    network: Network, loss: Loss, copies: ParameterVector, chance: Chance, x: Tensor, t: Tensor
) -> tuple[Tensor]:
    return (ops.sum(loss(network(copies.tensors(), x, chance), t), axis=-1),)


def double(targets: Array) -> Array:
    """Targets as float64; classes stay whole numbers."""
    return targets.astype(np.float64) if targets.dtype.kind == "f" else targets


def seconds_each(material: Material) -> float:
    """How long the loss of one copy takes, as part of those that are computed together."""
    network, loss, rows = material.network, material.loss, material.batch
    assert network is not None
    assert loss is not None
    parameters, lengths = network.parameters(np.float64), sizes(network, rows)
    engine = engine_named(material.engine)
    copies = Copies(network, loss, parameters, material.stream("dropout"), engine, lengths)
    x, t = material.train.inputs[:rows], material.train.encoded[:rows]
    copies.reset(parameters.trainable, x, t)
    for _ in range(3):  # the first ones are recorded
        start = perf_counter()
        copies.losses()
    return (perf_counter() - start) / lengths.copies
