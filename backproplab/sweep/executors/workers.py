"""What an executor is to the driver, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass

from backproplab.errors import ConfigError
from backproplab.signals import Flag

Errors = tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Workers:
    """An executor, and what its user must know of it.

    capacity: how many jobs it runs at a time, at this moment; a cluster grows and shrinks.
    lost: exceptions of a future that mean "the worker died": submit the job again.
    strikes: how often a job may be lost before it is given up; Dask itself tries four times each.
    name: the executor as it is written on the command line.
    flag: what the workers look at, if they can: once it exists, jobs come back early.
    recall: makes it exist; called once, perhaps by a signal handler.
    grows: whether workers come and go, so that one that is refused may be replaced.
    notes: what is to be said about the workers at this moment.
    """

    executor: Executor
    capacity: Callable[[], int]
    lost: Errors
    name: str
    strikes: int = 5
    flag: Flag | None = None
    recall: Callable[[], object] = lambda: None
    grows: bool = False
    notes: Callable[[], list[str]] = list


@contextmanager
def installed(extra: str) -> Iterator[None]:
    """Around the imports of an extra's packages: ConfigError if they are missing."""
    try:
        yield
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py without an MPI library
        need = f"needs pip install 'backproplab[{extra}]'"
        if isinstance(error, RuntimeError):
            need = "found no MPI library: load your site's, or pip install 'backproplab[mpi-local]'"
        raise ConfigError(f"--executor {extra} {need}") from None
