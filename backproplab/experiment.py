"""build(Experiment) -> Parts; run(Experiment, folder) -> Result.

A run is a pure function of its config, its seed and its data: the folder only receives. This file
knows no terminal; what is shown while it runs comes in as callbacks.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import numpy as np
from threadpoolctl import threadpool_limits

from backproplab import environment
from backproplab.config import Experiment, to_yaml
from backproplab.data import (
    BatchMode,
    Examples,
    Splits,
    batch_length,
    batches,
    load,
    updates_per_epoch,
)
from backproplab.errors import ConfigError, DivergedError, Problem, RunError
from backproplab.files import machine_limits, write_atomic
from backproplab.learners import Backprop
from backproplab.nn import Loss, Metric, Network, ParameterVector, metrics_of
from backproplab.runs.listing import FORMAT
from backproplab.streams import stream
from backproplab.train.callbacks import Best, Callback, Patience, goal_of
from backproplab.train.loop import Split, Trainer
from backproplab.train.recording import Checkpoints, EventLog, MetricsTable
from backproplab.train.signals import stopping_on_signals
from backproplab.train.state import Row, RunState

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
        """(mode, training examples, batch size)."""
        size = self.experiment.batch_size or BATCH_SIZE
        return self.experiment.batch_mode, len(self.splits.train), size

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


@dataclass(frozen=True)
class Result:
    """How a run ended. ``message`` says more where it did not end well."""

    folder: Path
    state: RunState
    restored_epoch: int = 0
    message: str = ""

    @property
    def status(self) -> str:
        return self.state.status

    @property
    def metrics(self) -> Row:
        return self.state.metrics


def build(experiment: Experiment) -> Parts:
    """Load the data, make the network and draw its first weights.

    Raises ConfigError with every combination that cannot work, and DataError. Writes nothing.
    """
    dtype = np.dtype(experiment.dtype)
    splits = load(experiment.data, experiment.seed, dtype)
    loss = experiment.loss.resolve(splits.task)
    problems = [*_loss_problems(loss, splits), *_size_problems(experiment, splits)]
    if experiment.batch_size is None:
        size = min(BATCH_SIZE, len(splits.train))
        experiment = experiment.model_copy(update={"batch_size": size})
    network = None
    try:
        network = experiment.model.network(splits.input_shape, loss.units(splits.task))
        _check_memory(network, experiment)
    except ConfigError as error:
        problems += error.problems
    if problems or network is None:
        raise ConfigError(*problems)
    parameters = network.parameters(dtype)
    network.initialize(parameters, stream(experiment.seed, "init"))
    return Parts(experiment, splits, network, loss, metrics_of(splits.task), parameters)


def run(
    experiment: Experiment | Parts, folder: Path | str, callbacks: Sequence[Callback] = ()
) -> Result:
    """Train the experiment and write everything about it into ``folder``, made if it is missing.

    experiment: or what ``build`` made of it, for one run: its own weights are trained.
    A run that diverged or was stopped by a signal is a result, told by its status; anything else
    that goes wrong is raised, with run.json saying ``failed``.
    """
    folder = Path(folder)
    with machine_limits(folder):
        folder.mkdir(parents=True, exist_ok=True)
    if (folder / "run.json").exists():
        raise RunError(f"{folder} holds a run already; give each run a folder of its own")
    parts = experiment if isinstance(experiment, Parts) else build(experiment)
    order_digest = hashlib.sha256()
    table = MetricsTable(folder / "metrics.csv")
    trainer = _trainer(parts, folder, order_digest, [table, *callbacks])
    record = _first_record(parts)
    write_atomic(folder / "config.yaml", to_yaml(parts.experiment))
    _write_record(folder, record)
    message = ""
    try:
        # one BLAS thread: the bits do not depend on the machine's load, nor on its cores
        with threadpool_limits(1), stopping_on_signals(trainer.state):
            trainer.fit()
            _test(parts, trainer, table)
    except DivergedError as error:
        message = str(error)
    except BaseException:
        trainer.state.status, trainer.state.stop_reason = "failed", "error"
        raise
    finally:
        hashes = record["hashes"] | {
            "batch_order": order_digest.hexdigest(),
            "weights": parts.parameters.fingerprint(),
        }
        _write_record(folder, record | {"hashes": hashes} | _outcome(trainer))
    return Result(folder, trainer.state, trainer.restored_epoch, message)


def _trainer(parts: Parts, folder: Path, digest: Any, callbacks: list[Callback]) -> Trainer:
    """The trainer with its callbacks, in the order in which they are told."""
    experiment, splits = parts.experiment, parts.splits
    best, patience = _watchers(parts)
    shuffle = stream(experiment.seed, "shuffle")

    def order() -> Iterator[np.ndarray[Any, Any]]:
        for indices in batches(*parts.batching, shuffle):
            digest.update(len(indices).to_bytes(8, "little"))
            digest.update(indices.tobytes())
            yield indices

    identity = {"config": hashlib.sha256(to_yaml(experiment).encode()).hexdigest()}
    return Trainer(
        Backprop(parts.network, parts.loss, parts.parameters, stream(experiment.seed, "dropout")),
        experiment.optimizer,
        experiment.rate,
        order,
        parts.split(splits.train),
        parts.split(splits.validation) if splits.validation else None,
        parts.metrics,
        experiment.epochs,
        experiment.steps,
        [
            best,
            Checkpoints(folder / "checkpoints", best, identity),
            EventLog(folder, experiment.tensorboard.histograms),
            *callbacks,
            *patience,  # finishes last: what is saved as "last" is not yet the restored best
        ],
    )


def _watchers(parts: Parts) -> tuple[Best, list[Callback]]:
    """Who remembers the best epoch, and who stops early by it."""
    stopping = parts.experiment.early_stopping
    goal = goal_of(parts.monitor, goals(parts.splits))
    if stopping is None:
        return Best(parts.monitor, goal), []
    goal = goal if stopping.mode == "auto" else stopping.mode
    best = Best(parts.monitor, goal, stopping.min_delta, stopping.start_from_epoch)
    return best, [Patience(stopping, best)]


def _test(parts: Parts, trainer: Trainer, table: MetricsTable) -> None:
    """Evaluate once on the test split, with the weights that the run ends with."""
    if parts.splits.test is None or trainer.state.status != "completed":
        return
    measured = trainer.measure(parts.split(parts.splits.test))
    trainer.state.metrics |= {f"test_{name}": value for name, value in measured.items()}
    table.append(trainer.restored_epoch or trainer.state.epoch, "test", measured)


def _loss_problems(loss: Loss, splits: Splits) -> list[Problem]:
    problem = loss.problem(splits.task)
    return [Problem("", f"loss: {loss.name} {problem}")] if problem else []


def _size_problems(experiment: Experiment, splits: Splits) -> list[Problem]:
    """What fits no data set of this size or kind."""
    problems, rows, size = [], len(splits.train), experiment.batch_size
    if experiment.batch_mode == "minibatch" and size is not None and size > rows:
        what = f"batch_size: {size} is larger than the {rows} training examples"
        problems.append(Problem("", what))
    if experiment.early_stopping:
        try:
            goal_of(experiment.early_stopping.monitor, goals(splits))
        except ConfigError as error:
            problems += error.problems
    return problems


def _check_memory(network: Network, experiment: Experiment) -> None:
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
    own |= {metric.name: metric.goal for metric in metrics_of(splits.task)}
    validation = {f"val_{name}": goal for name, goal in own.items()}
    return own | (validation if splits.validation else {})


def _first_record(parts: Parts) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": parts.experiment.name,
        "status": "running",
        "stop_reason": "",
        "started": datetime.now().astimezone().isoformat(timespec="seconds"),
        "pid": os.getpid(),
        "seed": parts.experiment.seed,
        "model": str(parts.network),
        "parameters": len(parts.parameters),
        "monitor": parts.monitor,
        "hashes": {"data": parts.splits.fingerprint, "init": parts.parameters.fingerprint()},
        **environment.describe(),
    }


def _outcome(trainer: Trainer) -> dict[str, Any]:
    state = trainer.state
    return {
        "status": state.status,
        "stop_reason": state.stop_reason,
        "epochs": state.epoch,
        "steps": state.step,
        "examples": state.examples,
        "seconds": round(state.seconds, 6),
        "restored_epoch": trainer.restored_epoch,
        "metrics": _finite(state.metrics),
        "best": _finite(state.best),
    }


def _finite(row: Row) -> dict[str, float | None]:
    """JSON knows no NaN: such a value is null."""
    return {name: value if math.isfinite(value) else None for name, value in row.items()}


def _write_record(folder: Path, record: dict[str, Any]) -> None:
    write_atomic(folder / "run.json", json.dumps(record, indent=2, allow_nan=False) + "\n")
