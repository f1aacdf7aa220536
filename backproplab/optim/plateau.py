"""reduce_on_plateau: the one schedule that listens to what the run measures.

It knows names and values of metrics, neither who measures them nor when.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from backproplab.measures import monitored
from backproplab.optim.schedules import Length, Rate, Schedule
from backproplab.spec import Lasts, NonNegative, Off


class ReduceOnPlateau(Schedule, name="reduce_on_plateau"):
    """rate ← max(rate · factor, min_lr) when the monitored value no longer improves.

    Keras' ReduceLROnPlateau, to the letter, but that a value which is not finite never counts as
    the best, not even as the first.
    monitor: ``val_loss``, ``val_accuracy``, ``loss``, …
    mode: which way it is better; ``auto`` for the measure's own goal.
    patience: epochs without improvement before the rate is reduced.
    min_delta: a change no larger than this is no improvement.
    cooldown: epochs after a reduction that are not counted.
    """

    monitor: str = "val_loss"
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[Length, Lasts("epochs", 2, "the rate is never reduced")] = 10
    min_delta: Annotated[NonNegative, Off(0.0)] = 1e-4
    mode: Literal["auto", "min", "max"] = "auto"
    cooldown: Annotated[Length, Lasts("epochs", 1, "it does not end"), Off(0)] = 0
    min_lr: Annotated[NonNegative, Off(0.0)] = 0.0

    def begin(self, base: float, steps: int) -> Rate:
        return _PlateauRate(self, base, steps)


class _PlateauRate(Rate):
    """state: the rate after the warm-up; best, of sign · monitored; wait and cooldown in epochs."""

    schedule: ReduceOnPlateau

    def __init__(self, schedule: ReduceOnPlateau, base: float, steps: int) -> None:
        super().__init__(schedule, base, steps)
        self.state = {"rate": base, "best": None, "wait": 0, "cooldown": 0}

    def scheduled(self, step: int) -> float:
        return float(self.state["rate"])

    def epoch(self, metrics: Mapping[str, float]) -> None:
        """Raises ConfigError if the monitored value was not measured, or has no goal."""
        settings, state = self.schedule, dict(self.state)
        goal = monitored(settings.monitor, metrics, "schedule")
        sign = -1.0 if (goal if settings.mode == "auto" else settings.mode) == "max" else 1.0
        if state["cooldown"]:
            state |= {"cooldown": state["cooldown"] - 1, "wait": 0}
        value = sign * metrics[settings.monitor]
        if self._improves(value):
            state |= {"best": value, "wait": 0}
        elif not state["cooldown"]:
            state["wait"] += 1
            if state["wait"] >= settings.patience and state["rate"] > settings.min_lr:
                rate = max(state["rate"] * settings.factor, settings.min_lr)
                state |= {"rate": rate, "cooldown": settings.cooldown, "wait": 0}
        self.state = state

    def _improves(self, value: float) -> bool:
        best = self.state["best"]
        better = best is None or value + self.schedule.min_delta < best
        return better and math.isfinite(value)
