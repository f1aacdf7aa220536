"""Reports: what is wanted of each update. BatchMeasures: loss and metrics of the batches
themselves, as training sees them.

A step leaves its outputs here; many batches are measured at once, so that a small step is not
slowed by them, and the recorded step does not compute the loss. This file must not know why the
values are wanted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.learners.evaluation import Evaluation
from backproplab.learners.learner import Advance

ENTRIES = 2**18  # most numbers of outputs that are kept: they should stay in the cache
SCALARS = RATE, NORM = "learning_rate", "gradient_norm"


class Reports:
    """Of each update what is wanted: learning rate, norm of the gradient, measures of its batch.

    wanted: name -> report it every n updates.  made: gets the values.
    norm: of the gradient at hand; of a crew one for each member.
    """

    def __init__(
        self,
        wanted: Mapping[str, int],
        made: Advance,
        batches: BatchMeasures,
        norm: Callable[[], Any],
    ) -> None:
        self.wanted = {name: wanted[name] for name in SCALARS if name in wanted}
        self.made, self.batches, self.norm = made, batches, norm

    def __bool__(self) -> bool:
        return bool(self.wanted or self.batches.every)

    def note(self, step: int, rows: Array, rate: Any) -> None:
        """Update number ``step``, from 1, on these rows; its gradient is known and not clipped."""
        for name, every in self.wanted.items():
            if step % every == 0:
                value = self.norm() if name == NORM else rate.ravel() if np.ndim(rate) else rate
                self.made.report(name, step, value)
        self.batches.keep(step, rows)


class BatchMeasures:
    """Of a span's batches: the mean loss and the metrics, before each update and with dropout.

    like: what the network gives, and how it is measured.
    wanted: measure -> report it every n steps; names that are no measure of a batch are ignored.
    targets: all examples', as the data hold them; encoded: as the loss takes them.
    made: gets the values, by measure: a number a step, or (P,) of a crew.
    """

    def __init__(
        self,
        like: Evaluation,
        wanted: Mapping[str, int],
        targets: Array,
        encoded: Array,
        made: Advance,
    ) -> None:
        self.like = like
        self.metrics = {m.name: m for m in like.metrics if m.name in wanted}
        self.wanted = {n: wanted[n] for n in ("loss", *self.metrics) if n in wanted}
        self.every = math.gcd(*self.wanted.values())  # 0 if nothing is wanted
        self.targets = targets
        self.encoded = encoded
        self.made = made
        self.outputs = np.empty((0, 0))
        self.steps: list[int] = []
        self.rows: list[Array] = []  # of each step kept

    def room(self, rows: Array) -> Array | None:
        """Where the next step, on these rows, is to put its outputs; None if nobody wants them."""
        if not self.every:
            return None
        if self.outputs.shape[1:-1] != rows.shape:
            self.measure()
            shape = *rows.shape, *self.like.network.output_shape
            self.outputs = np.empty((max(ENTRIES // math.prod(shape), 1), *shape), self.like.dtype)
        return self.outputs[len(self.steps)]

    def keep(self, step: int, rows: Array) -> None:
        """The outputs in ``room`` are those of step number ``step``, on these rows."""
        if self.every and step % self.every == 0:
            self.steps.append(step)
            self.rows.append(rows)
            if len(self.steps) == len(self.outputs):
                self.measure()

    def measure(self) -> None:
        """Report what has been kept."""
        if not self.steps:
            return
        rows, outputs = np.stack(self.rows), self.outputs[: len(self.steps)]
        found: dict[str, Any] = {}
        if "loss" in self.wanted:
            losses = self.like.loss(Tensor(outputs), Tensor(self.encoded[rows])).value
            found["loss"] = np.mean(losses, axis=-1, dtype=np.float64)
        weights = self.like.loss.sample_weights(self.encoded[rows]) if self.metrics else None
        for name, metric in self.metrics.items():
            found[name] = metric.function(self.like.loss, outputs, self.targets[rows], weights)
        for name, values in found.items():
            for step, value in zip(self.steps, values, strict=True):
                if step % self.wanted[name] == 0:
                    self.made.report(name, step, value)
        self.steps, self.rows = [], []
