"""Callback: what happens beside training, at four moments; and the callbacks that need no file.

The loop calls them in the order of one visible list (experiment.py). What a callback is told is
the trainer: its state, its weights, its gradient.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from backproplab.errors import ConfigError, did_you_mean
from backproplab.spec import NonNegative, Spec

if TYPE_CHECKING:
    from backproplab.train.loop import Trainer

Mode = Literal["auto", "min", "max"]


class Callback:
    """Does nothing at any of the four moments; a subclass overrides those that it wants.

    finish is called exactly once, whatever ended the run.
    """

    def start(self, trainer: Trainer) -> None:
        """Before the first step."""

    def step(self, trainer: Trainer) -> None:
        """After each update."""

    def epoch(self, trainer: Trainer) -> None:
        """After each epoch and its evaluation."""

    def finish(self, trainer: Trainer) -> None:
        """After the last step, with the final status."""


class EarlyStopping(Spec):
    """Stop when the monitored value no longer improves: Keras' EarlyStopping, to the letter.

    monitor: ``val_loss``, ``val_accuracy``, ``loss``, …  mode: which way is better.
    min_delta: a change smaller than this is no improvement.
    patience: epochs without improvement that are put up with.
    baseline: a value that must be beaten for patience to start afresh.
    start_from_epoch: epochs before this one (from 0) are ignored.
    restore_best_weights: end with the weights of the best epoch.
    """

    monitor: str = "val_loss"
    min_delta: NonNegative = 0.0
    patience: int = Field(default=0, ge=0)
    mode: Mode = "auto"
    baseline: float | None = None
    restore_best_weights: bool = False
    start_from_epoch: int = Field(default=0, ge=0)


class Patience(Callback):
    """EarlyStopping at work. ``stopped_epoch`` counts from 0, as Keras does."""

    def __init__(self, settings: EarlyStopping, goal: Literal["min", "max"]) -> None:
        self.settings = settings
        self.sign = 1.0 if (settings.mode if settings.mode != "auto" else goal) == "min" else -1.0
        self.best = np.inf  # of sign · value, so that less is always better
        self.best_epoch = 0
        self.best_weights: np.ndarray | None = None
        self.wait = 0
        self.stopped_epoch = 0

    def epoch(self, trainer: Trainer) -> None:
        epoch = trainer.state.epoch - 1
        if epoch < self.settings.start_from_epoch:
            return
        value = self.sign * trainer.state.metrics[self.settings.monitor]
        weights = trainer.parameters.flat
        if self.settings.restore_best_weights and self.best_weights is None:
            self.best_weights, self.best_epoch = weights.copy(), epoch
        self.wait += 1
        if self._improves(value, self.best):
            self.best, self.best_epoch = value, epoch
            if self.settings.restore_best_weights:
                self.best_weights = weights.copy()
            if self.settings.baseline is None or self._improves(
                value, self.sign * self.settings.baseline
            ):
                self.wait = 0
            return
        if self.wait >= self.settings.patience and epoch > 0:
            self.stopped_epoch = epoch
            trainer.state.request_stop("patience_exhausted")

    def finish(self, trainer: Trainer) -> None:
        if self.best_weights is not None and trainer.state.status == "completed":
            trainer.parameters.flat[...] = self.best_weights
            trainer.restored_epoch = self.best_epoch + 1

    def _improves(self, value: float, reference: float) -> bool:
        return value + self.settings.min_delta < reference  # False for NaN


class Best(Callback):
    """Remember the best epoch's row, and its weights, for the summary and the checkpoint."""

    def __init__(self, monitor: str, goal: Literal["min", "max"]) -> None:
        self.monitor = monitor
        self.sign = 1.0 if goal == "min" else -1.0
        self.value = np.inf
        self.weights: np.ndarray | None = None

    def epoch(self, trainer: Trainer) -> None:
        value = self.sign * trainer.state.metrics[self.monitor]
        if value < self.value:
            self.value = value
            self.weights = trainer.parameters.flat.copy()
            trainer.state.best = {"epoch": trainer.state.epoch, **trainer.state.metrics}


def goal_of(monitor: str, goals: dict[str, Literal["min", "max"]]) -> Literal["min", "max"]:
    """Which way the monitored value is better. ConfigError if no such value is measured."""
    if monitor not in goals:
        hint = did_you_mean(monitor, goals)
        raise ConfigError(
            f"early_stopping.monitor: '{monitor}' is not measured; one of {', '.join(goals)}"
            + (f" — {hint}" if hint else "")
        )
    return goals[monitor]
