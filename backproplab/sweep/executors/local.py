"""Processes of this machine, a pool of its own for each slot."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe
from multiprocessing.context import BaseContext
from multiprocessing.util import get_temp_dir
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import RLock, Thread, Timer
from typing import Any, ParamSpec, TypeVar

from backproplab.sweep.executors.workers import Workers

P = ParamSpec("P")
T = TypeVar("T")

AHEAD = 4  # most processes that start before there is a job: there may be few runs
WORK = "backproplab.sweep.job"  # what they import,
LOGS = "backproplab.journal.events"  # and what they import with their first log
DYING = 0.2  # seconds in which a killed fork server is gone, so that another one can start
GRACE = 5.0  # seconds that a worker has after SIGTERM, in which the driver takes back its runs
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@contextmanager
def open_local(slots: int | None, threads: int, ahead: bool = False) -> Iterator[Workers]:
    """So many processes, which share the cores; None: one for each ``threads`` cores.

    ahead: as in ``open_executor``.
    """
    slots = slots or max(1, _cores() // threads)
    with _environment(dict.fromkeys(THREADS, str(max(1, _cores() // slots)))):
        executor = LocalExecutor(slots, AHEAD if ahead else 0)
        try:
            lost, name = (BrokenExecutor,), f"local:{slots}"
            flag = executor.flag
            yield Workers(executor, lambda: slots, lost, name, flag=flag, recall=flag.touch)
        finally:
            executor.shutdown(cancel_futures=True)


class LocalExecutor(Executor):
    """So many processes, each a pool of its own: one that dies fails the job that it has, no other.

    A process starts with the first job of its slot, and anew after it died. It leaves Ctrl-C to the
    driver, and ends at once when the driver dies or lets it go.

    ahead: processes that start before there is a job, and import what jobs need.
    """

    def __init__(self, slots: int, ahead: int = 0) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._entry = RLock()  # a signal handler may shut down in the middle of a submit
        self._folder = tempfile.TemporaryDirectory(
            prefix="backproplab-sweep-", ignore_cleanup_errors=True
        )
        self.flag = Path(self._folder.name) / "come-back"
        leash, self._hold = Pipe(duplex=False)
        context, *folders = _context(ahead > 0)
        setup = _set_up_worker, (leash, self.flag.parent, *folders)
        self._open_pool = partial(ProcessPoolExecutor, 1, context, *setup)
        starts = [number < ahead for number in range(slots)]
        self._slots = [Thread(target=self._serve, args=[now], daemon=True) for now in starts]
        for slot in self._slots:
            slot.start()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        future = Future[T]()
        with self._entry:
            if self._closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._jobs.put(_Job(future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """cancel_futures: drop what waits, and end the workers in the middle of what they do."""
        with self._entry:
            self._closed = True
            if cancel_futures:
                self._drop()
            for _ in self._slots:
                self._jobs.put(None)
        if wait:
            for slot in self._slots:
                slot.join()
            self._folder.cleanup()

    def _drop(self) -> None:
        with suppress(Empty):
            while True:
                if job := self._jobs.get_nowait():
                    job.future.cancel()
                    job.future.set_running_or_notify_cancel()  # wakes who waits for it
        if not self._hold.closed:
            os.write(self._hold.fileno(), bytes(len(self._slots)))  # for each worker its own
            self._hold.close()

    def _serve(self, now: bool) -> None:
        """One slot: job after job, in one process for as long as it lives, which may start now."""
        # What a thread blocks, the processes that it starts block from their first instruction.
        # The first pool starts Python's resource tracker: it ignores the other two by itself, and
        # starting it unblocks them here.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
        pool = self._open_pool()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        if now:
            pool.submit(import_module, WORK)
        while job := self._jobs.get():
            if not job.run_in(pool):
                pool = self._open_pool()
            del job  # and with it the result
        pool.shutdown()


@dataclass(frozen=True)
class _Job:
    future: Future[Any]
    call: Callable[[], Any]

    def run_in(self, pool: Executor) -> bool:
        """False if the pool's process died. It is buried before anybody hears of it."""
        if not self.future.set_running_or_notify_cancel():
            return True
        try:
            result = _submitted(pool, self.call).result()
        except BrokenExecutor as error:
            pool.shutdown()
            self.future.set_exception(error)
            return False
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
        return True


def _submitted(pool: Executor, call: Callable[[], T]) -> Future[T]:
    """Raises BrokenExecutor where the pool's process cannot start."""
    try:
        return pool.submit(call)
    except OSError as error:
        time.sleep(DYING)
        raise BrokenExecutor(f"a worker cannot start: {error}") from error


def _context(ahead: bool) -> tuple[BaseContext, *tuple[Path, ...]]:
    """How processes start, and the folders that this makes.

    ahead: on Linux as forks of a server, a process that has imported what jobs need. Python keeps
        the server, with its environment of now, until this process ends: right for a command, but
        not for a program that starts processes of its own.
    """
    if not ahead or sys.platform != "linux":
        return (get_context("spawn"),)
    context = get_context("forkserver")
    context.set_forkserver_preload([WORK, LOGS])
    return context, Path(get_temp_dir())


def _set_up_worker(leash: Connection, *folders: Path) -> None:
    """Leave signals to the driver; one that terminates all processes gives it time to stop.

    folders: of the driver, which a worker removes if the driver was killed.
    """
    signal.signal(signal.SIGTERM, lambda *_: Timer(GRACE, os._exit, [1]).start())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    Thread(target=_end_with_driver, args=(leash, folders), daemon=True).start()
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # or forks, and so parts of the user's own, would draw equal numbers


def _end_with_driver(leash: Connection, folders: Sequence[Path]) -> None:
    """Its byte says that the driver lets it go; the read ends without one when it was killed."""
    if not os.read(leash.fileno(), 1):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Workers inherit them, and so have them before NumPy is imported."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ.update({} if value is None else {name: value})


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
