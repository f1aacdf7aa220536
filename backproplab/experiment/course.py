"""Course: one run in its folder, from its first record to its last."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from backproplab import own_parts
from backproplab.config import Experiment, Role, keys, tree_of, yaml_of
from backproplab.errors import ConfigError, DamageError, MachineError, Problem, RunError
from backproplab.experiment import account, numerics, records
from backproplab.experiment.account import HParams
from backproplab.experiment.foreign import packages
from backproplab.experiment.limits import measured
from backproplab.experiment.parts import Parts
from backproplab.files import DiskFolder, Folder
from backproplab.journal import LAST, Checkpoint, Journal
from backproplab.learners import COUNTERS, fingerprint
from backproplab.loop import Best, Callback, Lane, Pace, Patience, Progress, Trajectory, Whereabouts
from backproplab.loop.early_stopping import EXHAUSTED
from backproplab.measures import Row, monitored, prefixed
from backproplab.runs.run_folder import RunFolder
from backproplab.status import Status
from backproplab.telemetry import watchers

# reasons that a resumed run forgets
CONTINUED = ("signal", "slice", "rank", "second_signal", "error")
SAVED = ("signal", "slice")  # reasons after which there is a checkpoint
INEXACT = "--allow-inexact continues with numbers that may differ in their last digits"


@dataclass(frozen=True)
class Result:
    """How a run ended.

    message: why, where it did not end well.  signal: the number of the one that stopped it, or 0.
    saved: whether there is a checkpoint to continue from.
    """

    experiment: Experiment
    folder: Path
    progress: Progress
    best: Row
    restored_epoch: int = 0
    message: str = ""
    signal: int = 0
    saved: bool = True

    @property
    def status(self) -> Status:
        return self.progress.status

    @property
    def metrics(self) -> Row:
        return self.progress.metrics


class Course:
    """A run in a folder: ``begin`` or ``take_up``, then its lane is trained, then ``conclude``.

    callbacks: besides those that the config asks for.  pause: epochs after which a slice ends.
    alone: it is no run of a sweep.  hparams: its row among the runs that it is compared with.
    """

    def __init__(
        self,
        parts: Parts,
        files: Folder,
        callbacks: Sequence[Callback] = (),
        pause: int | None = None,
        alone: bool = True,
        hparams: HParams | None = None,
    ) -> None:
        self.parts = parts
        self.folder = RunFolder(files)
        self.tree = tree_of(parts.experiment)
        self.config = yaml_of(self.tree)
        foreign = packages(parts.experiment)
        self.numerics = numerics.numerics(parts.threads) | foreign
        self.restored_epoch = 0
        self.record: dict[str, Any] = hparams.entry if hparams else {}
        self.record |= {} if alone else {"in_sweep": True}
        self.best, patience = _watchers(parts)
        telemetry = watchers(parts.experiment.tensorboard, parts.material, parts.length, alone)
        own = _own_callbacks(parts.experiment)
        # telemetry sees how the run ends
        everyone = [self.best, *callbacks, *own, *patience, *telemetry]
        learning = parts.experiment.learner.begin(parts.material)
        self.initial = fingerprint(learning.weights)
        declared = [*parts.experiment.learner.declares, *(m for c in everyone for m in c.declares)]
        columns = [measure.name for measure in (*parts.measures, *declared, *COUNTERS)]
        splits = ["train", "validation"] if parts.splits.validation else ["train"]
        self.journal = Journal(files, columns, splits, {})
        of = learning, parts.order(), everyone, self.journal
        self.lane = Lane(*of, parts.length.until(pause), parts.evaluations)

    def begin(self) -> None:
        """A new run. Raises RunError if the folder holds anything."""
        self.record |= records.first(self.parts, self.lane.learning, self.initial, self.numerics)
        self.record["configs"] = [_digest(self.config)]
        self.journal.identity = self._identity
        preparation = json.dumps(self.parts.splits.preparation.record)
        self.record["hashes"]["preparation"] = _digest(preparation)
        paths = [own.path for own in self.parts.experiment.imports or ()]
        imported = [source.content for source in own_parts.sources(paths)]
        self.folder.begin(self.config, self.record, preparation.encode(), imported)
        try:
            self.journal.open()
            account.begin(self.journal, self.config, self.record)
        except BaseException as error:
            self.fail(error)
            raise

    def again(self, record: dict[str, Any]) -> None:
        """Begin once more: the run was killed before its first checkpoint."""
        self.record = record | {"numerics": self.numerics, "ranks": self.parts.ranks.size}
        self.journal.identity = self._identity
        self.journal.discard()
        self.journal.open()
        account.begin(self.journal, self.config, self.record)

    def take_up(
        self, record: dict[str, Any], name: str = LAST, inexact: bool = False, whole: bool = True
    ) -> None:
        """Continue from a checkpoint, or begin again if there is none yet.

        name: the checkpoint's file.  inexact: continue although this process rounds differently.
        whole: the logs are here; a slice has its older event files elsewhere.
        Raises RunError for changed data, a changed config, or another run's checkpoint, DamageError
        for a damaged one.
        """
        self.folder.check(record)
        checkpoint = self.journal.read(name)
        if checkpoint is None:
            if record["status"] == Status.COMPLETED or record.get("stop_reason") in SAVED:
                raise DamageError(f"{self.folder}: its checkpoints are gone")
            self._check_data(record)
            self.again(record)
            return
        self.record = record | {"ranks": self.parts.ranks.size}
        self._check(checkpoint, inexact)
        differs = self._difference(checkpoint.state["identity"])
        self.journal.restore(checkpoint, self.lane.position)
        progress = self.lane.progress
        progress.seconds = float(record.get("seconds", 0.0))
        if progress.stop_reason in CONTINUED:
            progress.stop_reason = ""
        elif self._was_prolonged:
            self.prolong()
        self._check_length()
        if differs:
            self.record["inexact"] = differs
        self.journal.identity = self._identity
        if whole:
            self.journal.reopen(checkpoint.state["logs"], append=not differs, name=name)
        else:
            self.journal.extend(checkpoint.state["logs"])
        account.begin(self.journal, self.config, self.record)

    def _check_length(self) -> None:
        """Raise ConfigError if the run is to be shorter than it is already."""
        progress, epochs = self.lane.progress, self.lane.length.epochs
        if progress.epoch > epochs or (progress.epoch == epochs and not self.lane.ended):
            what = f"{epochs} is not more than the {progress.epoch} epochs that are done"
            raise ConfigError(Problem("epochs", what, "train a new run instead"))

    def prolong(self) -> None:
        """The run was over, and now has more epochs: patience begins afresh, the best stays."""
        progress = self.lane.progress
        if progress.stop_reason == EXHAUSTED:
            self.record["continued_after"] = EXHAUSTED
            for callback in self.lane.callbacks:
                if isinstance(callback, Patience):
                    callback.wait = 0
        progress.stop_reason = ""

    @property
    def _was_prolonged(self) -> bool:
        """Whether the run had ended here, and was to be longer: killed before it was."""
        progress = self.lane.progress
        here = {"step": progress.step, "ended": progress.stop_reason}
        known = any(event.items() >= here.items() for event in self.record.get("resumed", ()))
        return known and progress.epoch < self.lane.length.epochs

    @property
    def _identity(self) -> dict[str, Any]:
        """What must be equal when the run continues."""
        tree = {key: self.tree[key] for key in self.tree.keys() - keys(Role.LENGTH)}
        return {
            "run": self.record["id"],
            "config": _digest(json.dumps(tree, sort_keys=True)),
            "data": self.parts.splits.fingerprint,
            "numerics": self.numerics,
            "ranks": self.parts.ranks.size,
        }

    def _difference(self, known: dict[str, Any]) -> str:
        """Why the numbers that follow are not those of the run before; empty if they are."""
        before, now = known.get("ranks", 1), self.parts.ranks.size
        ranks = f"ranks: {before}, now {now}" if before != now else ""
        return "; ".join(
            filter(None, [numerics.difference(known["numerics"], self.numerics), ranks])
        )

    def compare(self) -> None:
        """Raise RunError unless all ranks are at one position and round alike."""
        if differences := self.parts.ranks.differences(self._standing):
            raise RunError("\n".join(differences))

    def _standing(self) -> dict[str, str]:
        """What ranks must have in common to take the next step together."""
        weights = fingerprint(self.lane.learning.weights)
        return {
            "rounding": "\n".join(f"{key} {x}" for key, x in self.numerics.items()),
            "position": f"step {self.lane.progress.step}, weights {weights}",
        }

    def _check(self, checkpoint: Checkpoint, inexact: bool) -> None:
        known, now = checkpoint.state["identity"], self._identity
        if known["run"] != now["run"]:
            raise DamageError(f"{self.folder}: the checkpoint is of another run")
        if known["config"] != now["config"]:
            raise RunError(
                f"{self.folder}: the config has changed since the checkpoint was written"
            )
        if known["data"] != now["data"]:
            raise RunError(f"{self.folder}: {DATA_CHANGED}")
        differs = numerics.difference(known["numerics"], now["numerics"])
        if differs and not inexact:
            raise RunError(f"{self.folder}: this process rounds differently: {differs} — {INEXACT}")

    def _check_data(self, record: dict[str, Any]) -> None:
        if record["hashes"]["data"] != self.parts.splits.fingerprint:
            raise RunError(f"{self.folder}: {DATA_CHANGED}")

    def conclude(self, pace: Pace) -> Result:
        """After training: the best weights back, the test split, the last record.

        A signal in the test split interrupts the run; continued, it has only that left to do.
        """
        lane, parts = self.lane, self.parts
        if lane.progress.status is Status.COMPLETED:
            stopping = parts.experiment.early_stopping
            if stopping and stopping.restore_best_weights and self.best.weights:
                self.best.put_back(lane)
                lane.progress.metrics = {k: x for k, x in self.best.row.items() if k != "epoch"}
                self.restored_epoch = int(self.best.row["epoch"])
            self._test(pace)
            self.journal.sync()  # what callbacks wrote at the end
        return replace(self._end(), signal=pace.signal)

    def fail(self, error: BaseException) -> None:
        """An error or a second signal has ended the run: its last commit stands.

        That the record or the traceback cannot be written either is not raised: the first error is.
        """
        self.lane.give_up(error)
        with suppress(MachineError), closing(self.journal):
            self._end()
        if self.lane.progress.status is Status.FAILED:
            with suppress(MachineError):
                self.folder.write_traceback(error)

    def _test(self, pace: Pace) -> None:
        """Evaluate once on the test split, with the weights that the run ends with."""
        lane = self.lane
        if self.parts.splits.test is None:
            return
        with np.errstate(all="ignore"):  # as in the loop
            rows = lane.learning.measure("test", pace)
        if rows is None:
            lane.progress.status, lane.progress.stop_reason = Status.INTERRUPTED, "signal"
            return
        (row,) = rows
        lane.progress.metrics |= prefixed("test", row)
        epoch = self.restored_epoch or lane.progress.epoch
        self.journal.row(epoch, lane.progress.step, "test", row)

    def _end(self) -> Result:
        ended = records.outcome(self.lane, self.best.row, self.restored_epoch)
        record = self.record | ended | {"hashes": self._hashes()}
        self.folder.write_record(record)  # before what may not fit on a full disk
        account.end(self.journal, record)
        self.journal.close()
        return self.result

    @property
    def result(self) -> Result:
        """How the run has ended."""
        lane, files = self.lane, self.folder.files
        folder = files.path if isinstance(files, DiskFolder) else Path(files.where())
        return Result(
            self.parts.experiment,
            folder,
            lane.progress,
            self.best.row,
            self.restored_epoch,
            lane.message,
            lane.signal,
            self.journal.has_checkpoint,
        )

    def _hashes(self) -> dict[str, str]:
        order, weights = self.lane.order, fingerprint(self.lane.learning.weights)
        drawn = {"batch_order": order.digest} if order else {}
        return self.record["hashes"] | drawn | {"weights": weights}


DATA_CHANGED = "the data have changed since the run began"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _own_callbacks(experiment: Experiment) -> list[Callback]:
    """What its keys ask for; those of ``callbacks`` under names that no callback of ours has."""
    made = {observer.name: observer.begin() for observer in experiment.callbacks or ()}
    for name, callback in made.items():
        callback.name = f"callbacks.{name}"
    places = [Whereabouts(experiment.objective)] if experiment.objective else []
    kept = [Trajectory(experiment.trajectory)] if experiment.trajectory else []
    return [*made.values(), *places, *kept]


def _watchers(parts: Parts) -> tuple[Best, list[Callback]]:
    """What remembers the best epoch, and what stops early by it."""
    stopping = parts.experiment.early_stopping
    names = measured(parts.measures, parts.splits.validation is not None)
    goal = monitored(parts.monitor, names, "early_stopping")
    if stopping is None:
        return Best(parts.monitor, goal), []
    goal = goal if stopping.mode == "auto" else stopping.mode
    best = Best(parts.monitor, goal, stopping.min_delta, stopping.start_from_epoch)
    return best, [Patience(stopping, best)]
