"""A Dask cluster that is running already; its owner starts and grows it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager
from functools import partial
from importlib import metadata
from typing import Any, ParamSpec, TypeVar
from weakref import WeakSet

from backproplab.errors import ConfigError, MachineError, Problem
from backproplab.sweep.executors.workers import Workers, installed

P = ParamSpec("P")
T = TypeVar("T")

VALID = "valid: dask:tcp://HOST:PORT"
ANSWER = 8  # seconds in which a scheduler must answer
ALIKE = ("backproplab", "numpy")  # what a worker must have in our version: the bits depend on it
LOGGERS = ("distributed", "distributed.client", "distributed.gc")  # each with a level of its own


@contextmanager
def open_dask(address: str) -> Iterator[Workers]:
    """``address``: tcp://HOST:PORT of the scheduler."""
    with installed("dask"):
        from distributed import Client
        from distributed.comm import get_address_host_port
        from distributed.scheduler import KilledWorker
    for name in LOGGERS:  # what happens there we tell in our words
        logging.getLogger(name).setLevel(logging.CRITICAL)
    spec = f"dask:{address}"
    try:
        get_address_host_port(address, strict=True)  # a client that failed hangs when it is freed
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except OSError:
        hint = "start one with 'dask scheduler', or correct the address"
        raise MachineError(f"--executor {spec}: no scheduler answers — {hint}") from None
    except ValueError as error:
        raise ConfigError(Problem(f"--executor {spec}", str(error), VALID)) from None
    with closing(client):
        _check_workers(client, spec)
        capacity, lost = (lambda: len(_workers(client))), (KilledWorker,)
        yield Workers(DaskExecutor(client), capacity, lost, spec, strikes=2)


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
        future.set_running_or_notify_cancel()  # with the cluster: no longer ours to take back
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
