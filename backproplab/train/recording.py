"""The callbacks that write a run down: its metrics, its events, its weights."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from backproplab.errors import RunError
from backproplab.files import append, machine_limits, make_folder, open_log
from backproplab.train.callbacks import Best, Callback
from backproplab.train.checkpoint import Checkpoint, load, save
from backproplab.train.resume import position, restore
from backproplab.train.state import Row

if TYPE_CHECKING:
    from backproplab.train.loop import Trainer
    from backproplab.train.tensorboard import EventWriter

CHECKPOINT_SECONDS = 30.0  # of training that a crash may cost; a short run saves at its end only


class MetricsTable(Callback):
    """``metrics.csv``: a row for each epoch and split, every digit of every number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.columns: list[str] = []
        self.file: BinaryIO | None = None

    def state(self) -> dict[str, Any]:
        return {"columns": self.columns}

    def restore(self, state: dict[str, Any]) -> None:
        self.columns = state["columns"]

    def epoch(self, trainer: Trainer) -> None:
        with machine_limits(self.path):
            self.file = self.file or open_log(self.path, "ab")
            for split, values in trainer.rows.items():
                self._write(self.file, trainer.state.epoch, split, values)

    def finish(self, trainer: Trainer) -> None:
        if self.file:
            self.file.close()

    def append(self, epoch: int, split: str, values: Row) -> None:
        """One more row, after the run has finished."""
        with machine_limits(self.path), open_log(self.path, "ab") as file:
            self._write(file, epoch, split, values)

    def _write(self, file: BinaryIO, epoch: int, split: str, values: Row) -> None:
        """One row, the header before the first: names and numbers, which need no quotes."""
        if not self.columns:
            self.columns = ["epoch", "split", *values]
            append(file, f"{','.join(self.columns)}\n".encode())
        append(file, f"{epoch},{split},{','.join(map(repr, values.values()))}\n".encode())


class EventLog(Callback):
    """TensorBoard's event files, with the tags and the steps (epochs from 0) of Keras.

    histograms: every so many epochs the weights, the biases and the gradients of the last batch
    are written as histograms; 0 for never.
    """

    def __init__(self, folder: Path, histograms: int) -> None:
        self.folder = folder
        self.histograms = histograms
        self.writers: dict[str, EventWriter] = {}

    def start(self, trainer: Trainer) -> None:
        from backproplab.train.tensorboard import EventWriter

        splits = ["train", "validation"] if trainer.validation else ["train"]
        self.writers = {split: EventWriter(self.folder / split) for split in splits}

    def epoch(self, trainer: Trainer) -> None:
        step = trainer.state.epoch - 1
        for split, writer in self.writers.items():
            scalars = {f"epoch_{name}": value for name, value in trainer.rows[split].items()}
            if split == "train":
                scalars["epoch_learning_rate"] = trainer.learning_rate
            writer.scalars(step, scalars)
        if self.histograms and step % self.histograms == 0:
            self.writers["train"].histograms(step, trainer.distributions())

    def finish(self, trainer: Trainer) -> None:
        for writer in self.writers.values():
            writer.close()


class Checkpoints(Callback):
    """``checkpoints/last`` and ``checkpoints/best``: weights, optimizer slots and the position."""

    def __init__(self, folder: Path, best: Best, identity: dict[str, Any]) -> None:
        self.folder = folder
        self.best = best
        self.identity = identity
        self.saved = time.monotonic()

    def take_up(self, trainer: Trainer) -> None:
        """Go on from the last checkpoint. RunError if it is damaged, or of another config."""
        last = load(self.folder / "last.safetensors")
        place = self.folder / "best.safetensors"
        if last.state["config"] != self.identity["config"]:
            raise RunError(f"{self.folder}: a checkpoint of another config")
        known = last.state["position"]["state"]["best"]
        restore(trainer, last, load(place) if known else None, self.best)

    def epoch(self, trainer: Trainer) -> None:
        if time.monotonic() - self.saved >= CHECKPOINT_SECONDS:
            self.save(trainer)

    def finish(self, trainer: Trainer) -> None:
        if trainer.state.status != "failed" and trainer.state.stop_reason != "second_signal":
            self.save(trainer)  # else the weights may be in the middle of an update

    def save(self, trainer: Trainer) -> None:
        state = trainer.state
        with machine_limits(self.folder):
            make_folder(self.folder)
        here = {"epoch": state.epoch, "step": state.step, **self.identity}
        last = here | {"position": position(trainer)}
        slots = {
            f"slot/{slot}/{name}": view
            for slot, vector in trainer.slots.items()
            for name, view in vector.views.items()
        }
        arrays = dict(trainer.parameters.views) | slots
        save(self.folder / "last.safetensors", Checkpoint(arrays, last))
        if self.best.weights is not None:
            kept = trainer.parameters.named(self.best.weights)
            best = {"epoch": int(state.best["epoch"]), **self.identity}
            save(self.folder / "best.safetensors", Checkpoint(kept, best))
        self.saved = time.monotonic()
