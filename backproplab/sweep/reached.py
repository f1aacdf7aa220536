"""How far a run of a sweep has come, by its record."""

from __future__ import annotations

from math import isfinite
from typing import NamedTuple

from backproplab.runs import RunInfo, best_by
from backproplab.status import Status
from backproplab.sweep.schema import Objective


class Reached(NamedTuple):
    """status: None for a run that begins, or begins anew.

    value: the sweep's metric; None if the run has none that is finite.
    """

    status: Status | None = None
    epoch: int = 0
    step: int = 0
    value: float | None = None

    @classmethod
    def read(cls, run: RunInfo, metric: Objective) -> Reached:
        """What is known of a run that has ended for good, or paused."""
        value = None
        if run.status in (Status.COMPLETED, Status.PAUSED):
            best = best_by(run, metric.name, metric.minimizes) if metric.at == "best" else {}
            value = best.get(metric.name, run.metrics.get(metric.name))
        finite = value is not None and isfinite(value)
        return cls(run.status, run.epochs, run.steps, value if finite else None)

    @property
    def place(self) -> tuple[int, int]:
        """Equal for runs that can continue together."""
        return self.epoch, self.step
