"""Driver: the one process that hands out the runs of a sweep and writes down what comes back.

A worker that dies loses the slices that it had, and they are handed out again; a driver that dies
loses the slices under way. ``resume`` plays the sweep again from its beginning: what is there
already is taken as it is, the rest is run. This file must not know what a run does, nor the
terminal.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import contextmanager

from backproplab import environment
from backproplab.errors import (
    BackpropLabError,
    ConfigError,
    DivergedError,
    MachineError,
    Problem,
    StoppedError,
    described,
)
from backproplab.experiment.crew import MOST
from backproplab.experiment.foreign import packages
from backproplab.signals import Stop, StopNow, listening
from backproplab.status import Status
from backproplab.sweep.crews import Crews
from backproplab.sweep.executors import Workers
from backproplab.sweep.job import Outcome, Work, packed, run_slice
from backproplab.sweep.search import Searcher
from backproplab.sweep.session import Job, SweepFolder
from backproplab.sweep.sources import Chosen, Grid, Stage, TrialSource
from backproplab.sweep.standing import Standing

LOOK = 0.5  # seconds between two looks at signals and the clock
REFUSALS = 20  # in a row, until a sweep gives up
SLICE = 30.0  # seconds after which a run comes back: what a crash may cost

Crew = list[Job]
Back = Future[list[Outcome]]


class Driver:
    """Runs a sweep: ``for standing in driver.run(): …`` after every run that ends.

    searcher: chooses the trials as it goes; None for a grid.

    Two things are kept apart. In which order runs are asked for and judged is decided by stages,
    one after the other, so that it depends on nothing but what came of them. Which runs are at
    work, together with which others, after which losses and pauses, is a matter of the moment.
    """

    def __init__(
        self,
        folder: SweepFolder,
        workers: Workers,
        searcher: Searcher | None = None,
        fail_fast: bool = False,
    ) -> None:
        self.folder = folder
        self.workers = workers
        self.fail_fast = fail_fast
        self.stop = Stop()
        self.source: TrialSource = Chosen(folder, searcher) if searcher else Grid(folder)
        self.slots = 0  # the most that there were: a worker that is away for a moment counts
        self.stages: dict[str, Stage] = {}  # by run: those that are not settled
        self.queue: deque[Stage] = deque()  # the order in which they are settled
        self.crews = Crews(folder)
        self.ready: list[Job] = []
        self.pending: dict[Back, Crew] = {}
        self.lost: Counter[str] = Counter()
        self.deaths = 0  # of workers, since one came back
        self.refusals = 0  # of workers, since one took a job
        self.ended: set[str] = set()
        sweep = folder.sweep
        chosen = (sweep.search.num_trials or 0) if sweep.search else 0
        each = len(sweep.repeats)
        runs = (chosen + len(sweep.trials)) * each
        self.standing = Standing(runs, each, sweep.metric.minimizes, sweep.metric.name)

    def run(self) -> Iterator[Standing]:
        """Raises StoppedError after a signal, MachineError when the workers are gone."""
        with listening(self._receive), self._dropped_at_once():
            while True:
                self._advance()
                self._hand_out()
                if not self.pending:
                    break
                done = wait(self.pending, LOOK, FIRST_COMPLETED).done
                for future in [each for each in self.pending if each in done]:
                    self._take(self.pending.pop(future), future)
                self.standing.running = sum(map(len, self.pending.values()))
                yield self.standing
        if self.stop.number:
            raise StoppedError(
                "stopped; what was done is kept: --resume continues", self.stop.number
            )

    @contextmanager
    def _dropped_at_once(self) -> Iterator[None]:
        """Around the sweep: after a second request nothing is waited for."""
        try:
            yield
        except StopNow as stop:
            self.workers.executor.shutdown(wait=False, cancel_futures=True)
            raise StoppedError("stopped at once; what was done is kept", stop.number) from None

    @property
    def _stops(self) -> bool:
        return bool(self.stop.number) or (self.fail_fast and bool(self.standing.errors))

    def _advance(self) -> None:
        """Settle what has arrived, stage by stage, and ask for more after each."""
        self.standing.workers = self.workers.capacity()
        self.standing.about_workers = self.workers.notes()
        self.slots = max(self.slots, self.standing.workers)
        self._ask()
        while self.queue and not self.queue[0].missing:
            stage = self.queue.popleft()
            for job in stage.jobs:
                del self.stages[job.folder]
            self._enter(self.source.settled(stage))
            self._count(stage.jobs)
            self._ask()

    def _ask(self) -> None:
        """Runs to keep every slot busy, and one waiting for the first that is free."""
        enough = (1 + self.slots) * (MOST if self.source.eager else 1)
        while not self._stops and len(self.stages) < enough and (stages := self.source.more()):
            self._enter(stages)

    def _enter(self, stages: Iterable[Stage]) -> None:
        for stage in stages:
            self.stages |= {job.folder: stage for job in stage.jobs}
            if self.source.ordered:
                self.queue.append(stage)
            before = self.standing.finished
            self.ready += [job for job in stage.jobs if not self._arrives(job)]
            self.standing.before += self.standing.finished - before

    def _arrives(self, job: Job) -> bool:
        """Whether the run has come as far as its stage asks, or has ended: then note it."""
        stage = self.stages[job.folder]
        if job.folder not in self.standing.errors:
            status, epoch = self.folder.status(job), self.folder.reached(job).epoch
            short = stage.until is None or epoch < stage.until
            if not status or (status is Status.PAUSED and short):
                return False
        self._count([job])
        stage.missing.discard(job.folder)
        if not (stage.missing or self.source.ordered):
            self.queue.append(stage)
        return True

    def _hand_out(self) -> None:
        """Keep every slot busy, and a crew waiting for each that is free next.

        None waits at the end: a cluster has it wait for one worker, even if another is free before.
        """
        slots = max(self.workers.capacity(), 1)
        while self.ready and not self._stops:
            at_work = sum(map(len, self.pending.values()))
            waiting = self.standing.total - len(self.ended) - at_work - slots
            if len(self.pending) >= slots + min(max(waiting, 0), slots):
                break
            crew = self.crews.take(self.ready, max(slots - len(self.pending), 1))
            self.pending[self._submit(crew)] = crew

    def _submit(self, crew: Crew) -> Back:
        works = []
        for job in crew:
            experiment = job.experiment
            if experiment.threads == "auto":  # the workers share the cores
                experiment = experiment.model_copy(update={"threads": 1})
            if (
                job.trial.number or job.repeat != self.folder.sweep.repeats[0]
            ):  # one graph is enough
                quiet = experiment.tensorboard.model_copy(update={"graph": False})
                experiment = experiment.model_copy(update={"tensorboard": quiet})
            until = self.stages[job.folder].until
            hparams = self.folder.hparams(job)
            works.append(Work(experiment, self.folder.files(job), until, hparams))
        versions = environment.decisive_versions() | packages(works[0].experiment)
        return self.workers.executor.submit(
            run_slice, packed(works), SLICE, self.workers.flag, versions
        )

    def _take(self, crew: Crew, future: Back) -> None:
        """Keep what came back; what has not arrived is handed out again."""
        own = []
        for job, outcome in zip(crew, self._outcomes(crew, future), strict=True):
            if outcome and outcome.status == Status.FAILED and len(crew) > 1:
                self.crews.alone.add(job.folder)  # it may be another one's fault
            elif outcome:
                own.append((job, outcome))
        self._keep(own)
        self.ready[:0] = [job for job in crew if not self._arrives(job)]

    def _outcomes(self, crew: Crew, future: Back) -> Sequence[Outcome | None]:
        """Of each run; None for one that is to be handed out again, because its worker died."""
        try:
            outcomes = future.result()
            self.deaths = self.refusals = 0
            return outcomes
        except self.workers.lost as error:
            self.deaths += 1
            if self.deaths > 2 * self.workers.strikes * max(self.slots, 1):
                hint = "is memory short? fewer jobs (-j), or lockstep: off; --resume continues"
                raise MachineError(f"every worker dies ({error}) — {hint}") from None
            self.lost.update(job.folder for job in crew)
            self.crews.alone |= {job.folder for job in crew if len(crew) > 1}
            strikes = self.workers.strikes
            why = f"its worker died, {strikes} times in a row: {error}"
            failed = Outcome(Status.FAILED, {}, why)
            return [failed if self.lost[job.folder] == strikes else None for job in crew]
        except CancelledError:
            if self.stop.number:
                return [None] * len(crew)
            hint = "start it anew; --resume continues"
            raise MachineError(f"{self.workers.name} is gone: {hint}") from None
        except Exception as error:  # a run's own error is an outcome
            self._refused(error)
            return [None] * len(crew)

    def _refused(self, error: Exception) -> None:
        """A worker cannot take the job: another one may. Raises ConfigError if none is to come."""
        self.refusals += 1
        what = described(error) if isinstance(error, BackpropLabError) else f"a worker: {error!r}"
        if not self.workers.grows or self.refusals > REFUSALS:
            hint = "install the same versions on both sides; --resume continues"
            raise ConfigError(Problem(f"--executor {self.workers.name}", what, hint))
        time.sleep(LOOK)

    def _keep(self, came_back: Sequence[tuple[Job, Outcome]]) -> None:
        if left := [(job, outcome.files) for job, outcome in came_back if outcome.files]:
            self.folder.keep(left)
        for job, outcome in came_back:
            del self.lost[job.folder]
            for note in outcome.notes:
                self.standing.warnings.setdefault(note, set()).add(job.folder)
            if outcome.status == Status.FAILED:
                self.standing.errors[job.folder] = outcome.error
                if not outcome.files:
                    self.folder.fail(job, MachineError(outcome.error))

    def _count(self, jobs: Iterable[Job]) -> None:
        """Those that have ended, each once."""
        for job in jobs:
            status = self.folder.status(job) or Status.FAILED
            if status is not Status.PAUSED and job.folder not in self.ended:
                self.ended.add(job.folder)
                value = self.folder.value(job.folder) if status is Status.COMPLETED else None
                self.standing.count(status, job.trial.label, value)

    def raise_errors(self) -> None:
        """Raise BackpropLabError if a run failed, DivergedError if all runs diverged."""
        if self.standing.errors:
            raise BackpropLabError("\n".join(self.folder.endings(Status.FAILED)))
        if self.standing.all_diverged:
            raise DivergedError("\n".join(self.folder.endings(Status.DIVERGED)))

    def _receive(self, number: int) -> None:
        """The first signal lets the slices under way end, none begins; a later one drops them."""
        first = not self.stop.number
        self.stop.request(number)
        if first:
            self.standing.stopping = True
            for future in self.pending:
                future.cancel()  # those that wait for a slot
            self.workers.recall()
