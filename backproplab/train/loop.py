"""Trainer: the training loop. Everything that is not training attaches as a callback."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, cast

import numpy as np

from backproplab.data import Order
from backproplab.errors import DivergedError
from backproplab.learners import Backprop
from backproplab.nn import Metric, ParameterVector
from backproplab.optim import Clipping, Optimizer, Rate, Updater
from backproplab.train.callbacks import Callback
from backproplab.train.distributions import Distribution, distribution
from backproplab.train.evaluation import Evaluation
from backproplab.train.state import Row, RunState, Status

Array = np.ndarray[Any, Any]
Distributions = Callable[[], Mapping[str, Distribution]]
ENDS: dict[str, Status] = {"signal": "interrupted", "slice": "paused"}  # others: "completed"


@dataclass(frozen=True)
class Split:
    """One split as the loop needs it: inputs, targets, and targets as the loss takes them."""

    inputs: Array
    targets: Array
    encoded: Array

    def __len__(self) -> int:
        return len(self.inputs)


class Trainer:
    """One training run: take a batch, get its gradient, update; once an epoch, evaluate.

    learner: fills the gradient.  clipping: makes it smaller.  optimizer, rate: the update.
    order: the batches of each epoch.
    epochs, steps: where it ends, whichever comes first.
    distributions: of the weights and the last gradient, when somebody asks.
    train, validation: the splits.  metrics: measured once an epoch on whole splits, with the
        weights as they stand then, so that train and validation, and every batch mode, compare.
    """

    def __init__(
        self,
        learner: Backprop,
        optimizer: Optimizer,
        rate: Rate,
        order: Order,
        train: Split,
        validation: Split | None,
        metrics: tuple[Metric, ...],
        epochs: int,
        steps: int | None = None,
        clipping: Clipping | None = None,
        callbacks: Sequence[Callback] = (),
        state: RunState | None = None,
    ) -> None:
        self.learner = learner
        self.optimizer = optimizer
        self.rate = rate
        self.clipping = clipping
        self.order = order
        self.train = train
        self.validation = validation
        self.evaluation = Evaluation(
            learner.network, learner.parameters, learner.loss_function, metrics, learner.engine
        )
        self.epochs = epochs
        self.steps = steps
        self.callbacks = callbacks
        self.state = state or RunState()
        self.slots = {name: self.parameters.twin() for name in optimizer.slots}
        self.updater = Updater(
            optimizer,
            self.parameters.trainable,
            self.gradient.flat,
            {name: vector.flat for name, vector in self.slots.items()},
        )
        self.rows: dict[str, Row] = {}  # the newest evaluation, by split
        self.distributions: Distributions = partial(spread, self.learner)
        self.clock = 0.0
        self.sharing = 1  # runs that train together, and take their time together
        self.restored_epoch = 0

    @property
    def learning_rate(self) -> float:
        """The rate of the next update."""
        return self.rate(self.state.step)

    @property
    def parameters(self) -> ParameterVector:
        return self.learner.parameters

    @property
    def gradient(self) -> ParameterVector:
        return self.learner.gradient

    @property
    def chance(self) -> np.random.Generator:
        """What this run's layers draw from."""
        return cast(np.random.Generator, self.learner.generator)

    def fit(self) -> RunState:
        """Train to the end. Raises DivergedError, after the callbacks have finished."""
        with self.training(), np.errstate(all="ignore"):  # each step looks for NaN and infinity
            while not self.state.stop_reason:
                self._epoch()
        return self.state

    @contextmanager
    def training(self) -> Iterator[None]:
        """Around the epochs: the callbacks start and finish, and the state says how it ended."""
        try:
            self._tell("start")
            self.clock = time.perf_counter()
            yield
            self.state.status = ENDS.get(self.state.stop_reason, "completed")
        except DivergedError:
            self.state.status, self.state.stop_reason = "diverged", "non_finite"
            raise
        except KeyboardInterrupt:  # the second signal, maybe in the middle of an update
            self.state.status, self.state.stop_reason = "interrupted", "second_signal"
        except BaseException:
            self.state.status, self.state.stop_reason = "failed", "error"
            raise
        finally:
            self._finish()

    def _finish(self) -> None:
        """Every callback finishes, whatever another one does; the first error is raised then."""
        errors = []
        for callback in self.callbacks:
            try:
                callback.finish(self)
            except Exception as error:
                errors.append(error)
        if errors:
            self.state.status, self.state.stop_reason = "failed", "error"
            raise errors[0]

    def measure(self, split: Split) -> dict[str, float]:
        """Loss and metrics of a split with the weights as they stand."""
        measured = self.evaluation(split.inputs, split.targets, split.encoded)
        return {name: float(value) for name, value in measured.items()}

    def _epoch(self) -> None:
        """Every batch once, then the evaluation; a signal ends it after the step under way."""
        for rows in self.order.batches():
            self.step(rows)
            if self.steps is not None and self.state.step >= self.steps:
                self.state.request_stop("max_steps")
            if self.state.stop_reason:
                break
        if self.state.stop_reason != "signal":
            validation = self.measure(self.validation) if self.validation else {}
            self.close_epoch(self.measure(self.train), validation)

    def close_epoch(self, train: Row, validation: Row) -> None:
        """Take note of an epoch's evaluation. Raises DivergedError if the loss is not finite."""
        self.state.epoch += 1
        self.rows = {"train": train} | ({"validation": validation} if validation else {})
        self.state.metrics = train | {f"val_{name}": value for name, value in validation.items()}
        self.rate.epoch(self.state.metrics)
        before, self.clock = self.clock, time.perf_counter()
        self.state.seconds += (self.clock - before) / self.sharing
        self._tell("epoch")
        if not math.isfinite(self.state.metrics["loss"]):
            culprit = self.learner.first_nonfinite(self.train.inputs, self.train.encoded)
            raise self._divergence(f"in the evaluation after epoch {self.state.epoch}", culprit)
        if self.state.epoch >= self.epochs:
            self.state.request_stop("max_epochs")

    def step(self, rows: Array | None) -> None:
        """One update: the gradient of these examples (None: all), checked, clipped, followed."""
        self.learner(self.train.inputs, self.train.encoded, rows)
        if not all_finite(self.gradient.flat):
            raise self.diverged(rows)
        if self.clipping:
            self.clipping.clip(self.gradient.flat, self.gradient.views)
        self.updater(self.learning_rate, self.state.step + 1)
        self.state.step += 1
        self.state.examples += len(self.train) if rows is None else len(rows)
        self._tell("step")

    def diverged(self, rows: Array | None) -> DivergedError:
        """What is wrong with the gradient of these examples, which is not finite."""
        place = f"at epoch {self.state.epoch + 1}, step {self.state.step + 1}"
        which = slice(None) if rows is None else rows
        batch = self.train.inputs[which], self.train.encoded[which]
        return self._divergence(place, self.learner.first_nonfinite(*batch))

    def _divergence(self, place: str, culprit: str) -> DivergedError:
        return DivergedError(
            f"diverged {place}: {culprit or 'the loss'} stopped being finite — "
            f"try a smaller learning_rate (now {self.learning_rate:g})"
        )

    def _tell(self, moment: str) -> None:
        for callback in self.callbacks:
            getattr(callback, moment)(self)


def spread(learner: Backprop) -> dict[str, Distribution]:
    """Of each array of weights, and of the last gradient."""
    return {tag: distribution(array) for tag, array in watched(learner).items()}


def watched(learner: Backprop) -> dict[str, Array]:
    """The arrays whose distributions are told: (…), or (P, …) of a population."""
    weights = {f"weights/{name}": view for name, view in learner.parameters.views.items()}
    return weights | {f"gradients/{name}": view for name, view in learner.gradient.views.items()}


def all_finite(gradient: Array) -> bool:
    """Without an array as long as the gradient, unless its squares overflow."""
    return math.isfinite(np.dot(gradient, gradient)) or bool(np.isfinite(gradient).all())
