"""Updater: an optimizer bound to its vectors, which it updates block by block.

A block of θ, its gradient, its slots and the scratch space stay in the L2 cache during all the
passes of a rule over them. Regularization is done here too, so that rules need not know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from math import prod
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import LINE, Array, aligned
from backproplab.optim.rules import Optimizer, Pad

BLOCK = 65_536  # entries updated at a time: with slots and scratch space 1.3 MB of float32
SHORTEST = 256  # shortest block of a member: below, NumPy's overhead exceeds the cache's gain


Solve = Callable[[Array, Any], Array]


class Block(NamedTuple):
    """Views of one block; all blocks share the memory of ``work`` and ``regularized``."""

    theta: Array
    grad: Array
    regularized: Array
    work: Pad
    slots: dict[str, Array]


class Updater:
    """An optimizer bound to theta (n,), or (P, n) for a population of P members.

    grad: read at each update, never written.  slots: the optimizer's, of theta's length.
    block: entries updated at a time; the numbers are the same.
    solve: what a rule of second order gets in place of the gradient, from the gradient, and from
        what regularization adds to the Hessian's diagonal.
    ``updater(lr, t)`` makes update number t, from 1, in place and without allocating arrays; lr is
    a number, or of shape (P, 1).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        theta: Array,
        grad: Array,
        slots: Mapping[str, Array],
        solve: Solve | None = None,
        block: int = BLOCK,
    ) -> None:
        self.optimizer = optimizer
        self.solve = solve
        self.dtype = theta.dtype
        self.decay: Any = optimizer.weight_decay if optimizer.decoupled else 0.0
        coupled = 0.0 if optimizer.decoupled else optimizer.weight_decay
        self.l1: Any = optimizer.l1
        self.pull: Any = 2 * optimizer.l2 + coupled
        self.regularizes = bool(self.l1 or self.pull)
        self.blocks = self._blocks(theta, grad, slots, block)

    def _blocks(
        self, theta: Array, grad: Array, slots: Mapping[str, Array], block: int
    ) -> list[Block]:
        *population, n = theta.shape
        length = max(block // prod(population), SHORTEST) if self.optimizer.blockwise else n
        line, parts = LINE // theta.itemsize, max(-(-n // length), 1)
        length = max(-(-n // (parts * line)) * line, 1)  # equal parts, each from a cache line on
        space = [
            aligned((*population, length), theta.dtype)
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

    def parts(self, view: Callable[[Array], Any]) -> list[Updater]:
        """An updater for each block, which sees its arrays through ``view``."""
        return [self._part(block, view) for block in self.blocks]

    def _part(self, block: Block, view: Callable[[Array], Any]) -> Updater:
        part = copy(self)
        theta, grad, regularized = map(view, block[:3])
        slots = {name: view(slot) for name, slot in block.slots.items()}
        part.blocks = [Block(theta, grad, regularized, tuple(map(view, block.work)), slots)]
        return part

    def __call__(self, lr: Any, t: int) -> None:
        lr = np.asarray(lr, self.dtype)[()]  # so that a per-member rate rounds like a single rate
        update = self.optimizer.update
        for block in self.blocks:
            grad = self._regularized(block) if self.regularizes else block.grad
            if self.solve:
                grad = self.solve(grad, self.pull)
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
