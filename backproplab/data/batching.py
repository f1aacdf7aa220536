"""In which order, and how many at a time, the examples of an epoch are visited.

This file knows index arrays only; whoever trains takes the examples.
"""

from __future__ import annotations

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


def epoch_order(mode: BatchMode, examples: int, generator: np.random.Generator) -> np.ndarray:
    """The rows ``(examples,)`` in the order of one epoch: its batches are slices of it.

    A fresh permutation, drawn from ``generator`` (stream ``shuffle``). Mode ``batch`` has no order
    to choose: it draws nothing and gives ``arange(examples)``.
    """
    return np.arange(examples) if mode == "batch" else generator.permutation(examples)
