"""Callback: what happens beside training, at four moments; and the callbacks that need no file.

The loop calls them in the order of one visible list (experiment.py). What a callback is told is
the trainer: its state, its weights, its gradient.
"""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import Field

from backproplab.errors import ConfigError, did_you_mean
from backproplab.spec import NonNegative, Spec
from backproplab.train.state import Row

if TYPE_CHECKING:
    from backproplab.train.loop import Trainer

Mode = Literal["auto", "min", "max"]


class Callback:
    """Does nothing at any of the four moments; a subclass overrides those that it wants.

    finish is called exactly once, whatever ended the run. A run may be trained in slices, each in
    another process: ``state`` is what the next slice's callback is given by ``restore``.
    """

    def state(self) -> dict[str, Any]:
        """What it must remember from slice to slice, as strict JSON."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from what ``state`` gave; told before ``start``."""

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


class Best(Callback):
    """The best epoch so far: its row, for the summary, and its weights.

    An epoch is better if it improves the monitored value by more than ``min_delta``; the first
    one that counts is the best until then. A row with a loss that is not finite never is.
    """

    def __init__(
        self,
        monitor: str,
        goal: Literal["min", "max"],
        min_delta: float = 0.0,
        start_from_epoch: int = 0,
    ) -> None:
        self.monitor = monitor
        self.sign = 1.0 if goal == "min" else -1.0
        self.min_delta = min_delta
        self.start_from_epoch = start_from_epoch
        self.value = np.inf  # of sign · monitored, so that less is always better
        self.improved = False
        self.row: Row = {}
        self.weights: np.ndarray | None = None

    def state(self) -> dict[str, Any]:
        return {"value": float(self.value).hex()}

    def restore(self, state: dict[str, Any]) -> None:
        self.value = float.fromhex(state["value"])

    def epoch(self, trainer: Trainer) -> None:
        state = trainer.state
        counts = state.epoch - 1 >= self.start_from_epoch and math.isfinite(state.metrics["loss"])
        value = self.sign * state.metrics[self.monitor]
        self.improved = bool(counts and self.beats(value, self.value))
        if self.improved:
            self.value = value
        if self.improved or (counts and self.weights is None):
            self.weights, self.row = trainer.parameters.flat.copy(), dict(state.metrics)
            state.best = {"epoch": state.epoch, **state.metrics}

    def beats(self, value: float, reference: float) -> bool:
        """Whether the value is better by more than min_delta; False for NaN."""
        return value + self.min_delta < reference


class Patience(Callback):
    """EarlyStopping at work, beside ``Best``, which it must follow in the list of callbacks.

    ``stopped_epoch`` counts from 0, as Keras does.
    """

    def __init__(self, settings: EarlyStopping, best: Best) -> None:
        self.settings = settings
        self.best = best
        self.wait = 0
        self.stopped_epoch = 0

    def state(self) -> dict[str, Any]:
        return {"wait": self.wait, "stopped_epoch": self.stopped_epoch}

    def restore(self, state: dict[str, Any]) -> None:
        self.wait, self.stopped_epoch = state["wait"], state["stopped_epoch"]

    def epoch(self, trainer: Trainer) -> None:
        epoch = trainer.state.epoch - 1
        if epoch < self.settings.start_from_epoch:
            return
        self.wait += 1
        baseline = self.settings.baseline
        if self.best.improved:
            if baseline is None or self.best.beats(self.best.value, self.best.sign * baseline):
                self.wait = 0
        elif self.wait >= self.settings.patience and epoch > 0:
            self.stopped_epoch = epoch
            trainer.state.request_stop("patience_exhausted")

    def finish(self, trainer: Trainer) -> None:
        if (
            self.settings.restore_best_weights
            and self.best.weights is not None
            and trainer.state.status == "completed"
        ):
            trainer.parameters.flat[...] = self.best.weights
            trainer.state.metrics = dict(self.best.row)
            trainer.restored_epoch = int(trainer.state.best["epoch"])


class Slice(Callback):
    """Ends a slice of a run after an epoch: the run is ``paused``, and can be gone on with.

    until: so many epochs of the run.  deadline: whose time is over.
    It comes last in the list of callbacks: a run that has ended otherwise is not paused.
    """

    def __init__(self, until: int | None = None, deadline: Deadline | None = None) -> None:
        self.until = until
        self.deadline = deadline or Deadline()

    def epoch(self, trainer: Trainer) -> None:
        epoch = trainer.state.epoch
        due = self.until is not None and epoch >= self.until
        if epoch < trainer.epochs and (due or self.deadline.is_over(epoch)):
            trainer.state.request_stop("slice")


class Deadline:
    """The end of a slice's time, for runs that train together: all get one answer an epoch.

    seconds: from now.  flag: a file; once it is there, time is over too.
    """

    def __init__(self, seconds: float = np.inf, flag: Path | None = None) -> None:
        self.end = time.monotonic() + seconds
        self.flag = flag
        self.answers: dict[int, bool] = {}

    def is_over(self, epoch: int) -> bool:
        if epoch not in self.answers:
            called = self.flag is not None and self.flag.exists()
            self.answers = {epoch: called or time.monotonic() >= self.end}
        return self.answers[epoch]


def goal_of(
    monitor: str, goals: dict[str, Literal["min", "max"]], key: str = "early_stopping"
) -> Literal["min", "max"]:
    """Which way the monitored value is better. ConfigError if no such value is measured.

    key: where in a config ``monitor`` stands.
    """
    if monitor not in goals:
        hint = did_you_mean(monitor, goals)
        raise ConfigError(
            f"{key}.monitor: '{monitor}' is not measured; one of {', '.join(goals)}"
            + (f" — {hint}" if hint else "")
        )
    return goals[monitor]
