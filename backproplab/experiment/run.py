"""run(Experiment, folder) -> Result: train, and write everything about it into a folder.

A run is a pure function of its config, its seed and its data: the folder only receives. This file
knows no terminal; what is shown while it runs comes in as callbacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from backproplab.config import Experiment, to_yaml
from backproplab.errors import DivergedError, RunError
from backproplab.experiment.limits import goals
from backproplab.experiment.parts import Parts, build
from backproplab.experiment.records import first_record, outcome, write_record
from backproplab.files import machine_limits, write_atomic
from backproplab.streams import stream
from backproplab.train.callbacks import Best, Callback, Patience, goal_of
from backproplab.train.loop import Trainer
from backproplab.train.range_test import RangeTest, range_test
from backproplab.train.recording import Checkpoints, EventLog, MetricsTable
from backproplab.train.signals import stopping_on_signals
from backproplab.train.state import Row, RunState


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
    record = first_record(parts)
    write_atomic(folder / "config.yaml", to_yaml(parts.experiment))
    write_record(folder, record)
    message = ""
    try:
        with threadpool_limits(parts.threads), stopping_on_signals(trainer.state):
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
        write_record(folder, record | {"hashes": hashes} | outcome(trainer))
    return Result(folder, trainer.state, trainer.restored_epoch, message)


def find_learning_rate(parts: Parts, smallest: float, largest: float, steps: int) -> RangeTest:
    """The range test of an experiment that is built: its weights are used up, nothing is written.

    Its learning rate, schedule and clipping play no part.
    """
    train, learner = parts.split(parts.splits.train), parts.learner()
    shuffle = stream(parts.experiment.seed, "shuffle")
    epochs = iter(lambda: parts.epoch(shuffle), None)
    batches = (
        (train.inputs, train.encoded) if rows is None else (train.inputs[rows], train.encoded[rows])
        for epoch in epochs
        for rows in epoch
    )
    with threadpool_limits(parts.threads):
        return range_test(learner, parts.updater(learner), batches, smallest, largest, steps)


def _trainer(parts: Parts, folder: Path, digest: Any, callbacks: list[Callback]) -> Trainer:
    """The trainer with its callbacks, in the order in which they are told."""
    experiment, splits = parts.experiment, parts.splits
    best, patience = _watchers(parts)
    shuffle = stream(experiment.seed, "shuffle")

    identity = {"config": hashlib.sha256(to_yaml(experiment).encode()).hexdigest()}
    return Trainer(
        parts.learner(),
        experiment.optimizer,
        parts.rate(),
        lambda: parts.epoch(shuffle, digest),
        parts.split(splits.train),
        parts.split(splits.validation) if splits.validation else None,
        parts.metrics,
        experiment.epochs,
        experiment.steps,
        experiment.clipping,
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
