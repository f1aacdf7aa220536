"""Executors: who runs the jobs of a sweep. Each is a ``concurrent.futures.Executor``.

    local[:N]              processes of this machine
    dask:tcp://HOST:PORT   a Dask cluster that is running already
    mpi                    the ranks of mpiexec -n K python -m mpi4py.futures -m backproplab sweep …

This room must not know what a job is, nor in which order jobs come.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager

from backproplab.errors import ConfigError, Problem
from backproplab.sweep.executors.local import open_local
from backproplab.sweep.executors.workers import Workers

__all__ = ["Workers", "open_executor"]

VALID = "valid: local, local:N with N from 1 to 9999, dask:tcp://HOST:PORT, mpi"


def open_executor(
    spec: str, threads: int = 1, ahead: bool = False
) -> AbstractContextManager[Workers]:
    """The engine that ``spec`` names, for a ``with``; at its end what still runs is dropped.

    threads: number of threads per job; plain ``local`` opens one process per ``threads`` cores.
    ahead: start some of these processes now, and not with their first job; only for a command, as
        on Linux they are forks of a process that stays.
    Raises ConfigError for an unknown spec, a package that is missing, or workers of another
    version; MachineError if nobody answers at an address.
    """
    if found := re.fullmatch(r"local(?::([1-9]\d{0,3}))?", spec):
        return open_local(int(found[1]) if found[1] else None, threads, ahead)
    if found := re.fullmatch(r"dask:(\w+://.+)", spec):
        from backproplab.sweep.executors.dask import (
            open_dask,
        )  # what a local sweep need not wait for

        return open_dask(found[1])
    if spec == "mpi":
        from backproplab.sweep.executors.mpi import open_mpi

        return open_mpi()
    raise ConfigError(Problem(f"--executor {spec}", "no such executor", VALID))
