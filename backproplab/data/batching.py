"""In which order, and how many at a time, the examples of an epoch are visited.

This file knows index arrays only; whoever trains takes the examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

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


def batches(
    mode: BatchMode, examples: int, size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """The index arrays of one epoch; each example is in exactly one of them.

    The order is a fresh permutation, drawn from ``generator`` (stream ``shuffle``) when this is
    called. Mode ``batch`` has no order to choose: it draws nothing and yields ``arange(examples)``.
    """
    order = np.arange(examples) if mode == "batch" else generator.permutation(examples)
    length = batch_length(mode, examples, size)
    return (order[start : start + length] for start in range(0, examples, length))
