"""Leaps: many updates in one call of the player, with the bits of one after the other.

A round of it takes a batch's rows, computes the gradient, looks for NaN, lets the caller look if
it wants to, clips, and updates. This file must not know who asks, nor what is reported.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native import (
    NotFinite,
    Tape,
    Trace,
    Unplayable,
    require_finite,
)
from backproplab.autograd.engines.plan import Plan
from backproplab.nn import ParameterVector
from backproplab.optim import Clipping, Optimizer, Updater

ROUNDS = 4096  # most updates of a leap
SECONDS = 0.02  # after which it ends: signals wait for that long
WORTH = 4  # updates by one plan, from which on translating it pays
ENTRIES = 2**20  # most row numbers of a leap
BLOCK, BLOCKS = 4_096, 32  # entries updated at a time: a call costs a few ns, so that they can
# stay in the L1 cache; but a vector has at most BLOCKS parts, as each is translated


Call = Callable[[], Any]


class Leapt(NamedTuple):
    """done: updates made.  filled: the next one's gradient is there, and is not finite."""

    done: int
    filled: bool = False


class Look:
    """Shows each update of a leap to who asks for it, by its number in the leap."""

    def __init__(self) -> None:
        self.number = 0
        self.see: Callable[[int], None] | None = None

    def __call__(self) -> None:
        assert self.see
        self.see(self.number)
        self.number += 1


class Leaps:
    """The updates of these vectors, as far as they can be played.

    threads: that play an update together; their number changes no bit.
    refusal: why none can; empty if they can.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        parameters: ParameterVector,
        gradient: ParameterVector,
        slots: Mapping[str, ParameterVector],
        clipping: Clipping | None,
        threads: int = 1,
    ) -> None:
        self.gradient = gradient
        self.threads = threads
        self.clipping = clipping
        self.tapes: dict[Any, tuple[Tape, Array]] = {}
        self.look = Look()
        self.most = 32
        self.refusal = ""
        flat = {name: vector.flat for name, vector in slots.items()}
        self.vectors = [parameters.flat, gradient.flat, *flat.values()]
        block = max(BLOCK, -(-gradient.flat.size // BLOCKS))
        bound = optimizer, parameters.trainable, gradient.flat, flat, None, block
        self.updater = Updater(*bound)
        self.rounds = min(ROUNDS, max(ENTRIES // prod(parameters.population), 1))
        self.trace = Trace(gradient.flat.dtype, self.rounds)
        self.numbers: Callable[[Any, Any], None] | None = None  # notes those of a round

    def make(
        self,
        plan: Plan,
        examples: Sequence[Array],
        rows: Array,
        rates: Callable[[int], Any],
        moves: bool,
        first: int,
        watched: Sequence[int] | None = None,
        look: Callable[[int], None] | None = None,
    ) -> Leapt:
        """Updates on these rows of the examples, in order, as long as there is time.

        rows: (steps, …).  rates: of the update after that many others, constant unless it moves.
        first: updates made before.  watched: the members of a crew whose numbers are to be finite.
        look: gets the number of each update, from 0, when its gradient is known and not clipped.
        """
        if plan.runs + len(rows) < WORTH or not len(rows):
            return Leapt(0)
        count = min(len(rows), self.most)
        try:
            own = [rates(first + k) for k in range(count if moves else 1)]
            tape, table = self._tape(plan, examples, rows, own[0], watched, look is not None)
            count = min(count, len(table))
            table[:count] = rows[:count]
            self.trace.fill(self.numbers, own[:count], first + 1, count)  # type: ignore[arg-type]
        except Unplayable as error:
            self.refusal = str(error)
            return Leapt(0)
        self.look.number, self.look.see = 0, look
        began = time.monotonic()
        try:
            tape.play(count, SECONDS)
        except NotFinite:
            return Leapt(tape.rounds, filled=True)
        finally:
            plan.runs += tape.rounds
            self.look.see = None
        quick = tape.rounds == count and time.monotonic() - began < SECONDS / 2
        self.most = min(max(2 * count, self.most) if quick else max(tape.rounds, 1), self.rounds)
        return Leapt(tape.rounds)

    def _tape(
        self,
        plan: Plan,
        examples: Sequence[Array],
        rows: Array,
        rate: Any,
        watched: Sequence[int] | None,
        looks: bool,
    ) -> tuple[Tape, Array]:
        """The tape for so shaped batches, and the table of their rows."""
        key = plan, rows.shape[1:], None if watched is None else tuple(watched), looks
        if key not in self.tapes:
            rounds = max(min(ENTRIES // rows[0].size, self.rounds), 1)
            table = np.empty((rounds, *rows.shape[1:]), np.intp)
            calls: list[Call] = [
                *[
                    partial(x.take, table[0], 0, own, "wrap")
                    for x, own in zip(examples, plan.inputs, strict=True)
                ],
                *plan.calls,
                *self._checks(watched),
                *([self.look] if looks else []),
                *self._clips(),
                *self._updates(rate),
            ]
            tables = [table, *self.trace.tables]
            until = len(plan.inputs) + len(plan.calls)
            self.tapes[key] = Tape(calls, tables, plan.scratch, self.threads, until), table
        return self.tapes[key]

    def _checks(self, watched: Sequence[int] | None) -> list[Call]:
        flat = self.gradient.flat
        vectors = [flat] if watched is None else [flat[member] for member in watched]
        return [partial(require_finite, vector) for vector in vectors]

    def _clips(self) -> list[Call]:
        if self.clipping is None:
            return []
        return [partial(self.clipping.clip, self.gradient.flat, self.gradient.views)]

    def _updates(self, rate: Any) -> list[Call]:
        """The optimizer's calls, which are the same for every shape of a batch."""
        if self.numbers is None:
            parts, before = self.updater.parts(self.trace.view), self._bytes()
            for part in parts:
                self.trace.record(part, rate, 1)
            if self._bytes() != before:
                raise Unplayable("an update that goes around its arrays")
            self.numbers = self.updater.parts(lambda x: self.trace.ear)[0]
        return self.trace.calls

    def _bytes(self) -> list[bytes]:
        return [x.tobytes() for x in self.vectors]
