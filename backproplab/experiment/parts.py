"""Parts: what an experiment is made of; ``build`` makes them from its description."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backproplab.config import Experiment
from backproplab.data import (
    BatchMode,
    Dataset,
    Examples,
    Order,
    Splits,
    batch_length,
    load,
    updates_per_epoch,
)
from backproplab.errors import ConfigError
from backproplab.experiment.limits import check_memory, loss_problems, size_problems, threads_for
from backproplab.learners import Backprop
from backproplab.nn import Loss, Metric, Network, ParameterVector, metrics_of
from backproplab.optim import Rate, Updater
from backproplab.streams import stream
from backproplab.train.loop import Split

Loader = Callable[[Dataset, int, np.dtype[Any]], Splits]
BATCH_SIZE = 32  # where a config gives none, and the data have so many


@dataclass(frozen=True)
class Parts:
    """What an experiment is made of, ready to train."""

    experiment: Experiment
    splits: Splits
    network: Network
    loss: Loss
    metrics: tuple[Metric, ...]
    parameters: ParameterVector

    @property
    def updates_per_epoch(self) -> int:
        return updates_per_epoch(*self.batching)

    @property
    def batch_length(self) -> int:
        return batch_length(*self.batching)

    @property
    def batching(self) -> tuple[BatchMode, int, int]:
        """(mode, training examples, examples an update in minibatch mode)."""
        size = (self.experiment.batch_size or BATCH_SIZE) * self.experiment.accumulate
        return self.experiment.batch_mode, len(self.splits.train), size

    @property
    def threads(self) -> int:
        """Of BLAS, once ``build`` has chosen."""
        return 1 if self.experiment.threads == "auto" else self.experiment.threads

    @property
    def updates(self) -> int:
        """Of the whole run, if nothing stops it early."""
        planned = self.experiment.epochs * self.updates_per_epoch
        return min(planned, self.experiment.steps or planned)

    def learner(self) -> Backprop:
        """What fills the gradient of these weights; a config that accumulates sets its tiles."""
        e = self.experiment
        generator = stream(e.seed, "dropout")
        tile = e.batch_size if e.accumulate > 1 else None
        return Backprop(self.network, self.loss, self.parameters, generator, e.engine, tile)

    def updater(self, learner: Backprop) -> Updater:
        """The optimizer at its beginning, at work on these weights."""
        optimizer, weights = self.experiment.optimizer, self.parameters
        slots = {name: weights.twin().flat for name in optimizer.slots}
        return Updater(optimizer, weights.trainable, learner.gradient.flat, slots)

    def order(self) -> Order:
        """The batches, from the first epoch on."""
        mode, examples, _ = self.batching
        return Order(mode, examples, self.batch_length, stream(self.experiment.seed, "shuffle"))

    def rate(self) -> Rate:
        """The learning rate of this run."""
        return self.experiment.schedule.begin(self.experiment.rate, self.updates)

    @property
    def monitor(self) -> str:
        """The value by which an epoch is the best one."""
        stopping = self.experiment.early_stopping
        if stopping:
            return stopping.monitor
        return "val_loss" if self.splits.validation else "loss"

    def split(self, examples: Examples) -> Split:
        dtype = self.parameters.flat.dtype
        encoded = self.loss.encode(examples.targets, self.splits.task, dtype)
        return Split(examples.inputs, examples.targets, encoded)


def build(experiment: Experiment, data: Loader = load) -> Parts:
    """Load the data, make the network and draw its first weights.

    data: loads them; several runs may share what it gives.
    Raises ConfigError with every combination that cannot work, and DataError. Writes nothing.
    """
    dtype = np.dtype(experiment.dtype)
    splits = data(experiment.data, experiment.seed, dtype)
    loss = experiment.loss.resolve(splits.task)
    problems = [*loss_problems(loss, splits), *size_problems(experiment, splits)]
    if experiment.batch_size is None and experiment.batch_mode == "minibatch":
        size = min(BATCH_SIZE, len(splits.train))
        experiment = experiment.model_copy(update={"batch_size": size})
    network = None
    try:
        network = experiment.model.network(splits.input_shape, loss.units(splits.task))
        check_memory(network, experiment)
    except ConfigError as error:
        problems += error.problems
    if problems or network is None:
        raise ConfigError(*problems)
    parameters = network.parameters(dtype)
    network.initialize(parameters, stream(experiment.seed, "init"))
    parts = Parts(experiment, splits, network, loss, metrics_of(splits.task), parameters)
    if experiment.threads != "auto":
        return parts
    threads = threads_for(network, min(parts.batch_length, parts.learner().tile))
    return replace(parts, experiment=experiment.model_copy(update={"threads": threads}))
