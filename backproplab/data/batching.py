"""In which order, and how many at a time, the examples of an epoch are visited.

This file knows index arrays only; whoever trains takes the examples.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
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
    """The batches of one run, epoch after epoch.

    length: examples in a full batch.  generator: draws each epoch's order (stream ``shuffle``).
    digest: SHA-256, in hex, of the batches so far: equal for runs that took the same ones.
    """

    def __init__(
        self, mode: BatchMode, examples: int, length: int, generator: np.random.Generator
    ) -> None:
        self.mode = mode
        self.examples = examples
        self.length = length
        self.generator = generator
        self.digest = ""

    @property
    def place(self) -> tuple[Any, ...]:
        """Equal for two that will take the same batches, having taken the same."""
        state = str(self.generator.bit_generator.state)
        return self.mode, self.examples, self.length, self.digest, state

    def draw(self) -> Rows:
        """The rows of the next epoch, all of them: its batches are slices of ``length``."""
        rows = epoch_order(self.mode, self.examples, self.generator)
        known = f"{self.digest} {self.length} ".encode()
        self.digest = hashlib.sha256(known + rows.tobytes()).hexdigest()
        return rows

    def batches(self) -> Iterator[Rows | None]:
        """The rows of each batch of the next epoch; None for all examples as they lie."""
        rows = self.draw()
        if self.mode == "batch":
            return iter((None,))
        return (rows[start : start + self.length] for start in range(0, len(rows), self.length))
