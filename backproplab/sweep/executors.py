"""Executors: who runs the jobs of a sweep. Each is a ``concurrent.futures.Executor``.

    local[:N]              processes of this machine
    dask:tcp://HOST:PORT   a Dask cluster that is running already
    mpi                    the ranks of mpiexec -n K python -m mpi4py.futures -m backproplab sweep …

This file must not know what a job is, nor in which order jobs come.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from multiprocessing import get_context
from multiprocessing.connection import Connection, Pipe
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import RLock, Thread
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from backproplab.errors import ConfigError, MachineError, Problem

P = ParamSpec("P")
T = TypeVar("T")
Errors = tuple[type[BaseException], ...]

VALID = "valid: local, local:N with N from 1 to 9999, dask:tcp://HOST:PORT, mpi"
LAUNCH = "mpiexec -n 3 python -m mpi4py.futures -m backproplab sweep … --executor mpi"
ANSWER = 8  # seconds in which a scheduler must answer
ALIKE = ("backproplab", "numpy")  # what a worker must have in our version: the bits depend on it
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


@dataclass(frozen=True)
class Engine:
    """An executor, and what its user must know of it.

    capacity: how many jobs it runs at a time, at this moment; a cluster grows and shrinks.
    lost: exceptions of a future that mean "the worker died": submit the job again.
    gone: exceptions that mean "the workers died, the engine itself has tried again": give it up.
    name: the executor as it is written on the command line.
    flag: a file that the workers see, if they do: once it is there they come back early.
    """

    executor: Executor
    capacity: Callable[[], int]
    lost: Errors
    gone: Errors
    name: str
    flag: Path | None = None


def open_executor(spec: str, threads: int = 1) -> AbstractContextManager[Engine]:
    """The engine that ``spec`` names, for a ``with``; at its end what still runs is dropped.

    threads: that a job computes with; plain ``local`` opens a process for each so many cores.
    Raises ConfigError for an unknown spec, a package that is missing, or workers of another
    version; MachineError if nobody answers at an address.
    """
    if found := re.fullmatch(r"local(?::([1-9]\d{0,3}))?", spec):
        return _local(int(found[1] or max(1, _cores() // threads)))
    if found := re.fullmatch(r"dask:(\w+://.+)", spec):
        return _dask(found[1])
    if spec == "mpi":
        return _mpi()
    raise ConfigError(Problem(f"--executor {spec}", "no such executor", VALID))


class LocalExecutor(Executor):
    """So many processes, each a pool of its own: one that dies fails the job that it has, no other.

    A process starts with the first job of its slot, and anew after it died. It leaves Ctrl-C to the
    driver, and ends at once when the driver dies or lets it go.
    """

    def __init__(self, slots: int) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._entry = RLock()  # a signal handler may shut down in the middle of a submit
        self._scratch = tempfile.TemporaryDirectory(
            prefix="backproplab-sweep-", ignore_cleanup_errors=True
        )
        self.flag = Path(self._scratch.name) / "come-back"
        files = Path(self._scratch.name) / "files"
        files.mkdir()
        leash, self._hold = Pipe(duplex=False)
        setup = _set_up_worker, (leash, files)
        self._open_pool = partial(ProcessPoolExecutor, 1, get_context("spawn"), *setup)
        self._slots = [Thread(target=self._serve, daemon=True) for _ in range(slots)]
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
            self._scratch.cleanup()

    def _drop(self) -> None:
        with suppress(Empty):
            while True:
                if job := self._jobs.get_nowait():
                    job.future.cancel()
                    job.future.set_running_or_notify_cancel()  # wakes who waits for it
        self._hold.close()

    def _serve(self) -> None:
        """One slot: job after job, in one process for as long as it lives."""
        pool = self._open_pool()
        # What a thread blocks, the processes that it starts block from their first instruction.
        # After the pool is made: the first one starts Python's resource tracker, which unblocks.
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
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
            result = pool.submit(self.call).result()
        except BrokenExecutor as error:
            pool.shutdown()
            self.future.set_exception(error)
            return False
        except BaseException as error:
            self.future.set_exception(error)
        else:
            self.future.set_result(result)
        return True


def _set_up_worker(leash: Connection, files: Path) -> None:
    """files: holds all temporary files, so that those of a dead worker are found."""
    tempfile.tempdir = str(files)
    Thread(target=_end_with_driver, args=(leash, files), daemon=True).start()


def _end_with_driver(leash: Connection, files: Path) -> None:
    """Nothing is ever sent: the read ends when the driver closes its end, or has died."""
    with suppress(EOFError, OSError):
        leash.recv_bytes()
    with suppress(OSError):  # another worker was first
        files.rename(files.with_name("gone"))  # runs still write; now they cannot
        shutil.rmtree(files.parent)
    os._exit(1)


@contextmanager
def _local(slots: int) -> Iterator[Engine]:
    with _environment(dict.fromkeys(THREADS, str(max(1, _cores() // slots)))):
        executor = LocalExecutor(slots)
        try:
            lost, name = (BrokenExecutor,), f"local:{slots}"
            yield Engine(executor, lambda: slots, lost, (), name, executor.flag)
        finally:
            executor.shutdown(cancel_futures=True)


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


@contextmanager
def _dask(address: str) -> Iterator[Engine]:
    with _installed("dask"):
        from distributed import Client
        from distributed.scheduler import KilledWorker
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # we tell it in our words
    spec = f"dask:{address}"
    try:
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except OSError:
        hint = "start one with 'dask scheduler', or correct the address"
        raise MachineError(f"--executor {spec}: no scheduler answers — {hint}") from None
    except ValueError as error:
        raise ConfigError(Problem(f"--executor {spec}", str(error), VALID)) from None
    with closing(client):
        _check_workers(client, spec)
        yield Engine(DaskExecutor(client), lambda: len(_workers(client)), (), (KilledWorker,), spec)


class DaskExecutor(Executor):
    """A cluster's tasks as the standard's futures; what runs on a cluster cannot be killed.

    Dask's own executor never ends a future whose result is lost with its worker, on the way to us,
    and cannot be computed again.
    """

    def __init__(self, client: Any) -> None:
        self._client = client
        self._tasks: WeakSet[Any] = WeakSet()
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        task = self._client.submit(fn, *args, pure=False, **kwargs)  # pure: equal calls run once
        self._tasks.add(task)
        future = Future[T]()
        task.add_done_callback(partial(_hand_over, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True
        tasks = list(self._tasks)
        if cancel_futures:
            self._client.cancel(tasks)
        elif wait:
            for task in tasks:
                task.exception()


def _hand_over(future: Future[Any], task: Any) -> None:
    """What came of the task, to the future that stands for it. In a thread of the client."""
    try:
        future.set_result(task.result())
    except CancelledError:
        future.cancel()
        future.set_running_or_notify_cancel()  # wakes who waits for it
    except BaseException as error:
        future.set_exception(error)


def _workers(client: Any) -> dict[str, Any]:
    return client.scheduler_info(n_workers=-1).get("workers", {})  # none once it is gone


def _check_workers(client: Any, spec: str) -> None:
    """The workers that are there compute what we would."""
    if any(worker["nthreads"] > 1 for worker in _workers(client).values()):
        what, hint = "runs cannot share a process", "start the workers with --nthreads 1"
        raise ConfigError(Problem(f"--executor {spec}", what, hint))
    for package in ALIKE:
        here = metadata.version(package)
        try:
            there = set(client.run(metadata.version, package).values()) - {here}
        except metadata.PackageNotFoundError:
            there = {"no version"}
        if there:
            what = f"its workers have {', '.join(sorted(there))} of {package}, here it is {here}"
            raise ConfigError(Problem(f"--executor {spec}", what, "install the same on both sides"))


@contextmanager
def _mpi() -> Iterator[Engine]:
    with _installed("mpi"):
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    if MPI.COMM_WORLD.Get_size() < 2 or "mpi4py.futures" not in sys.orig_argv:
        raise ConfigError(Problem("--executor mpi", "started without workers", LAUNCH))
    with MPIPoolExecutor(initializer=_leave_interrupts, main=False) as executor:
        executor.bootup()
        workers = executor.num_workers
        yield Engine(executor, lambda: workers, (BrokenExecutor,), (), "mpi")


def _leave_interrupts() -> None:
    """mpiexec passes Ctrl-C to every rank; it is the driver's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _installed(extra: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI library
        need = f"needs pip install 'backproplab[{extra}]'"
        if isinstance(error, RuntimeError):
            need = "found no MPI library: load your site's, or pip install 'backproplab[mpi-local]'"
        raise ConfigError(f"--executor {extra} {need}") from None
