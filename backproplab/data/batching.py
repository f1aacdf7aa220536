"""In which order, and how many at a time, the examples of an epoch are visited.

This file knows index arrays only, not the examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from backproplab.arrays import Array

Rows = Array  # of whole numbers: which examples

BatchMode = Literal["batch", "stochastic", "minibatch"]


def batch_length(mode: BatchMode, examples: int, size: int) -> int:
    """Examples in a (full) batch: all of them, one, or ``size`` but never more than there are."""
    return {"batch": examples, "stochastic": 1, "minibatch": min(size, examples)}[mode]


def updates_per_epoch(mode: BatchMode, examples: int, size: int) -> int:
    """Batches in an epoch, ``⌈examples / batch_length⌉``: the last, short one is kept.

    >>> updates_per_epoch("minibatch", 129, 32)
    5
    """
    return -(-examples // batch_length(mode, examples, size))


def epoch_order(mode: BatchMode, examples: int, generator: np.random.Generator) -> Rows:
    """The rows ``(examples,)`` in the order of one epoch: its batches are slices of it.

    A fresh permutation, drawn from ``generator`` (stream ``shuffle``). Mode ``batch`` has no order
    to choose: it draws nothing and gives ``arange(examples)``.
    """
    return np.arange(examples) if mode == "batch" else generator.permutation(examples)


class Order:
    """The batches of one run, epoch after epoch; a part of its position.

    length: examples in a full batch.  generator: draws each epoch's order (stream ``shuffle``).
    digest: SHA-256, in hex, of the epochs drawn so far: equal for runs that took the same batches.
    """

    name = "order"
    file = ""

    def __init__(
        self, mode: BatchMode, examples: int, length: int, generator: np.random.Generator
    ) -> None:
        self.mode = mode
        self.examples = examples
        self.length = length
        self.generator = generator
        self.digest = ""
        self.taken = 0  # batches of the present epoch
        self._rows: Rows | None = None  # of the present epoch, once it is drawn
        self._start: dict[str, Any] = {}  # digest and stream, before it was drawn

    @property
    def batches(self) -> int:
        """Batches in an epoch."""
        return -(-self.examples // self.length)

    @property
    def place(self) -> tuple[Any, ...]:
        """Equal for two that will take the same batches, having taken the same."""
        state = str(self.generator.bit_generator.state)
        return self.mode, self.examples, self.length, self.digest, self.taken, state

    def upcoming(self, count: int) -> Rows:
        """The rows of the next ``count`` batches of the present epoch, in order."""
        if self._rows is None:
            self._draw()
        assert self._rows is not None
        start = self.taken * self.length
        return self._rows[start : start + count * self.length]

    def done(self, count: int) -> int:
        """Take ``count`` batches; the number of examples in them."""
        rows = len(self.upcoming(count)) if count else 0
        self.taken += count
        if self.taken == self.batches:
            self.taken, self._rows = 0, None
        return rows

    def _draw(self) -> None:
        self._start = self._standing()
        self._rows = epoch_order(self.mode, self.examples, self.generator)
        known = f"{self.digest} {self.length} ".encode()
        self.digest = hashlib.sha256(known + self._rows.tobytes()).hexdigest()

    def _standing(self) -> dict[str, Any]:
        return {"digest": self.digest, "stream": self.generator.bit_generator.state}

    def state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Where the present epoch began, and how far it has got: its rows are drawn again."""
        start = self._standing() if self._rows is None else self._start
        return {}, {**start, "taken": self.taken}

    def restore(self, arrays: Mapping[str, Any], state: dict[str, Any]) -> None:
        """Continue from what ``state`` gave."""
        self.digest, self.taken = state["digest"], state["taken"]
        self.generator.bit_generator.state = state["stream"]
        self._rows = None
        if self.taken:
            self._draw()
