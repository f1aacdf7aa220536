"""Case: what is known of one run, each part read or computed on first use.

What a part needs and cannot have raises Unknown with the reason, which the diagnosis passes on:
silence would read as health.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from backproplab.config import Experiment, read
from backproplab.data import updates_per_epoch
from backproplab.diagnosis.curves import Curves
from backproplab.diagnosis.end import End
from backproplab.diagnosis.splits import Data
from backproplab.errors import BackpropLabError, ConfigError, RunError
from backproplab.experiment import Parts, build
from backproplab.experiment.beginning import beginning
from backproplab.files import DiskFolder
from backproplab.runs.metrics_table import by_epoch, read_metrics
from backproplab.runs.run_folder import CONFIG, RunFolder
from backproplab.status import Status

KEPT = {"loss", "chance", "majority", "examples", "inputs", "targets", "layers", "steps"}
Facts = dict[str, Any]  # what a sentence needs, and the numbers behind it


class Unknown(Exception):
    """What a rule needs is not known; the text says why."""


class _Partial(Facts):
    """A start of which only the data's facts were kept, as by a run of a sweep."""

    def __missing__(self, key: str) -> Any:
        raise Unknown("the run did not keep its start; diagnose computes it again")


class Case:
    """One run, from its folder.

    deep: load its data and weights, and compute again what it did not keep; else only what
    run.json, config.yaml and metrics.csv hold. record, experiment: of run.json and config.yaml,
    if they are read already.
    """

    def __init__(
        self,
        folder: Path,
        deep: bool = True,
        record: Mapping[str, Any] | None = None,
        experiment: Experiment | None = None,
    ) -> None:
        self.folder = folder
        self.deep = deep
        self.record = record if record is not None else RunFolder(DiskFolder(folder)).record
        self._experiment = experiment

    @property
    def status(self) -> Status:
        return Status.read(self.record.get("status"))

    @cached_property
    def experiment(self) -> Experiment:
        try:
            return self._experiment or read(self.folder / CONFIG)[0]
        except (ConfigError, RunError, OSError) as error:
            raise Unknown(
                "its config.yaml is not one of this version, or what it imports has changed"
            ) from error

    @cached_property
    def curves(self) -> Curves:
        return Curves(
            by_epoch(read_metrics(self.folder)), int(self.record.get("restored_epoch") or 0)
        )

    @cached_property
    def start(self) -> Facts:
        """``start`` of run.json, or computed again."""
        kept = self.record.get("start")
        if isinstance(kept, dict) and kept.keys() >= KEPT:
            return kept
        if not self.deep:
            return _Partial(kept if isinstance(kept, dict) else {})
        if self.parts.network is None:
            raise Unknown(f"the learner {self.experiment.learner.name} has no network")
        try:
            init = self.record.get("hashes", {}).get("init", "")
            return beginning(self.parts, init, self.curves.rows)
        except (BackpropLabError, ValueError) as error:
            raise Unknown(f"its start cannot be computed again: {error}") from error

    @cached_property
    def parts(self) -> Parts:
        """The run, built again. Raises Unknown if its data have changed."""
        if not self.deep:
            raise Unknown("it needs the data: diagnose loads them")
        try:
            parts = build(self.experiment)
        except BackpropLabError as error:
            raise Unknown(f"the run cannot be built again: {error}") from error
        if parts.splits.fingerprint != self.record.get("hashes", {}).get("data"):
            raise Unknown("its data have changed since, or are drawn in another way now")
        return parts

    @cached_property
    def data(self) -> Data:
        return Data(self.parts.splits)

    @cached_property
    def end(self) -> End:
        """The last weights, or those of the best epoch if they were put back."""
        try:
            return End(self.parts, self.folder, self.record)
        except (BackpropLabError, LookupError, ValueError) as error:
            raise Unknown(f"its last weights cannot be read: {error}") from error

    @cached_property
    def at_best(self) -> End:
        """The weights of the best epoch."""
        try:
            return End(self.parts, self.folder, self.record, best=True)
        except (BackpropLabError, LookupError, ValueError) as error:
            raise Unknown(f"its best weights cannot be read: {error}") from error

    @property
    def is_classified(self) -> bool:
        return bool(self.start["majority"])

    @property
    def chance(self) -> float:
        """The loss of the best constant answer. Raises Unknown where there is nothing to learn."""
        b = self.start["chance"]
        if not b:
            raise Unknown("all targets are equal: every loss is as good as chance")
        return float(b)

    @property
    def level(self) -> float:
        """The last training loss, in units of chance."""
        return self.curves.last("loss") / self.chance

    @property
    def warmup(self) -> int:
        return self.experiment.schedule.warmup_steps

    @property
    def each(self) -> int:
        """Updates an epoch."""
        e = self.experiment
        size = (e.batch_size or 1) * e.accumulate
        return updates_per_epoch(e.batch_mode, self.start["examples"]["train"], size)

    @property
    def planned(self) -> int:
        """Updates of the whole run, if nothing ends it early."""
        whole = self.experiment.epochs * self.each
        return min(whole, self.experiment.steps or whole)

    @property
    def rates(self) -> list[float]:
        """The learning rate of the last update of each epoch."""
        e = self.experiment
        assert e.learning_rate is not None
        rate, found = e.schedule.begin(e.learning_rate, self.planned), []
        for number in self.curves.numbers:
            found.append(rate(min(number * self.each, self.planned) - 1))
            rate.epoch(self.curves.rows[number])
        return found

    def step(self, smallest: int = 1) -> float:
        """The median ‖Δw‖ / ‖w‖ of the largest kernel in the watched updates.

        Raises Unknown if no update was watched, or the kernel has fewer entries than ``smallest``.
        """
        steps = self.start.get("steps") or []
        largest = max(steps, key=lambda kernel: kernel["size"], default=None)
        if largest is None or largest["ratio"] is None:
            raise Unknown("no update was watched")
        if largest["size"] < smallest:
            raise Unknown(f"no kernel has {smallest} entries")
        return float(largest["ratio"])
