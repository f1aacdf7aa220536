"""Best: which epoch was the best so far, and its weights. Patience: the end when none is better."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from pydantic import Field

from backproplab.arrays import Array
from backproplab.learners import Arrays, Json
from backproplab.loop.callbacks import Callback
from backproplab.loop.lane import Lane, numbers, plain
from backproplab.measures import Goal, Row
from backproplab.spec import Lasts, NonNegative, Off, Spec

EXHAUSTED = "patience_exhausted"


class EarlyStopping(Spec):
    """Stop when the monitored value no longer improves: Keras' EarlyStopping, to the letter.

    monitor: ``val_loss``, ``val_accuracy``, ``loss``, …  mode: which way is better.
    min_delta: a change smaller than this is no improvement.
    patience: epochs without improvement before training ends.
    baseline: a value that must be beaten for patience to start afresh.
    start_from_epoch: epochs before this one (from 0) are ignored.
    restore_best_weights: end with the weights of the best epoch.
    """

    monitor: str = "val_loss"
    min_delta: Annotated[NonNegative, Off(0.0)] = 0.0
    patience: Annotated[int, Field(ge=0), Lasts("epochs", 1, "training is never stopped early")] = 0
    mode: Literal["auto", "min", "max"] = "auto"
    baseline: Annotated[float | None, Off()] = None
    restore_best_weights: bool = False
    start_from_epoch: Annotated[int, Field(ge=0), Lasts("epochs", 1, "no epoch counts"), Off(0)] = 0


class Best(Callback):
    """The best epoch so far: its row, for the summary, and its weights.

    An epoch is better if it improves the monitored value by more than ``min_delta``; the first
    one that counts is the best until then. A value that is not finite is never better.
    """

    name = "best"

    def __init__(
        self, monitor: str, goal: Goal, min_delta: float = 0.0, start_from_epoch: int = 0
    ) -> None:
        self.monitor = monitor
        self.sign = 1.0 if goal == "min" else -1.0
        self.min_delta = min_delta
        self.start_from_epoch = start_from_epoch
        self.value = math.inf  # of sign · monitored, so that less is always better
        self.improved = False
        self.row: Row = {}
        self.weights: dict[str, Array] = {}
        self.step = 0

    @property
    def file(self) -> str:  # type: ignore[override]
        """The best weights have a file of their own, which never changes."""
        return f"best-{self.step}" if self.weights else ""

    def state(self) -> tuple[Arrays, Json]:
        state = {"value": float(self.value).hex(), "step": self.step, "row": plain(self.row)}
        return self.weights, state

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.value, self.step = float.fromhex(state["value"]), state["step"]
        self.row, self.weights = numbers(state["row"]), dict(arrays)

    def look(self, lane: Lane) -> None:
        progress = lane.progress
        found = progress.metrics[self.monitor]
        counts = progress.epoch - 1 >= self.start_from_epoch and math.isfinite(found)
        counts = counts and math.isfinite(progress.metrics.get("loss", 0.0))
        value = self.sign * found
        self.improved = counts and self.beats(value, self.value)
        if self.improved:
            self.value, self.step = value, progress.step
            self.weights = {name: x.copy() for name, x in lane.learning.weights.items()}
            self.row = {"epoch": progress.epoch, **progress.metrics}

    def beats(self, value: float, reference: float) -> bool:
        """Whether the value is better by more than min_delta; False for NaN."""
        return value + self.min_delta < reference

    def put_back(self, lane: Lane) -> None:
        """Give the run the weights of its best epoch."""
        for name, view in lane.learning.weights.items():
            view[...] = self.weights[name]


class Patience(Callback):
    """EarlyStopping at work, after ``Best`` in the list of callbacks.

    ``stopped_epoch`` counts from 0, as Keras does.
    """

    name = "patience"

    def __init__(self, settings: EarlyStopping, best: Best) -> None:
        self.settings = settings
        self.best = best
        self.wait = 0
        self.stopped_epoch = 0

    def state(self) -> tuple[Arrays, Json]:
        return {}, {"wait": self.wait, "stopped_epoch": self.stopped_epoch}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.wait, self.stopped_epoch = state["wait"], state["stopped_epoch"]

    def look(self, lane: Lane) -> None:
        epoch = lane.progress.epoch - 1
        if epoch < self.settings.start_from_epoch:
            return
        self.wait += 1
        baseline = self.settings.baseline
        if self.best.improved:
            if baseline is None or self.best.beats(self.best.value, self.best.sign * baseline):
                self.wait = 0
        elif self.wait >= self.settings.patience and epoch > 0:
            self.stopped_epoch = epoch
            lane.request_stop(EXHAUSTED)
