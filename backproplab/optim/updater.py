"""Updater: an optimizer bound to its vectors, updating them stretch by stretch.

A block of θ, its gradient, its slots and the scratch space stay in the L2 cache through all the
passes that a rule makes over them. Regularization happens here too, so that no rule knows of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array
from backproplab.optim.rules import Optimizer, Pad

BLOCK = 65_536  # entries updated at a time: with slots and scratch space 1.3 MB of float32
SHORTEST = 256  # of one member of a population: below, NumPy's loops cost more than the cache saves


class Block(NamedTuple):
    """Views of one stretch; all blocks share the memory behind ``work`` and ``regularized``."""

    theta: Array
    grad: Array
    regularized: Array
    work: Pad
    slots: dict[str, Array]


class Updater:
    """One optimizer at work on theta (n,), or (P, n) for a population of P members.

    grad: read at each update, never written.  slots: the optimizer's, as long as theta.
    ``updater(lr, t)`` is update number t, from 1, in place and without an array allocation; lr is
    a number, or a column (P, 1).
    """

    def __init__(
        self, optimizer: Optimizer, theta: Array, grad: Array, slots: Mapping[str, Array]
    ) -> None:
        self.optimizer = optimizer
        self.dtype = theta.dtype
        self.decay: Any = optimizer.weight_decay if optimizer.decoupled else 0.0
        coupled = 0.0 if optimizer.decoupled else optimizer.weight_decay
        self.l1: Any = optimizer.l1
        self.pull: Any = 2 * optimizer.l2 + coupled
        self.regularizes = bool(self.l1 or self.pull)
        self.blocks = self._blocks(theta, grad, slots)

    def _blocks(self, theta: Array, grad: Array, slots: Mapping[str, Array]) -> list[Block]:
        *population, n = theta.shape
        length = max(BLOCK // prod(population), SHORTEST) if self.optimizer.blockwise else n
        length = max(-(-n // max(-(-n // length), 1)), 1)  # equal parts
        space = [
            np.empty((*population, length), theta.dtype)
            for _ in range(self.optimizer.scratch + self.regularizes)
        ]
        blocks = []
        for start in range(0, n, length):
            part = (..., slice(start, start + length))
            work = tuple(array[..., : min(length, n - start)] for array in space)
            rule = work[: self.optimizer.scratch]
            views = {name: slots[name][part] for name in self.optimizer.slots}
            blocks.append(Block(theta[part], grad[part], work[-1], rule, views))
        return blocks

    def __call__(self, lr: Any, t: int) -> None:
        lr = np.asarray(lr, self.dtype)[()]  # so that a column is worth what its numbers are alone
        update = self.optimizer.update
        for block in self.blocks:
            grad = self._regularized(block) if self.regularizes else block.grad
            if self.decay:
                np.multiply(block.theta, lr * self.decay, out=block.work[0])
                np.subtract(block.theta, block.work[0], out=block.theta)
            update(block.theta, grad, lr, t, block.work, **block.slots)

    def _regularized(self, block: Block) -> Array:
        """g + pull θ + l1 sign(θ)."""
        grad, work = block.regularized, block.work[0]
        np.multiply(block.theta, self.pull, out=grad)
        grad += block.grad
        if self.l1:
            np.sign(block.theta, out=work)
            work *= self.l1
            grad += work
        return grad
