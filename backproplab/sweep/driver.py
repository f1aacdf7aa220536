"""Driver: the one process that hands out the runs of a sweep and writes down what comes back.

A worker that dies loses the slices that it had, and they are handed out again; a driver that dies
loses the slices under way, and ``resume`` goes on with what is missing. This file must not know
what a run does, nor the terminal.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager
from types import FrameType

from backproplab.errors import MachineError, StoppedError
from backproplab.experiment.group import MOST
from backproplab.sweep.crews import Crews
from backproplab.sweep.executors import Engine
from backproplab.sweep.job import Outcome, Work, run_slice
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import Job, SweepFolder
from backproplab.sweep.sources import Chosen, Grid, Source
from backproplab.sweep.standing import Standing

STRIKES = 3  # workers that a run may cost before it counts as failed
LOOK = 0.5  # seconds between two looks at signals and the clock
SLICE = 30.0  # seconds after which a run comes back, at the end of an epoch: what a crash may cost

Crew = list[Job]
Back = Future[list[Outcome]]


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
        self.fail_fast = fail_fast
        self.signals = 0
        self.source: Source = Chosen(folder, searcher) if searcher else Grid(folder)
        self.crews = Crews(folder)
        self.ready: list[Job] = []
        self.entered: set[str] = set()
        # in the order of handing out: a crew, and those of it that were not there already
        self.pending: dict[Back, tuple[Crew, Crew]] = {}
        self.lost: Counter[str] = Counter()
        sweep = folder.sweep
        trials = sweep.search.num_trials if sweep.search else None
        runs = (trials or len(sweep.trials)) * len(sweep.seeds)
        self.standing = Standing(runs, len(sweep.seeds), goal_of(folder) == "minimize")

    def run(self) -> Iterator[Standing]:
        """Raises StoppedError after a signal, MachineError when the engine is gone."""
        with self._listening():
            while True:
                self._hand_out()
                self.standing.running = sum(len(out) for _, out in self.pending.values())
                if not self.pending:
                    break
                for future in self._ended():
                    self._take(*self.pending.pop(future), future)
                yield self.standing
        if self.signals:
            raise StoppedError("stopped; what was done is kept: --resume goes on", self.signals)

    @property
    def _stops(self) -> bool:
        return bool(self.signals) or (self.fail_fast and bool(self.standing.errors))

    def _hand_out(self) -> None:
        """Keep every slot busy, and one crew waiting for the first that is free."""
        slots = self.engine.capacity()
        enough = 1 + MOST * slots * self.source.eager
        while not self._stops and len(self.pending) <= slots:
            if len(self.ready) < enough and (jobs := self.source.more()):
                self.ready += jobs
                continue
            if not self.ready:
                break
            crew = self.crews.take(self.ready, max(slots - len(self.pending), 1))
            out = [job for job in crew if not self._there(job)]
            self.pending[self._submit(out)] = crew, out

    def _there(self, job: Job) -> bool:
        """Whether a driver before us has brought the run somewhere: then it is settled first."""
        new = job.folder not in self.entered
        self.entered.add(job.folder)
        return new and bool(self.folder.status(job))

    def _submit(self, crew: Crew) -> Back:
        if not crew:
            nothing = Back()
            nothing.set_result([])
            return nothing
        works = []
        for job in crew:
            experiment = job.trial.experiment(job.seed).model_copy(update={"name": job.folder})
            if experiment.threads == "auto":  # the engine's slots share the cores
                experiment = experiment.model_copy(update={"threads": 1})
            works.append(Work(experiment, self.folder.files(job), self.source.until(job)))
        return self.engine.executor.submit(run_slice, works, SLICE, self.engine.flag)

    def _ended(self) -> list[Back]:
        """What has come back; of a search that learns, in the order of handing out."""
        if not self.source.ordered:
            return list(wait(self.pending, LOOK, FIRST_COMPLETED).done)
        first = next(iter(self.pending))
        return list(wait([first], LOOK).done)

    def _take(self, crew: Crew, out: Crew, future: Back) -> None:
        """Keep what came back, then see who goes on."""
        again = []
        for job, outcome in zip(out, self._outcomes(out, future), strict=True):
            if outcome is None:
                again.append(job)
            elif outcome.status == "failed" and len(out) > 1:  # it may be another one's fault
                self.crews.alone.add(job.folder)
                again.append(job)
            else:
                self._keep(job, outcome)
        self.ready[:0] = again
        for job in crew:
            if job not in again:
                self.standing.before += job not in out
                self._settle(job)

    def _outcomes(self, out: Crew, future: Back) -> Sequence[Outcome | None]:
        """Of each run; None for one that is to be handed out again, because its worker died."""
        try:
            return future.result()
        except self.engine.lost as error:
            self.lost.update(job.folder for job in out)
            self.crews.alone |= {job.folder for job in out if len(out) > 1}
            failed = Outcome("failed", {}, f"its worker died {STRIKES} times: {error}")
            return [failed if self.lost[job.folder] == STRIKES else None for job in out]
        except self.engine.gone as error:
            return [Outcome("failed", {}, f"its workers died: {error}")] * len(out)
        except CancelledError:
            hint = "start it anew; --resume goes on"
            raise MachineError(f"{self.engine.name} is gone: {hint}") from None

    def _keep(self, job: Job, outcome: Outcome) -> None:
        if outcome.files:
            self.folder.keep(job, outcome.files)
        if outcome.error:
            self.standing.errors[job.folder] = outcome.error

    def _settle(self, job: Job) -> None:
        """A run has paused or ended: count it, and see what follows."""
        status = self.folder.status(job)
        if status != "paused":
            self._count(job, status or "failed")
        go_on, pruned = self.source.settled(job)
        self.ready[:0] = go_on
        for other in pruned:
            self._count(other, "pruned")

    def _count(self, job: Job, status: str) -> None:
        value = self.folder.value(job.folder) if status == "completed" else None
        self.standing.count(status, job.trial.label, value)

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """The first signal lets the slices under way end; the second drops them."""

        def take(number: int, frame: FrameType | None) -> None:
            if self.signals:
                self.engine.executor.shutdown(wait=False, cancel_futures=True)
                raise StoppedError("stopped at once; what was done is kept", number)
            self.signals = number
            if self.engine.flag:
                self.engine.flag.touch()

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
