"""The ranks of mpiexec: the first one drives, the others work."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager

from backproplab.errors import ConfigError, Problem
from backproplab.sweep.executors.workers import Workers, installed

LAUNCH = "mpiexec -n 3 python -m mpi4py.futures -m backproplab sweep … --executor mpi"


@contextmanager
def open_mpi() -> Iterator[Workers]:
    with installed("mpi"):
        from mpi4py import MPI
        from mpi4py.futures import MPIPoolExecutor
    if MPI.COMM_WORLD.Get_size() < 2 or "mpi4py.futures" not in sys.orig_argv:
        raise ConfigError(Problem("--executor mpi", "started without workers", LAUNCH))
    with MPIPoolExecutor(initializer=_leave_interrupts, main=False) as executor:
        executor.bootup()
        workers = executor.num_workers
        yield Workers(executor, lambda: workers, (BrokenExecutor,), "mpi")


def _leave_interrupts() -> None:
    """mpiexec passes Ctrl-C to every rank; it is the driver's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
