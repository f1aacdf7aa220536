"""What an experiment may not be, once its data are known: every combination that cannot work."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from backproplab import environment
from backproplab.config import Experiment
from backproplab.data import Splits
from backproplab.errors import ConfigError, Problem
from backproplab.measures import SPLITS, Measure, monitored
from backproplab.nn import Loss, Network

WORTH_THREADS = 50e6  # operations in one product: below, a second thread costs more than it gives


def loss_problems(loss: Loss, splits: Splits) -> list[Problem]:
    problem = loss.problem(splits.task)
    return [Problem("", f"loss: {loss.name} {problem}")] if problem else []


def size_problems(experiment: Experiment, splits: Splits) -> list[Problem]:
    """What fits no data set of this size or kind."""
    if not experiment.learner.batches:
        return []
    problems, rows, size = [], len(splits.train), experiment.batch_size
    mode, optimizer = experiment.batch_mode, experiment.optimizer
    if mode == "minibatch" and size is not None and size > rows:
        what = f"batch_size: {size} is larger than the {rows} training examples"
        problems.append(Problem("", what))
    if experiment.accumulate > 1 and mode != "minibatch":
        what = f"accumulate: adds up minibatches, batch_mode is {mode}"
        problems.append(Problem("", what, "set batch_mode=minibatch"))
    if "optimizer" in experiment.learner.uses and not optimizer.blockwise and mode != "batch":
        what = f"optimizer: {optimizer.name} needs the gradient of all examples"
        problems.append(Problem("", what, "set batch_mode=batch"))
    return problems


def length_problems(experiment: Experiment) -> list[Problem]:
    """A learner that does not walk through the examples has no epochs: its steps are counted."""
    learner = experiment.learner
    if learner.batches or experiment.steps:
        return []
    what = f"steps: {learner.name} needs their number; a step is one {learner.unit}"
    return [Problem("", what, "add steps: 100")]


def monitor_problems(
    experiment: Experiment, measures: Sequence[Measure], validation: bool
) -> list[Problem]:
    """Values that are monitored, and not measured. validation: whether there is such a split."""
    problems: list[Problem] = []
    for key in ("early_stopping", "schedule"):
        try:
            if monitor := getattr(getattr(experiment, key), "monitor", None):
                monitored(monitor, measured(measures, validation), key)
        except ConfigError as error:
            problems += error.problems
    return problems


def measured(measures: Sequence[Measure], validation: bool) -> list[str]:
    """The names of the values that every epoch gives."""
    splits = ("train", "validation") if validation else ("train",)
    return [SPLITS[split] + measure.name for split in splits for measure in measures]


def threads_for(network: Network, rows: int) -> int:
    """Threads of BLAS for ``rows`` rows at a time: as many as cores are free, for large products.

    On a core that is not free a thread of BLAS spins, and all wait for it. The number is written
    to the run's config: with another number of threads BLAS rounds differently.
    """
    return environment.free_cores() if rows * network.largest_product >= WORTH_THREADS else 1


def check_memory(network: Network, experiment: Experiment) -> None:
    """Refuse a network that outgrows the machine: weights, best weights, gradient, slots."""
    vectors = 3 + len(experiment.optimizer.slots)  # weights, best weights, gradient
    needed = np.dtype(experiment.dtype).itemsize * vectors * network.size
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ConfigError(
            f"model: training it needs {needed / 2**30:,.0f} GiB for weights, gradients and "
            f"optimizer, this machine has {memory / 2**30:,.0f} GiB — make the layers smaller"
        )
