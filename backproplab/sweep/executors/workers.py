"""What an executor is to the driver, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import ConfigError

Errors = tuple[type[BaseException], ...]


@dataclass(frozen=True)
class Workers:
    """An executor, and what its user must know of it.

    capacity: how many jobs it runs at a time, at this moment; a cluster grows and shrinks.
    lost: exceptions of a future that mean "the worker died": submit the job again.
    strikes: how often a job may be lost before it is given up; Dask itself tries four times each.
    name: the executor as it is written on the command line.
    flag: a file that the workers see, if they do: once it is there they come back early.
    """

    executor: Executor
    capacity: Callable[[], int]
    lost: Errors
    name: str
    strikes: int = 5
    flag: Path | None = None


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
