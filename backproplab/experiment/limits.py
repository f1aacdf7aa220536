"""What an experiment may not be, once its data are known: every combination that cannot work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from backproplab import data, environment
from backproplab.config import Experiment
from backproplab.data import Dataset, Preparation, Splits, batch_length
from backproplab.errors import ConfigError, MachineError, Problem
from backproplab.journal import trajectory
from backproplab.journal.trajectory import row_type
from backproplab.learners import GradientDescent, Learner, Material
from backproplab.learners.inside import looked_at
from backproplab.learners.tiles import fitting_length, tile_length, tiles_of
from backproplab.measures import SPLITS, Measure, monitored
from backproplab.nn import Loss, Metric, Network
from backproplab.nn.metrics import METRICS
from backproplab.ranks import Ranks
from backproplab.text import counted

BATCH_SIZE = 32  # where a config gives none, or all examples if they are fewer
UNDEFINED = "use more examples, or another value, such as val_loss"
MOST_IN_PASS = 4  # threads that share a pass: its sums take strips in their order
WORTH_THREADS = 50e6  # operations in one product: below, a second thread costs more than it gives
ANYWHERE = (
    2**24
)  # bytes that a process which has come so far can have: what is free is not looked up


def loss_problems(experiment: Experiment, loss: Loss | None, splits: Splits) -> list[Problem]:
    """A loss that does not fit the data, and weights that the learner cannot take."""
    problem = loss.problem(splits.task) if loss else ""
    problems = [Problem("", f"loss: {loss.name} {problem}")] if loss and problem else []
    learner = experiment.learner
    weighs = learner.weighs or "loss" in learner.uses
    if splits.train.weights is not None and not weighs:
        what = f"data.weights: {learner.name} learns from examples that count alike"
        problems.append(Problem("", what, "remove it, or use learner=gradient_descent"))
    return problems


def embedding_problems(learner: Learner, splits: Splits) -> list[Problem]:
    """Embedded categories of a learner that has no network, and cannot encode them itself."""
    if not splits.preparation.embedded or learner.takes_codes or "model" in learner.uses:
        return []
    what = f"data.columns: an embedding is learned by a network, which {learner.name} has none of"
    return [Problem("", what, "make it categorical")]


def metric_problems(experiment: Experiment, splits: Splits) -> list[Problem]:
    """Metrics that a config names and that are of another task."""
    kind = splits.task.kind
    other = [name for name in experiment.metrics or () if kind not in METRICS[name].tasks]
    return [Problem("", f"metrics: '{name}' is none of a {kind}", "remove it") for name in other]


def pass_length(experiment: Experiment, rows: int) -> int:
    """Examples that pass through the network together: a full batch, without accumulation."""
    size = experiment.batch_size or min(BATCH_SIZE, rows)
    return batch_length(experiment.batch_mode, rows, size)


def network_problems(network: Network, experiment: Experiment, rows: int) -> list[Problem]:
    """A network in which nothing is learned."""
    if not experiment.learner.batches:
        return []
    if not network.size:
        hint = "take one out of freeze" if experiment.freeze else "add {dense: 32}"
        return [Problem("", "model.layers: no layer has weights to train", hint)]
    length = pass_length(experiment, rows)
    hint = "set batch_mode=minibatch and a larger batch_size, or change the layer"
    return [
        Problem("", f"model.layers.{i}: with {counted(length, 'example')} at a time {why}", hint)
        for i, why in network.blocked(length).items()
    ]


def undefined_measures(metrics: Sequence[Metric], splits: Splits) -> dict[str, str]:
    """The values that have no meaning on their split, whatever is learned, and why."""
    found = {name: getattr(splits, name) for name in SPLITS}
    return {
        SPLITS[name] + metric.name: why
        for name, examples in found.items()
        for metric in metrics
        if examples and (why := metric.undefined(examples.targets))
    }


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
    learner, problems = experiment.learner, []
    if learner.batches:
        return []
    if not (experiment.steps or learner.most_steps):
        what = f"steps: {learner.name} needs their number; a step is one {learner.unit}"
        problems.append(Problem("", what, "add steps: 100"))
    if experiment.evaluate_every == "log":
        what = f"evaluate_every: log is for epochs of batches, and {learner.name} has no batches"
        problems.append(Problem("", what, "give a number of steps"))
    if experiment.tensorboard.updates:
        what = f"tensorboard.update_freq: {learner.name} has no batches to write of"
        problems.append(Problem("", what, "remove it"))
    return problems


def trajectory_problems(
    network: Network | None, experiment: Experiment, epochs: int
) -> list[Problem]:
    """A trajectory that takes more room than is read again. epochs: of the whole run."""
    every = experiment.trajectory
    if network is None or every is None:
        return []
    size = sum(prod(weight.shape) for weight in network.weights.values())
    row = row_type(np.dtype(experiment.dtype), size).itemsize
    rows, most = 1 + epochs // every, trajectory.MOST // row
    if rows <= most:
        return []
    what = f"trajectory: {rows:,} times {size:,} weights are {_gib(rows * row)}, more than 1 GiB"
    hint = f"keep every {-(-epochs // (most - 1)):,}th epoch" if most > 1 else "remove it"
    return [Problem("", what, hint)]


def rank_problems(experiment: Experiment, ranks: Ranks) -> list[Problem]:
    """A learner whose steps several ranks cannot share."""
    if ranks.size == 1 or experiment.learner.shares:
        return []
    what = f"learner: {ranks.size} ranks cannot share the steps of {experiment.learner.name}"
    return [Problem("", what, "start it once, without mpiexec")]


def monitor_problems(
    experiment: Experiment,
    measures: Sequence[Measure],
    validation: bool,
    undefined: Mapping[str, str],
) -> list[Problem]:
    """Values that are monitored, and not measured, or undefined.

    validation: whether there is such a split.
    """
    problems: list[Problem] = []
    for key in ("early_stopping", "schedule"):
        try:
            if monitor := getattr(getattr(experiment, key), "monitor", None):
                monitored(monitor, measured(measures, validation), key)
            if why := undefined.get(monitor or ""):
                what = f"{key}.monitor: '{monitor}' is undefined: {why} to measure it on"
                problems.append(Problem("", what, UNDEFINED))
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


def turns_of(network: Network, experiment: Experiment, length: int) -> int:
    """Tiles of an update of ``length`` examples that threads can take: then the number of threads
    changes no bit, and BLAS has one; 0 if they cannot."""
    learner = experiment.learner
    shares = isinstance(learner, GradientDescent) and learner.gradient.shares
    tile, exact = tile_of(network, experiment, length), experiment.accumulate > 1
    count = len(tiles_of(length, tile, exact))
    return count if shares and count > 1 and not network.differs_in_training else 0


def shares_passes(network: Network, experiment: Experiment, length: int) -> bool:
    """Whether threads share each pass over a batch that outgrows a tile, but is taken as a whole:
    then their number changes no bit, and BLAS has one, as its products are small."""
    learner, itemsize = experiment.learner, np.dtype(experiment.dtype).itemsize
    shares = isinstance(learner, GradientDescent) and learner.gradient.shares
    tile = tile_of(network, experiment, length)
    small = tile * network.largest_product < WORTH_THREADS
    large = tile > fitting_length(network, itemsize)
    return shares and network.mixes_examples and small and large


def threads_together(network: Network, experiment: Experiment, length: int) -> int:
    """Threads that take tiles or share passes: at most one for each free core and for each tile.

    Each has a gradient and the values of a tile; all of them fit into a quarter of the free memory.
    """
    if shares_passes(network, experiment, length):
        return min(environment.free_cores(), MOST_IN_PASS)
    values = 2 * network.footprint * tile_of(network, experiment, length)
    each = np.dtype(experiment.dtype).itemsize * (network.size + values)
    free, most = environment.free_memory(), turns_of(network, experiment, length)
    if free is not None:
        most = min(most, free // (4 * each))
    return max(min(environment.free_cores(), most), 1)


def tile_of(network: Network, experiment: Experiment, length: int) -> int:
    """Examples that the network computes at a time, of an update of ``length`` examples."""
    own = experiment.batch_size if experiment.accumulate > 1 else None
    return min(length, own or tile_length(network, np.dtype(experiment.dtype).itemsize))


def memory_needed(network: Network, experiment: Experiment, rows: int) -> int:
    """Bytes that training allocates beside the data, by the sizes alone.

    Weights, best weights, gradient and slots, and three more for a look: its gradient, the weights
    before the update and the update; what the learner needs besides; the first draw of the largest
    array, in float64; the values of a pass forward and backward, of a batch or of a look.
    """
    itemsize = np.dtype(experiment.dtype).itemsize
    looks = experiment.tensorboard.telemetry
    vectors = 3 + len(experiment.optimizer.slots) + 3 * looks
    largest = max((prod(weight.shape) for weight in network.weights.values()), default=0)
    length = pass_length(experiment, rows) if experiment.learner.batches else 1
    examples = max(tile_of(network, experiment, length), min(looked_at(network), rows) * looks)
    passing = 2 * network.footprint * examples
    own = experiment.learner.numbers(network.size)
    return itemsize * (vectors * network.size + own + passing) + 8 * largest


def check_memory(network: Network, experiment: Experiment, rows: int) -> None:
    """Refuse a network that needs more memory than is free, before anything is allocated."""
    needed = memory_needed(network, experiment, rows)
    if needed < ANYWHERE:
        return
    free = environment.free_memory()
    if free is not None and needed > free:
        raise ConfigError(
            f"model: training it needs {_gib(needed)} for weights, gradients, optimizer and a "
            f"batch; {_gib(free)} are free — make the layers smaller, or the batch"
        )


def check_own_memory(learner: Learner, material: Material) -> None:
    """Refuse what a learner itself cannot allocate, before anything is."""
    needed = learner.memory(material)
    free = environment.free_memory() if needed >= ANYWHERE else None
    if free is not None and needed > free:
        raise ConfigError(
            f"learner: {learner.name} needs {_gib(needed)} for {len(material.train):,} training "
            f"examples; {_gib(free)} are free — use fewer of them: a larger data.validation_split, "
            "or data.samples where data have them"
        )


def load(
    dataset: Dataset, seed: int, dtype: np.dtype[Any], kept: Preparation | None = None
) -> Splits:
    """``data.load``, unless reading takes more memory than is free."""
    if (needed := dataset.memory) > ANYWHERE:
        free = environment.free_memory()
        if free is not None and needed > free:
            what = f"data: reading it needs up to {_gib(needed)}; {_gib(free)} are free"
            raise MachineError(f"{what} — use fewer rows, or another machine")
    return data.load(dataset, seed, dtype, kept)


def _gib(size: float) -> str:
    return f"{size / 2**30:,.1f} GiB" if size < 2**33 else f"{size / 2**30:,.0f} GiB"
