"""Parts: what an experiment is made of; ``build`` makes them from its description.

They hold no weights: a learner draws those when it begins, so parts can be used more than once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab.arrays import Array
from backproplab.config import Experiment, to_yaml
from backproplab.data import (
    BatchMode,
    Dataset,
    Examples,
    Order,
    Preparation,
    Splits,
    batch_length,
    updates_per_epoch,
)
from backproplab.environment import decisive_versions
from backproplab.errors import ConfigError, Problem
from backproplab.experiment.limits import (
    BATCH_SIZE,
    check_memory,
    check_own_memory,
    embedding_problems,
    length_problems,
    load,
    loss_problems,
    metric_problems,
    monitor_problems,
    network_problems,
    rank_problems,
    shares_passes,
    size_problems,
    threads_for,
    threads_together,
    tile_of,
    trajectory_problems,
    turns_of,
    undefined_measures,
)
from backproplab.experiment.networks import network_of
from backproplab.learners import Descent, Material, Split
from backproplab.loop import Every, Length, Log, When
from backproplab.measures import MEASURES, SPLITS, Measure
from backproplab.nn import Loss, Metric, Network, encoded, metrics_of, weighted
from backproplab.ranks import ONE, Ranks
from backproplab.streams import stream

Loader = Callable[[Dataset, int, np.dtype[Any], Preparation | None], Splits]
EVALUATIONS = 10  # of a learner without batches, where a config does not say how often


@dataclass(frozen=True)
class Parts:
    """What an experiment is made of, ready to train.

    network: None for a learner that has no use for the key ``model``.  loss: None for one that
    gives no outputs.  ranks: the processes that train it together.  initial: first weights that
    are not drawn.
    """

    experiment: Experiment
    splits: Splits
    network: Network | None
    loss: Loss | None
    metrics: tuple[Metric, ...]
    ranks: Ranks = ONE
    initial: Mapping[str, Array] = field(default_factory=dict)

    @property
    def updates_per_epoch(self) -> int:
        """Steps an epoch."""
        e = self.experiment
        if e.learner.batches:
            return updates_per_epoch(*self.batching)
        if isinstance(e.evaluate_every, int):
            return e.evaluate_every
        return e.learner.pace or max(-(-self.most_steps // EVALUATIONS), 1)

    @property
    def most_steps(self) -> int:
        """Of a learner without batches."""
        return self.experiment.steps or self.experiment.learner.most_steps or 1

    @property
    def evaluations(self) -> When | None:
        """When splits are measured within an epoch; None for never."""
        every = self.experiment.evaluate_every
        if every is None or not self.experiment.learner.batches:
            return None
        return Every(every) if isinstance(every, int) else Log()

    @property
    def batch_length(self) -> int:
        """Examples a step."""
        return batch_length(*self.batching)

    @property
    def tile(self) -> int:
        """Examples that a network computes at a time."""
        assert self.network is not None
        return tile_of(self.network, self.experiment, self.batch_length)

    @property
    def batching(self) -> tuple[BatchMode, int, int]:
        """(mode, training examples, examples an update in minibatch mode)."""
        size = (self.experiment.batch_size or BATCH_SIZE) * self.experiment.accumulate
        return self.experiment.batch_mode, len(self.splits.train), size

    @property
    def threads(self) -> int:
        """Threads of BLAS, once ``build`` has chosen."""
        return 1 if self.takes_turns else self._threads

    @property
    def _threads(self) -> int:
        return 1 if self.experiment.threads == "auto" else self.experiment.threads

    def limited(self) -> AbstractContextManager[Any]:
        """Around work outside a run: BLAS has the run's threads."""
        return threadpool_limits(self.threads)

    @cached_property
    def takes_turns(self) -> bool:
        """Whether the threads take tiles, or share passes, and not products."""
        e, network, alone = self.experiment, self.network, self.ranks.size == 1
        if network is None or not (e.learner.batches and alone):
            return False
        own = network, e, self.batch_length
        return turns_of(*own) > 0 or shares_passes(*own)

    @cached_property
    def length(self) -> Length:
        """How long the run is."""
        e, each = self.experiment, self.updates_per_epoch
        if e.learner.batches:
            return Length(e.epochs, each, e.steps)
        most = self.most_steps
        is_open = not e.steps and e.learner.pace is not None
        return Length(-(-most // each), each, most, unit=e.learner.unit, open=is_open)

    @property
    def updates(self) -> int:
        """Steps of the whole run, if nothing ends it early."""
        return self.length.total

    @cached_property
    def material(self) -> Material:
        """What the learner is given."""
        e = self.experiment
        found = {name: getattr(self.splits, name) for name in SPLITS}
        uses = e.learner.uses | ({"batch_size", "accumulate"} if e.learner.batches else set())
        return Material(
            task=self.splits.task,
            splits={name: self.split(examples) for name, examples in found.items() if examples},
            network=self.network,
            loss=self.loss,
            metrics=self.metrics,
            keys={key: getattr(e, key) for key in uses},
            seed=e.seed,
            dtype=np.dtype(e.dtype),
            steps=self.updates,
            batch=self.batch_length if e.learner.batches else 0,
            engine=e.engine,
            embedded=self.splits.preparation.embedded,
            pixels=self.splits.pixels,
            ranks=self.ranks,
            threads=self._threads if self.takes_turns else 1,
            initial=self.initial,
        )

    def descent(self) -> Descent:
        """Gradient descent at its beginning. Raises ConfigError for another learner."""
        learning = self.experiment.learner.begin(self.material)
        if not isinstance(learning, Descent):
            what = f"learner: this is for gradient_descent, not for {self.experiment.learner.name}"
            raise ConfigError(Problem("", what, "use learner=gradient_descent"))
        return learning

    def order(self) -> Order | None:
        """The batches, from the first epoch on; None for a learner without batches."""
        if not self.experiment.learner.batches:
            return None
        mode, examples, _ = self.batching
        return Order(mode, examples, self.batch_length, stream(self.experiment.seed, "shuffle"))

    @cached_property
    def measures(self) -> tuple[Measure, ...]:
        """What the learner measures of each split."""
        own = self.experiment.learner.measures(self.splits.task)
        return tuple(dict.fromkeys([*own, *(MEASURES[m] for m in self.experiment.metrics or ())]))

    @property
    def monitor(self) -> str:
        """The value by which an epoch is the best one."""
        stopping = self.experiment.early_stopping
        if stopping:
            return stopping.monitor
        prefix = SPLITS["validation"] if self.splits.validation else ""
        return prefix + next(measure.name for measure in self.measures if measure.goal)

    def split(self, examples: Examples) -> Split:
        """A split with its targets as the loss takes them."""
        targets = examples.targets
        if self.loss:
            dtype = np.dtype(self.experiment.dtype)
            targets = encoded(self.loss, examples, self.splits.task, dtype)
        return Split(examples.inputs, examples.targets, targets)


def build(experiment: Experiment, data: Loader = load, ranks: Ranks = ONE) -> Parts:
    """Load the data and make the network.

    data: loads them; several runs may share what it gives.  ranks: each builds its own.
    Raises ConfigError with every combination that cannot work, or for ranks that have not built the
    same, and DataError. Writes nothing.
    """
    learner, subject = experiment.learner, experiment.objective or experiment
    kept = experiment.init_from.kept() if experiment.init_from else None
    splits = data(subject.data, experiment.seed, np.dtype(experiment.dtype), kept)
    problems = [*size_problems(experiment, splits), *length_problems(experiment)]
    problems += rank_problems(experiment, ranks)
    problems += metric_problems(experiment, splits)
    problems += embedding_problems(learner, splits)
    loss = learner.loss(subject.loss, splits.task)
    problems += loss_problems(experiment, loss, splits)
    if loss:
        loss = weighted(loss, splits.train.weights is not None)
    mini = learner.batches and experiment.batch_mode == "minibatch"
    if experiment.batch_size is None and mini:
        size = min(BATCH_SIZE, len(splits.train))
        experiment = experiment.model_copy(update={"batch_size": size})
    network, initial, unfit = _network(experiment, splits, loss)
    problems += unfit
    metrics = metrics_of(splits.task, experiment.metrics or ())
    parts = Parts(experiment, splits, network, loss, metrics, ranks, initial)
    undefined = undefined_measures(parts.metrics, splits)
    validated = splits.validation is not None
    problems += monitor_problems(experiment, parts.measures, validated, undefined)
    problems += trajectory_problems(network, experiment, parts.length.count)
    if not any(measure.goal for measure in parts.measures):
        problems.append(Problem("", f"learner: {learner.name} measures nothing that can be better"))
    if problems:
        raise ConfigError(*problems)
    if problems := learner.problems(parts.material):
        raise ConfigError(*problems)
    check_own_memory(learner, parts.material)
    parts = _with_threads(parts)
    if differences := ranks.differences(partial(_facts, parts)):
        raise ConfigError(*differences)
    return parts


def _network(
    experiment: Experiment, splits: Splits, loss: Loss | None
) -> tuple[Network | None, Mapping[str, Array], list[Problem]]:
    """The network, if the learner has one, the weights it begins with, and what does not fit."""
    learner, subject = experiment.learner, experiment.objective or experiment
    network: Network | None = None
    initial: Mapping[str, Array] = {}
    problems: list[Problem] = []
    try:
        if "model" in learner.uses:
            units = learner.units(splits.task, splits.input_shape, loss)
            network = network_of(subject.model, splits.preparation, units)
            if experiment.init_from:
                initial, unfit = experiment.init_from.chosen(network)
                problems += unfit
            network = network.frozen(experiment.freeze or ())
            problems += network_problems(network, experiment, len(splits.train))
            check_memory(network, experiment, len(splits.train))
    except ConfigError as error:
        problems += error.problems
    return network, initial, problems


def _facts(parts: Parts) -> dict[str, str]:
    """What ranks must have in common to train together."""
    versions = [f"{name} {version}" for name, version in decisive_versions().items()]
    return {
        "config": to_yaml(parts.experiment),
        "data": parts.splits.fingerprint,
        "versions": "\n".join(versions),
    }


def _with_threads(parts: Parts) -> Parts:
    """With the number of threads, where the config leaves it open."""
    experiment, network = parts.experiment, parts.network
    if experiment.threads != "auto":
        return parts
    alone = network and experiment.learner.batches and parts.ranks.size == 1
    threads = threads_for(network, parts.tile) if network and alone else 1
    if network and parts.takes_turns:
        threads = threads_together(network, experiment, parts.batch_length)
    return replace(parts, experiment=experiment.model_copy(update={"threads": threads}))
