"""A Dask cluster that is running already; its owner starts and grows it."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from importlib import metadata
from threading import Event, Thread
from typing import Any, ParamSpec, TypeVar
from uuid import uuid4
from weakref import WeakSet

from backproplab.environment import decisive_versions
from backproplab.errors import ConfigError, MachineError, Problem
from backproplab.sweep.executors.workers import Workers, installed

P = ParamSpec("P")
T = TypeVar("T")

VALID = "valid: dask:tcp://HOST:PORT"
ANSWER = 8  # seconds in which a scheduler must answer
PROBE = 3  # seconds in which its port must
PAUSE = 0.25  # seconds between two looks at the workers
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
        _probe(*get_address_host_port(address, strict=True))
        # a client that failed hangs when it is freed
        client = Client(address, timeout=ANSWER, set_as_default=False)
    except OSError:
        hint = "start one with 'dask scheduler', or correct the address"
        raise MachineError(f"--executor {spec}: no scheduler answers — {hint}") from None
    except ValueError as error:
        raise ConfigError(Problem(f"--executor {spec}", str(error), VALID)) from None
    with closing(client), closing(Cluster(client)) as cluster:
        if unfit := cluster.unfit:
            what, hint = next(iter(unfit.values())), "start its workers anew"
            raise ConfigError(Problem(f"--executor {spec}", f"a worker has {what}", hint))
        yield Workers(
            DaskExecutor(cluster),
            cluster.capacity,
            (KilledWorker,),
            spec,
            strikes=2,
            flag=cluster.flag,
            recall=cluster.recalled.set,
            grows=True,
            notes=cluster.notes,
        )


def _probe(host: str, port: int) -> None:
    """Raise OSError at once if nobody listens there: a client tries for many seconds."""
    socket.create_connection((host, port), PROBE).close()


_recalled: set[str] = set()  # on a worker: the flags that exist


@dataclass(frozen=True)
class ClusterFlag:
    """Exists on every worker that ``raise_flag`` has run on."""

    name: str

    def exists(self) -> bool:
        return self.name in _recalled

    def raise_flag(self) -> None:
        _recalled.add(self.name)


class Cluster:
    """What its client knows of a cluster's workers: which of them fit, and how to call them back.

    A thread looks at every worker that comes before it gets a job. ``recalled``, once it is set,
    brings back the jobs that workers are at, and cancels those that none has taken.
    unfit: what is wrong with workers that get no job, by address.
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self.flag = ClusterFlag(uuid4().hex)
        self.recalled = Event()
        self.fit: set[str] = set()
        self.unfit: dict[str, str] = {}
        self.tasks: WeakSet[Any] = WeakSet()
        self._idle: set[Any] = set()
        self._closed = Event()
        self._check_new()
        self._thread = Thread(target=self._watch, daemon=True)
        self._thread.start()

    def submit(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """A task on a worker that fits; on any, which must check itself, if none is there."""
        # only where some do not fit: once all named workers have died, no new one gets such a task
        where = (sorted(self.fit) or None) if self.unfit else None
        loose = {"workers": where, "allow_other_workers": bool(where)}
        # pure: equal calls run once
        task = self.client.submit(call, *args, pure=False, **loose, **kwargs)
        self.tasks.add(task)
        return task

    def capacity(self) -> int:
        return len(self.fit & _workers(self.client).keys())

    def notes(self) -> list[str]:
        """``left out: a worker with numpy 2.3.0, needed 2.4.6``."""
        there = _workers(self.client)
        return sorted({f"left out: {why}" for worker, why in self.unfit.items() if worker in there})

    def close(self) -> None:
        self._closed.set()

    def _watch(self) -> None:
        while not self._closed.wait(PAUSE):
            with suppress(Exception):  # the cluster is gone, which its tasks say
                if self.recalled.is_set():
                    self._bring_back()
                self._check_new()

    def _bring_back(self) -> None:
        """Cancel what was idle at the look before, too: a result may be on its way."""
        held = {key for keys in self.client.processing().values() for key in keys}
        idle = {task for task in set(self.tasks) if task.key not in held and not task.done()}
        for task in idle & self._idle:
            task.cancel()
        self._idle = idle
        if workers := list(self.fit & _workers(self.client).keys()):
            self.client.run(self.flag.raise_flag, workers=workers, on_error="ignore")

    def _check_new(self) -> None:
        """Look at the workers that have come: they must compute the bits that we would."""
        there = _workers(self.client)
        if new := [worker for worker in there if worker not in self.fit | self.unfit.keys()]:
            faults = self._faults(new)
            threads = {w: there[w]["nthreads"] for w in new if there[w]["nthreads"] > 1}
            faults |= {w: f"{n} threads, needed --nthreads 1" for w, n in threads.items()}
            self.unfit |= faults
            self.fit |= set(new) - faults.keys()

    def _faults(self, workers: list[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for package, needed in decisive_versions().items():
            call = self.client.run
            versions = call(metadata.version, package, workers=workers, on_error="return")
            for worker in workers:
                version = versions.get(worker)
                if version != needed:
                    has = f"{package} {version}" if isinstance(version, str) else f"no {package}"
                    found.setdefault(worker, f"{has}, needed {needed}")
        return found


class DaskExecutor(Executor):
    """A cluster's tasks as the standard's futures; what runs on a cluster cannot be killed.

    Dask's own executor never ends a future whose result is lost with its worker, on the way to us,
    and cannot be computed again.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._closed = False

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        if self._closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        task = self._cluster.submit(fn, *args, **kwargs)
        future = Future[T]()
        future.set_running_or_notify_cancel()  # with the cluster: no longer ours to take back
        task.add_done_callback(partial(_hand_over, future))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._closed = True
        tasks = list(self._cluster.tasks)
        if cancel_futures:
            self._cluster.client.cancel(tasks)
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
