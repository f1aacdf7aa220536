"""Updates: gradient, check, clipping, optimizer, in arrays (n,) of one run or (P, n) of a crew.

This file must not know who asks for how many, nor what is reported of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from backproplab.arrays import Array
from backproplab.learners.batches import Reports
from backproplab.learners.curvature import Curvature
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.gradient import Gradient
from backproplab.learners.leaps import Leaps, Leapt
from backproplab.learners.learner import Brake
from backproplab.learners.material import Material
from backproplab.nn import Loss, Network, ParameterVector
from backproplab.optim import Newton, Optimizer, Updater
from backproplab.streams import Chance, restore_state, state_of


class Examples(Protocol):
    """What batches are rows of: inputs, and targets as the loss takes them."""

    @property
    def inputs(self) -> Array: ...

    @property
    def encoded(self) -> Array: ...


class Updates:
    """What computes updates of these weights, and measures what they predict.

    source: fills ``gradient``.  slots: the optimizer's vectors, by name.
    undoes: a step whose gradient is known may be undone.
    """

    def __init__(
        self,
        origin: Gradient,
        material: Material,
        network: Network,
        optimizer: Optimizer,
        parameters: ParameterVector,
        gradient: ParameterVector,
        slots: Mapping[str, ParameterVector],
        chance: Chance,
        undoes: bool = False,
    ) -> None:
        keys = material.keys
        tile = keys["batch_size"] if keys["accumulate"] > 1 else None
        loss = loss_of(material)
        self.gradient = gradient
        self.clipping = keys["clipping"]
        parts = network, loss, parameters, chance, material.engine, tile, gradient
        self.source = origin.source(*parts, ranks=material.ranks, threads=material.threads)
        self.curvature = (
            Curvature(network, loss, parameters, chance, optimizer.damping)
            if isinstance(optimizer, Newton)
            else None
        )
        self.parameters, self.chance = parameters, chance
        self.undoes = undoes or self.curvature is not None
        self.updater = Updater(
            optimizer,
            parameters.trainable,
            gradient.flat,
            {name: vector.flat for name, vector in slots.items()},
            self.curvature.solve if self.curvature else None,
        )
        own = parameters, gradient, slots, self.clipping
        self.leaps = Leaps(optimizer, *own, material.threads)
        of = network, parameters, loss, material.metrics, material.engine, material.ranks
        self.evaluation = Evaluation(*of, threads=material.threads)

    def leap(
        self,
        train: Examples,
        rows: Array,
        rates: Callable[[int], Any],
        moves: bool,
        first: int,
        reports: Reports,
        watched: Sequence[int] | None = None,
    ) -> Leapt:
        """As many of the updates on these rows as the player makes in one call; often none.

        rows: (steps, …, batch).  reports: what is wanted of each update.
        The other arguments are those of ``Leaps.make``.
        """
        ahead = getattr(self.source, "ahead", None)
        if self.undoes or ahead is None or self.leaps.refusal:
            return Leapt(0)
        batches, examples = reports.batches, (train.inputs, train.encoded)
        found = ahead(*examples, rows.shape[1:], with_outputs=bool(batches.every))
        if found is None:
            return Leapt(0)
        plan, runs, outputs = found

        def look(number: int) -> None:
            if (room := batches.room(rows[number])) is not None:
                np.copyto(room, outputs)
            reports.note(first + number + 1, rows[number], rates(first + number))

        seen = look if reports else None
        return self.leaps.make(plan, examples, rows[:runs], rates, moves, first, watched, seen)

    def fill(
        self,
        inputs: Array,
        targets: Array,
        rows: Array | None,
        brake: Brake,
        outputs: Array | None = None,
    ) -> bool:
        """The gradient of these rows, and the ``outputs``, if there is an array for them.

        False if the brake ended the step, which is undone.
        """
        if self.undoes:
            self._before = state_of(self.chance), self.parameters.statistics.copy()
        done = self.source(inputs, targets, rows, brake, outputs)
        if not (done and self.curvature):
            return done
        restore_state(self.chance, self._before[0])  # the Hessian is of the same masks
        if not self.curvature.fill(inputs, targets, rows, brake):
            self.undo()
            return False
        return True

    def undo(self) -> None:
        """What the gradient moved besides its vector is as before: the step is not to be."""
        chance, self.parameters.statistics[...] = self._before
        restore_state(self.chance, chance)

    @property
    def is_finite(self) -> bool:
        """Whether no entry of the gradient is NaN or infinite."""
        flat = self.gradient.flat.ravel()  # of a crew a view, too: no array as long as the gradient
        return math.isfinite(np.dot(flat, flat)) or bool(np.isfinite(flat).all())

    @property
    def norm(self) -> Any:
        """The 2-norm of the gradient, of a crew one for each member."""
        return np.sqrt(np.vecdot(self.gradient.flat, self.gradient.flat))

    def follow(self, rate: Any, t: int) -> None:
        """Update number ``t``, from 1. rate: a number, or (P, 1)."""
        if self.clipping:
            self.clipping.clip(self.gradient.flat, self.gradient.views)
        self.updater(rate, t)


def loss_of(material: Material) -> Loss:
    """The loss, which gradient descent always has."""
    assert material.loss is not None
    return material.loss
