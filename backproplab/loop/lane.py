"""Lane: one run in the loop, with everything that its position is made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.data import Order
from backproplab.errors import ConfigError, Problem, described
from backproplab.journal import Journal
from backproplab.learners import Arrays, Divergence, Json, Learning, Passes
from backproplab.loop.callbacks import Callback, Epoch, When
from backproplab.measures import Row, named
from backproplab.signals import StopNow
from backproplab.status import Status

TRAIN = "train"
UNMEASURED = ("", "signal", "slice", "rank", "non_finite")  # stop reasons that leave an epoch open
Arriving = Mapping[str, tuple[Sequence[int], Sequence[Any]]]  # scalars: (steps, values) by name


@dataclass(frozen=True)
class Length:
    """How long a run is.

    epochs: stretches that end with an evaluation.  each: steps an epoch.
    steps: the most in all; None for no further limit.
    open: whether the run usually ends before them, so that they say nothing of how far it is.
    pause: epochs after which a slice of the run ends; None for none.
    unit: the word for a step, of a run whose length is said in steps; empty for epochs.
    """

    epochs: int
    each: int
    steps: int | None = None
    pause: int | None = None
    unit: str = ""
    open: bool = False

    def place(self, epoch: int, step: int) -> str:
        """``epoch  3/10``, ``generation  60/200``, or ``solver step 40`` of who knows how many."""
        if self.open:
            return f"{self.unit} {step}"
        done, all_ = (step, self.steps or 0) if self.unit else (epoch, self.epochs)
        return f"{self.unit or 'epoch'} {done:>{len(str(all_))}}/{all_}"

    def until(self, pause: int | None) -> Length:
        """The same run, in slices: this one ends after ``pause`` epochs."""
        return replace(self, pause=pause)

    @property
    def count(self) -> int:
        """Epochs, one that ``steps`` cuts short included."""
        most = self.epochs if self.steps is None else -(-self.steps // self.each)
        return min(self.epochs, most)

    @property
    def total(self) -> int:
        """Steps, if nothing ends the run early."""
        planned = self.epochs * self.each
        return planned if self.steps is None else min(planned, self.steps)

    def end_of(self, epoch: int) -> int:
        """The step at which the epoch after ``epoch`` others ends."""
        end = (epoch + 1) * self.each
        return end if self.steps is None else min(end, self.steps)


@dataclass
class Progress:
    """Where a run is, and what was measured there.

    epoch: epochs measured, one that ``steps`` cut short included.  step: finished steps.
    measured: the step at which the newest epoch was measured.
    evaluated: the step of the newest evaluation that was written by steps; -1 for none.
    examples: examples seen.  passes: of training, forward and backward.
    metrics: the newest values, by Keras' names.
    stop_reason: why it ended, or shall end after this step; the first reason counts.
    seconds: of training, from the first step to the newest evaluation, with what callbacks do in
        between; of a run in a crew its share of them. Not part of the position.
    """

    epoch: int = 0
    step: int = 0
    measured: int = 0
    evaluated: int = -1
    examples: int = 0
    passes: Passes = field(default_factory=Passes)
    metrics: Row = field(default_factory=dict)
    stop_reason: str = ""
    status: Status = Status.RUNNING
    seconds: float = 0.0

    name = "progress"
    file = ""

    def state(self) -> tuple[Arrays, Json]:
        kept = vars(self) | {"passes": dict(self.passes.row), "metrics": plain(self.metrics)}
        del kept["seconds"], kept["status"]
        return {}, kept

    def restore(self, arrays: Arrays, state: Json) -> None:
        made = {"metrics": numbers(state["metrics"]), "passes": Passes(**state["passes"])}
        for key, value in (state | made).items():
            setattr(self, key, value)


class Lane:
    """One run: what finds its weights, its batches, its callbacks, and what it writes.

    order: None for a learner that does not walk in batches.
    evaluations: when the splits are measured within an epoch, which nothing depends on; with them
        every evaluation is written by steps and by examples. None for the ends of epochs only.
    """

    def __init__(
        self,
        learning: Learning,
        order: Order | None,
        callbacks: Sequence[Callback],
        journal: Journal,
        length: Length,
        evaluations: When | None = None,
    ) -> None:
        self.learning = learning
        self.order = order
        self.callbacks = list(callbacks)
        self.journal = journal
        self.length = length
        self.evaluations = evaluations
        self.progress = Progress()
        self.message = ""  # why it diverged or failed
        self.signal = 0  # that ended it
        self.error: Exception | None = None  # of its own end
        self._reported: dict[str, Row] | None = None  # of the epoch that is closing, by split
        self._series: dict[str, dict[str, Any]] | None = None  # of a stretch of steps, by split
        self._check_names()

    @property
    def position(self) -> list[Any]:
        """Everything that must be kept to continue, part by part."""
        order = [self.order] if self.order else []
        return [self.progress, *order, self.learning, *self.callbacks]

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1."""
        return min(max(self.progress.step / self.length.total, self.learning.share), 1.0)

    def _check_names(self) -> None:
        parts = [part.name for part in self.position]
        for kind, names in (("parts", parts), ("columns", list(self.journal.columns))):
            for name in names:
                if not name or names.count(name) > 1:
                    what = f"{names.count(name)} {kind} of the run are called {name!r}"
                    raise ConfigError(Problem("callbacks", what, "give each a name of its own"))

    @property
    def ended(self) -> bool:
        return bool(self.progress.stop_reason)

    def request_stop(self, reason: str) -> None:
        """End the run after this step; the first reason given is the one that is recorded."""
        self.progress.stop_reason = self.progress.stop_reason or reason

    @cached_property
    def wanted(self) -> dict[str, int]:
        """Scalars that callbacks want to hear, each as often as the most eager one does."""
        return together([callback.hears for callback in self.callbacks])

    @cached_property
    def _within_epochs(self) -> list[Callback]:
        return [callback for callback in self.callbacks if not isinstance(callback.when, Epoch)]

    @property
    def ends_within_epoch(self) -> bool:
        """Whether a callback or the learner has ended the run since the last evaluation."""
        progress = self.progress
        return progress.stop_reason not in UNMEASURED and progress.step > progress.measured

    @property
    def closes_epoch(self) -> bool:
        """Whether an evaluation at this step is the end of its epoch."""
        return self.epoch_is_over or self.ends_within_epoch

    @property
    def epoch_is_over(self) -> bool:
        """Whether the epoch's steps are done, and it is to be measured."""
        return self.progress.step >= self.length.end_of(self.progress.epoch)

    @property
    def evaluation_is_due(self) -> bool:
        """Whether this step is one to be evaluated within its epoch, and has not been."""
        step = self.progress.step
        if self.evaluations is None or step <= self.progress.evaluated:
            return False
        return self.evaluations.next(step - 1) == step

    def next_look(self) -> int:
        """The step at which somebody looks next."""
        own = [self.evaluations] if self.evaluations else []
        times = [*own, *(callback.when for callback in self._within_epochs)]
        looks = (when.next(self.progress.step) for when in times)
        return int(min([self.length.end_of(self.progress.epoch), *looks]))

    def moved(self, steps: int, examples: int, scalars: Arriving) -> None:
        """Steps have been done, on these many examples, with these scalars.

        What the learner reports unasked goes to the event files, what callbacks asked for to them.
        Written step by step, so that the bytes do not depend on where a stretch of steps was cut.
        """
        progress = self.progress
        progress.step += steps
        progress.examples += examples
        progress.passes += self.learning.passes(steps, examples)
        if scalars:
            self._hear(scalars)
        for callback in self._within_epochs if steps else ():
            if callback.when.next(progress.step - 1) == progress.step:
                callback.look(self)

    def _hear(self, scalars: Arriving) -> None:
        self._series = {TRAIN: {n: x for n, x in scalars.items() if n not in self.learning.offers}}
        for callback in self.callbacks:
            if heard := _heard(scalars, callback.hears):
                callback.hear(self, heard)
        series, self._series = self._series, None
        for split, found in series.items():
            if found:
                self.journal.series(split, found)

    def report(self, values: Mapping[str, float], split: str = TRAIN) -> None:
        """Values of the epoch that is closing: to metrics.csv, if declared, and to the events.

        Raises RuntimeError within an epoch.
        """
        if self._reported is None:
            raise RuntimeError("an epoch's values are reported when it closes; use report_at")
        self._reported.setdefault(split, {}).update(values)

    def report_at(self, step: int, values: Mapping[str, float], split: str = TRAIN) -> None:
        """Values at a step of training, to the event files."""
        self.report_series({name: ([step], [value]) for name, value in values.items()}, split)

    def report_series(self, found: Arriving, split: str = TRAIN) -> None:
        """Values at several steps of training, (steps, values) by tag, to the event files."""
        if self._series is None:
            self.journal.series(split, found)
            return
        for name, (steps, numbers_at) in found.items():
            before = self._series.setdefault(split, {}).get(name, ([], []))
            self._series[split][name] = [*before[0], *steps], [*before[1], *numbers_at]

    def evaluated(self, rows: Mapping[str, Row]) -> None:
        """The splits have been measured, perhaps for others; write it if this run asked for it."""
        progress = self.progress
        if self.evaluations is None or not (self.closes_epoch or self.evaluation_is_due):
            return
        progress.evaluated = progress.step
        for split, row in rows.items():
            self.journal.scalars(split, progress.step, row, "evaluation_{}_vs_iterations")
            self.journal.scalars(split, progress.examples, row, "by_examples/{}")

    def close_epoch(self, rows: Mapping[str, Row]) -> None:
        """An epoch has been measured, by split: let callbacks look, write it, see how it stands."""
        progress, learning = self.progress, self.learning
        progress.epoch, progress.measured = progress.epoch + 1, progress.step
        progress.metrics = {
            named(split, name): float(x) for split, row in rows.items() for name, x in row.items()
        }
        self._reported = {split: dict(row) for split, row in rows.items()}
        self.report(learning.scalars(progress.step))
        learning.evaluated(progress.metrics)
        for callback in self.callbacks:
            if isinstance(callback.when, Epoch):
                callback.look(self)
        reported, self._reported = self._reported, None
        for split, row in reported.items():
            counts = progress.passes.row if split == TRAIN else {}
            self.journal.row(progress.epoch, progress.step, split, {**row, **counts})
            self.journal.scalars(split, progress.epoch - 1, row, "epoch_{}")

    def judge(self) -> None:
        """After an epoch: whether the run has diverged, or is as long as it should be."""
        progress, length = self.progress, self.length
        if message := self.learning.broken(progress.metrics, progress.step):
            end = f"{length.unit} {progress.step}" if length.unit else f"epoch {progress.epoch}"
            where = f"in the evaluation after {end}"
            self._diverge(f"diverged {where}: {message}")
        elif length.steps is not None and progress.step >= length.steps:
            self.request_stop("max_steps")
        elif progress.epoch >= length.epochs:
            self.request_stop("max_epochs")
        elif length.pause is not None and progress.epoch >= length.pause:
            self.request_stop("slice")

    def diverged(self, found: Divergence) -> None:
        """A step gave numbers that are not finite; it did not happen."""
        unit = self.length.unit or f"epoch {self.progress.epoch + 1}, step"
        where = f"at {unit} {found.step + 1}"
        self._diverge(f"diverged {where}: {found.message}")

    def give_up(self, error: BaseException) -> None:
        """An error ends the run, or a second signal, which may come in the middle of an update."""
        stopped = isinstance(error, StopNow)
        self.progress.status = Status.INTERRUPTED if stopped else Status.FAILED
        self.progress.stop_reason = "second_signal" if stopped else "error"
        self.message = "" if stopped else described(error)
        self.signal = error.number if isinstance(error, StopNow) else 0

    def _diverge(self, message: str) -> None:
        self.message = message
        self.progress.stop_reason = "non_finite"
        self.progress.status = Status.DIVERGED


def together(intervals: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """The intervals, by scalar, that meet every step that one of these asks for."""
    found: dict[str, int] = {}
    for wished in intervals:
        for name, every in wished.items():
            found[name] = math.gcd(every, found.get(name, every))
    return found


def _heard(scalars: Arriving, hears: Mapping[str, int]) -> dict[str, tuple[Array, Array]]:
    """Those of the scalars that a callback asked for, at its own steps."""
    found = {}
    for name, (steps, values) in scalars.items():
        at = [k for k, step in enumerate(steps) if name in hears and step % hears[name] == 0]
        if at:
            kept = [values[k] for k in at]
            found[name] = np.array([steps[k] for k in at]), np.array(kept, np.float64)
    return found


def plain(row: Row) -> dict[str, Any]:
    """JSON has no NaN and no infinity: such a number is text."""
    return {name: x if math.isfinite(x) else str(x) for name, x in row.items()}


def numbers(row: Mapping[str, Any]) -> Row:
    """What ``plain`` was given."""
    return {name: float(x) if isinstance(x, str) else x for name, x in row.items()}
