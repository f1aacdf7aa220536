"""Ranks: the processes of one ``mpiexec``, which train one network together.

Each has all weights and takes its share of every batch; what depends on a clock, a signal or a
share is exchanged, so that all of them take the same decisions at the same step. Every exchange
begins with a few whole numbers, by which a rank that has failed reaches the others wherever they
are. This file must not know what is trained.
"""

from __future__ import annotations

import os
import threading
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import ConfigError, RankError, described
from backproplab.signals import StopNow, exit_code

T = TypeVar("T")
GRACE = 30.0  # seconds that a rank which has failed waits for the others; then it ends them all
AT_ONCE = 2.0  # the same after a second signal
NUMBERS = 3  # that ``largest`` takes
KINDS = ("largest", "add", "first", "differences", "end")


class Ranks:
    """One process, as most runs have it: what it exchanges, it keeps. ``open_ranks`` gives several.

    rank: the number of this one, from 0; only 0 writes.  size: how many there are.
    failure: how another one has failed; None while all work. Then nothing is exchanged any more.
    """

    rank = 0
    size = 1
    failure: RankError | None = None

    def share(self, count: int) -> range:
        """Which of ``count`` rows or tiles are this rank's: contiguous, as equal as can be."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def anywhere(self, flag: bool) -> bool:
        """Whether the flag is set on any rank, or one has failed."""
        return flag

    def largest(self, *numbers: int) -> list[int]:
        """The largest of each number among the ranks: at most three, from -2⁶² to 2⁶²."""
        return list(numbers)

    def add(self, *arrays: Array, unless: bool = False) -> bool:
        """Replace each array by its sum over the ranks: in their order, so that the bits repeat.

        False, and nothing has changed, if ``unless`` is set on any rank, or one has failed.
        """
        return not unless

    def first(self, make: Callable[[], T]) -> T:
        """What ``make`` gives on rank 0; it is not called on others. Raises RankError."""
        return make()

    def differences(self, facts: Callable[[], Mapping[str, str]]) -> list[str]:
        """How other ranks' facts differ from those of rank 0, a sentence each; the same on all."""
        return []

    def check_equal(self, array: Array) -> None:
        """Raise RankError unless the array has the same bytes on every rank."""

    @contextmanager
    def together(self) -> Iterator[None]:
        """Around all that ranks do together: an error of one of them ends them all.

        Raises RankError on the ones that have not failed themselves.
        """
        yield


class MpiRanks(Ranks):
    """The ranks of an MPI communicator."""

    def __init__(self, mpi: Any) -> None:
        self.mpi = mpi
        self._comm = mpi.COMM_WORLD
        self._apart = self._comm.Dup()  # ``_meet`` alone uses it: no sum is taken for its numbers
        self.rank, self.size = self._comm.Get_rank(), self._comm.Get_size()

    def anywhere(self, flag: bool) -> bool:
        return bool(self.largest(flag)[0]) or self.failure is not None

    def largest(self, *numbers: int) -> list[int]:
        return self._meet("largest", numbers)

    def add(self, *arrays: Array, unless: bool = False) -> bool:
        (given_up,) = self._meet("add", (unless,))
        if given_up or self.failure:
            return False
        for array in arrays:
            assert array.flags.c_contiguous
            if self.size == 2:  # a sum of two numbers has one result in any order
                self._comm.Allreduce(self.mpi.IN_PLACE, array, self.mpi.SUM)
            else:
                self._add_in_order(array.reshape(-1))
        return True

    def _add_in_order(self, flat: Array) -> None:
        """Each rank adds up one part of all arrays, rank by rank, and gives it to the others."""
        ends = [len(flat) * rank // self.size for rank in range(self.size + 1)]
        counts, own = np.diff(ends), ends[self.rank + 1] - ends[self.rank]
        found = np.empty((self.size, own), flat.dtype)
        to = [own] * self.size, [own * rank for rank in range(self.size)]
        kind = flat.dtype.char
        self._comm.Alltoallv([flat, counts, ends[:-1], kind], [found, *to, kind])
        for row in found[1:]:
            np.add(found[0], row, out=found[0])
        self._comm.Allgatherv([found[0], kind], [flat, counts, ends[:-1], kind])

    def first(self, make: Callable[[], T]) -> T:
        self._meet_whole("first")  # before anything is made
        made = make() if self.rank == 0 else None
        self._meet_whole("first")
        found: T = self._comm.bcast(made)
        return found

    def differences(self, facts: Callable[[], Mapping[str, str]]) -> list[str]:
        mine = dict(facts())
        self._meet_whole("differences")
        ours, *others = self._comm.allgather(mine)
        return [
            f"{name}: rank {rank} has {_own_lines(theirs[name], ours[name])}, "
            f"rank 0 {_own_lines(ours[name], theirs[name])}"
            for rank, theirs in enumerate(others, 1)
            for name in ours
            if theirs[name] != ours[name]
        ]

    def check_equal(self, array: Array) -> None:
        digest = zlib.crc32(np.ascontiguousarray(array).data)
        most, least = self.largest(digest, -digest)
        if most != -least and not self.failure:
            raise RankError("the weights of the ranks are no longer equal: is the MPI reliable?")

    @contextmanager
    def together(self) -> Iterator[None]:
        try:
            yield
            self._meet_whole("end")
        except BaseException as error:
            self._fail(error)
            raise

    def _meet_whole(self, kind: str) -> None:
        """Meet; raises RankError if another rank has failed."""
        self._meet(kind)
        if self.failure:
            raise self.failure

    def _meet(self, kind: str, numbers: Sequence[int] = (), failed: bool = False) -> list[int]:
        """The largest of each number; learns of ranks that have failed, the first of which tells.

        A rank that does something else than the others, as by another command, is a failure.
        """
        if self.failure:
            return list(numbers)
        number, speaks = KINDS.index(kind), (self.size - self.rank) * failed
        found = np.zeros(NUMBERS + 3, np.int64)
        found[: 3 + len(numbers)] = speaks, -number, number, *numbers
        if failed:
            found[1:3] = -len(KINDS), 0  # matches whatever the others do
        self._apart.Allreduce(self.mpi.IN_PLACE, found, self.mpi.MAX)
        if found[0]:
            self._speaker = self.size - int(found[0])
            if not failed:
                self.failure = RankError.of(*self._apart.bcast(None, self._speaker))
        elif found[1] != -found[2]:
            self.failure = RankError("the ranks do different things: give all the same command")
        return [int(x) for x in found[3 : 3 + len(numbers)]]

    def _fail(self, error: BaseException) -> None:
        """Let the others know; they undo the step under way, and end. Ends them if they hang."""
        if self.failure:
            return
        code, text, grace = int(getattr(error, "exit_code", 1)), described(error), GRACE
        if isinstance(error, StopNow):
            code, text, grace = exit_code(error.number), "stopped at once by a signal", AT_ONCE
        timer = threading.Timer(grace, self._end_all, [text, code])
        timer.daemon = True
        timer.start()
        self._meet(KINDS[0], failed=True)
        trace = "".join(traceback.format_exception(error))
        failed = self._apart.bcast((self.rank, text, code, trace), self._speaker)
        self.failure = RankError.of(*failed)
        timer.cancel()

    def _end_all(self, text: str, code: int) -> None:
        """End this process without a word to MPI: mpiexec then ends the others."""
        os.write(2, f"backproplab: rank {self.rank}: {text}; the others do not answer\n".encode())
        os._exit(code)


def open_ranks() -> Ranks:
    """The ranks that mpiexec has started this process among. Raises ConfigError without mpi4py."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:  # RuntimeError: mpi4py finds no MPI library
        need = "mpiexec needs pip install 'backproplab[mpi]'"
        if isinstance(error, RuntimeError):
            need = "no MPI library was found: load your site's, or use backproplab[mpi-local]"
        raise ConfigError(need) from None
    return MpiRanks(MPI) if MPI.COMM_WORLD.Get_size() > 1 else Ranks()


def _own_lines(text: str, other: str) -> str:
    """The lines of a text that another one lacks, such as the entries of a config."""
    known = other.splitlines()
    return "; ".join(line.strip() for line in text.splitlines() if line not in known) or "no more"


ONE = Ranks()
