"""Driver: the one process that hands out the runs of a sweep and writes down what comes back.

A worker that dies loses the run it had, and that run is handed out again; a driver that dies loses
the runs under way, and ``resume`` runs what is missing. This file must not know what a run does,
nor the terminal.
"""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import TYPE_CHECKING

from backproplab.config import to_yaml
from backproplab.errors import MachineError, StoppedError
from backproplab.sweep.executors import Engine
from backproplab.sweep.job import Outcome, run_job
from backproplab.sweep.session import Job, SweepFolder

if TYPE_CHECKING:
    from backproplab.sweep.search import Searcher

STRIKES = 3  # workers that a run may cost before it counts as failed
LOOK = 0.5  # seconds between two looks at signals and the clock


@dataclass
class Standing:
    """Where a sweep stands.

    total: runs in all.  done: by status, those that were there before included.
    running: runs handed out.  best: (metric, label) of the best trial so far.  errors: by run.
    """

    total: int
    done: Counter[str] = field(default_factory=Counter)
    running: int = 0
    best: tuple[float, str] | None = None
    errors: dict[str, str] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)
    before: int = 0

    @property
    def finished(self) -> int:
        return sum(self.done.values())

    @property
    def seconds_left(self) -> float | None:
        """By the pace so far; None before the first run has ended."""
        ran = self.finished - self.before
        pace = (time.monotonic() - self.started) / ran if ran else None
        return None if pace is None else pace * (self.total - self.finished)


class Driver:
    """Runs a sweep: ``for standing in driver.run(): …`` after every run that ends.

    searcher: chooses the trials as it goes; None for a grid.
    """

    def __init__(
        self,
        folder: SweepFolder,
        engine: Engine,
        searcher: Searcher | None = None,
        fail_fast: bool = False,
    ) -> None:
        self.folder = folder
        self.engine = engine
        self.searcher = searcher
        self.fail_fast = fail_fast
        self.signals = 0
        self.left: dict[int, list[Job]] = {}  # of a searched trial: what has not ended
        self.lost: Counter[str] = Counter()
        self.minimizes = goal_of(folder) == "minimize"
        trials = folder.sweep.search.num_trials if folder.sweep.search else None
        self.standing = Standing((trials or len(folder.sweep.trials)) * len(folder.sweep.seeds))

    def run(self) -> Iterator[Standing]:
        """Raises StoppedError after a signal, MachineError when the engine is gone."""
        waiting, pending = self._jobs(), dict[Future[Outcome], Job]()
        again: list[Job] = []
        with self._listening():
            while True:
                while not self._stops and len(pending) <= self.engine.capacity():
                    job = again.pop() if again else next(waiting, None)
                    if job is None:
                        break
                    pending[self._submit(job)] = job
                self.standing.running = min(len(pending), self.engine.capacity())
                if not pending:
                    break
                ended, _ = wait(pending, LOOK, FIRST_COMPLETED)
                for future in ended:
                    job = pending.pop(future)
                    again += self._settle(future, job)
                yield self.standing
        if self.signals:
            raise StoppedError(
                "stopped; the finished runs are kept: --resume goes on", self.signals
            )

    @property
    def _stops(self) -> bool:
        return bool(self.signals) or (self.fail_fast and bool(self.standing.errors))

    def _jobs(self) -> Iterator[Job]:
        """What is to be run, one after the other; runs that are there already are counted."""
        sweep = self.folder.sweep
        if self.searcher is None:
            known = list(sweep.trials)
        else:
            told = self.searcher.finished()
            known = [
                sweep.trial(n, t["values"]) for n, t in self.folder.trials.items() if n in told
            ]
        every = [job for trial in known for job in self.folder.jobs(trial)]
        self.folder.write()
        missing = [job for job in every if not self._there(job)]
        self.standing.before = self.standing.finished
        yield from missing if self.searcher is None else self._searched(self.searcher)

    def _searched(self, searcher: Searcher) -> Iterator[Job]:
        """The jobs of a search: first of the trials that a dead driver had asked for."""
        asked = searcher.waiting()
        while found := (asked.pop(0) if asked else searcher.ask()):
            trial = self.folder.sweep.trial(*found)
            jobs = self.folder.jobs(trial)
            self.folder.write()
            missing = [job for job in jobs if not self._there(job)]
            self.left[trial.number] = list(missing)
            yield from missing
            self._tell(trial.number)

    def _there(self, job: Job) -> bool:
        status = self.folder.status(job)
        if status:
            self._count(job, status)
        return bool(status)

    def _submit(self, job: Job) -> Future[Outcome]:
        experiment = job.trial.experiment(job.seed).model_copy(update={"name": job.folder})
        if experiment.threads == "auto":  # the engine's slots share the cores
            experiment = experiment.model_copy(update={"threads": 1})
        return self.engine.executor.submit(run_job, to_yaml(experiment))

    def _settle(self, future: Future[Outcome], job: Job) -> list[Job]:
        """Take what came back; the job again if its worker died."""
        try:
            outcome = future.result()
        except self.engine.lost as error:
            self.lost[job.folder] += 1
            if self.lost[job.folder] < STRIKES:
                return [job]
            outcome = Outcome("failed", {}, f"its worker died {STRIKES} times: {error}")
        except self.engine.gone as error:
            outcome = Outcome("failed", {}, f"its workers died: {error}")
        except CancelledError:
            hint = "start it anew; --resume goes on"
            raise MachineError(f"{self.engine.name} is gone: {hint}") from None
        if outcome.files:
            self.folder.keep(job, outcome.files)
        if outcome.error:
            self.standing.errors[job.folder] = outcome.error
        self._count(job, outcome.status)
        if job.trial.number in self.left:
            self.left[job.trial.number].remove(job)
            self._tell(job.trial.number)
        return []

    def _count(self, job: Job, status: str) -> None:
        self.standing.done[status] += 1
        value = self.folder.value(job)
        best = self.standing.best
        if value is not None and (best is None or (value < best[0]) is self.minimizes):
            self.standing.best = value, job.trial.label

    def _tell(self, number: int) -> None:
        """Tell the search a trial's mean over its seeds, once all of them have ended."""
        if self.searcher is None or self.left[number] or number in self.searcher.finished():
            return
        jobs = self.folder.jobs(
            self.folder.sweep.trial(number, self.folder.trials[number]["values"])
        )
        values = [self.folder.value(job) for job in jobs]
        known = [value for value in values if value is not None]
        self.searcher.tell(number, sum(known) / len(known) if len(known) == len(values) else None)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """The first signal lets the runs under way end; the second drops them."""

        def take(number: int, frame: FrameType | None) -> None:
            if self.signals:
                self.engine.executor.shutdown(wait=False, cancel_futures=True)
                raise StoppedError("stopped at once; the finished runs are kept", number)
            self.signals = number

        numbers = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, take) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def goal_of(folder: SweepFolder) -> str:
    """minimize or maximize; ``auto`` by the metric's name."""
    metric = folder.sweep.metric
    if metric.goal != "auto":
        return metric.goal
    grows = metric.name.removeprefix("val_").removeprefix("test_") in ("accuracy", "r2")
    return "maximize" if grows else "minimize"
