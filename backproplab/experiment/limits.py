"""What an experiment may not be, once its data are known: every combination that cannot work."""

from __future__ import annotations

import os
from typing import Literal

import numpy as np

from backproplab import environment
from backproplab.config import Experiment
from backproplab.data import Splits
from backproplab.errors import ConfigError, Problem
from backproplab.nn import Loss, Network, metrics_of
from backproplab.train.callbacks import goal_of

WORTH_THREADS = 50e6  # operations in one product: below, a second thread costs more than it gives


def loss_problems(loss: Loss, splits: Splits) -> list[Problem]:
    problem = loss.problem(splits.task)
    return [Problem("", f"loss: {loss.name} {problem}")] if problem else []


def size_problems(experiment: Experiment, splits: Splits) -> list[Problem]:
    """What fits no data set of this size or kind."""
    problems, rows, size = [], len(splits.train), experiment.batch_size
    if experiment.batch_mode == "minibatch" and size is not None and size > rows:
        what = f"batch_size: {size} is larger than the {rows} training examples"
        problems.append(Problem("", what))
    if experiment.accumulate > 1 and experiment.batch_mode != "minibatch":
        what = f"accumulate: adds up minibatches, batch_mode is {experiment.batch_mode}"
        problems.append(Problem("", what, "set batch_mode=minibatch"))
    if not experiment.optimizer.blockwise and experiment.batch_mode != "batch":
        what = f"optimizer: {experiment.optimizer.name} needs the gradient of all examples"
        problems.append(Problem("", what, "set batch_mode=batch"))
    for key in ("early_stopping", "schedule"):
        try:
            if monitor := getattr(getattr(experiment, key), "monitor", None):
                goal_of(monitor, goals(splits), key)
        except ConfigError as error:
            problems += error.problems
    return problems


def threads_for(network: Network, rows: int) -> int:
    """The threads that BLAS gets for so many rows at a time: the free cores for large products.

    On a core that is not free a thread of BLAS spins, and all wait for it. What is chosen stands
    in the run's config: with another number of threads BLAS rounds differently.
    """
    return environment.free_cores() if rows * network.largest_product >= WORTH_THREADS else 1


def check_memory(network: Network, experiment: Experiment) -> None:
    """Refuse a network that outgrows the machine: weights, best weights, gradient, slots."""
    vectors = 3 + len(experiment.optimizer.slots)
    parameters = sum(place.parameters for place in network.places)
    needed = np.dtype(experiment.dtype).itemsize * vectors * parameters
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ConfigError(
            f"model: training it needs {needed / 2**30:,.0f} GiB for weights, gradients and "
            f"optimizer, this machine has {memory / 2**30:,.0f} GiB — make the layers smaller"
        )


def goals(splits: Splits) -> dict[str, Literal["min", "max"]]:
    """What is measured each epoch, and which way each value is better."""
    own: dict[str, Literal["min", "max"]] = {"loss": "min"}
    own |= {metric.name: metric.goal for metric in metrics_of(splits.task) if metric.goal}
    validation = {f"val_{name}": goal for name, goal in own.items()}
    return own | (validation if splits.validation else {})
