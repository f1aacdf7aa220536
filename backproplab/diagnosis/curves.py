"""Curves: what metrics.csv says of a run, epoch by epoch, and the statistics that rules take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.measures import Row


@dataclass(frozen=True, eq=False)
class Curves:
    """rows: the values of each epoch by its number.  restored: the epoch whose weights the run
    ended with, 0 for the last one."""

    rows: Mapping[int, Row]
    restored: int = 0

    @property
    def epochs(self) -> int:
        return len(self.rows)

    @cached_property
    def numbers(self) -> list[int]:
        return sorted(self.rows)

    def of(self, name: str) -> Array:
        """The values (epochs,) of ``loss``, ``val_accuracy``, …; empty if it was not measured."""
        if name not in self._known:
            rows = [self.rows[epoch] for epoch in self.numbers]
            self._known[name] = np.array([row[name] for row in rows if name in row])
        return self._known[name]

    @cached_property
    def _known(self) -> dict[str, Array]:
        return {}

    def last(self, name: str) -> float:
        """The value of the epoch that the run ended with; NaN if there is none."""
        epoch = self.restored or (self.numbers[-1] if self.numbers else 0)
        return float(self.rows.get(epoch, {}).get(name, np.nan))

    @property
    def fifth(self) -> int:
        """Epochs in a fifth of the run."""
        return max(self.epochs // 5, 1)

    @property
    def before_fifth(self) -> float:
        """The training loss before the last fifth of the epochs."""
        return float(self.of("loss")[-1 - self.fifth])

    @property
    def stands(self) -> bool:
        """Whether the training loss changed by less than 2 % in the last fifth of the epochs."""
        return abs(self.before_fifth - self.of("loss")[-1]) < 0.02 * abs(self.before_fifth)

    @property
    def rises(self) -> int:
        """Epochs whose training loss is above that of the epoch before."""
        return int((np.diff(self.of("loss")) > 0).sum())

    @property
    def climb(self) -> float:
        """U: the mean over the epochs of max(Lₑ - Lₑ₋₁, 0)."""
        return float(np.maximum(np.diff(self.of("loss")), 0).mean())

    @property
    def late_climb(self) -> float:
        """U of the second half."""
        loss = self.of("loss")
        return float(np.maximum(np.diff(loss[len(loss) // 2 :]), 0).mean())

    @property
    def turns(self) -> float:
        """S: the share of neighboring changes of the training loss that differ in direction."""
        signs = np.sign(np.diff(self.of("loss")))
        return float((signs[1:] != signs[:-1]).mean()) if len(signs) > 1 else 0.0

    @cached_property
    def smooth(self) -> Array:
        """v: the running median of three validation losses."""
        loss = self.of("val_loss")
        ends = np.concatenate([loss[:1], loss, loss[-1:]])
        one, two, three = ends[:-2], ends[1:-1], ends[2:]
        low, high = np.minimum(one, two), np.maximum(one, two)
        return np.maximum(low, np.minimum(high, three))

    @property
    def tail(self) -> float:
        """The median validation loss of the last tenth of the epochs, at least three."""
        return float(np.median(self.of("val_loss")[-max(3, self.epochs // 10) :]))
