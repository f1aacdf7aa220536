"""Tape: a list of calls, translated for the player, which makes them without Python.

What the player cannot make itself is a call back into Python, at its place in the list.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from itertools import chain
from math import inf
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.crew import Crew
from backproplab.autograd.engines.native.door import Loop, Unplayable
from backproplab.autograd.engines.native.fused import fused, joined
from backproplab.autograd.engines.native.grouping import in_strips
from backproplab.autograd.engines.native.packing import packed
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.passes import one_pass
from backproplab.autograd.engines.native.products import (
    has_one_way,
    is_for_threads,
    threads_of_blas,
)
from backproplab.autograd.engines.native.proof import arrays_of, first_equal
from backproplab.autograd.engines.native.records import Callback, Ending, Mover, Record, library
from backproplab.autograd.engines.native.translate import PRODUCTS, translate
from backproplab.autograd.lowering import Pass

Call = Callable[[], Any]
WORTH = 4  # runs after which a list is translated


class Played:
    """The calls, made by Python until translating them pays.

    scratch: memory that nothing reads after the calls.  tape: once they are translated.
    """

    def __init__(self, calls: Sequence[Call], scratch: Sequence[Array] = ()) -> None:
        self.calls = calls
        self.scratch = scratch
        self.runs = 0
        self.tape: Tape | None = None

    def __call__(self) -> None:
        """Make all calls once."""
        if self.tape:
            self.tape()
            return
        self.runs += 1
        if self.runs > WORTH:
            self.tape = Tape(self.calls, scratch=self.scratch)
        for call in self.calls:
            call()


class Tape:
    """The calls, which arrays they work on being fixed.

    tables: arrays (rounds, …) of which the calls read the first entry, and in each later round
        the next one.
    scratch: memory that nothing reads from call ``until`` on.
    threads: how many play what is played in strips; their number changes no bit.
    refusals: why calls are made in Python, one for each of them.
    rounds: made by the last playing.
    Raises Unplayable if a call that reads a table cannot be played.
    """

    def __init__(
        self,
        calls: Sequence[Call],
        tables: Iterable[Array] = (),
        scratch: Sequence[Array] = (),
        threads: int = 1,
        until: float = inf,
    ) -> None:
        self.calls = calls
        self.refusals: list[str] = []
        self.errors: list[BaseException] = []
        strides = {address_of(x): x.strides[0] for x in tables}
        whole = self._parts(strides)
        if any(is_for_threads(own.loop, own.lengths) for own, _ in whole):
            threads = max(threads, threads_of_blas())
        self.crew = Crew(threads)
        least = 1 if threads > 1 else 2
        found = in_strips(whole, scratch, until, [*strides], least)
        self.origin = [number for _, number in found]  # of each record: the number of its call
        self._kept = parts = [self.crew.part(own) for own, _ in found]
        self._callback = Callback(_python(calls, self.errors))  # made of no method: no cycle
        self._records, self._pool = packed(parts, self._callback)
        self._movers = self._moving(strides)
        self._ending = Ending()

    def __call__(self) -> None:
        """Make all calls once. Raises what one of them raises."""
        self.play(1)

    @property
    def rounds(self) -> int:
        return int(self._ending.rounds)

    def play(self, rounds: int, seconds: float = 0.0) -> None:
        """Make all calls ``rounds`` times, or fewer if ``seconds`` are over.

        Raises what a call raises. A check that fails is made again in Python, where it raises.
        """
        ending = self._ending
        with self.crew.at_work():
            library().play(
                self._records, len(self._records), rounds,
                self._movers, len(self._movers), seconds, ctypes.byref(ending),
            )  # fmt: skip
        if ending.record >= 0:
            if self.errors:
                raise self.errors.pop()
            self.calls[self.origin[ending.record]]()

    def _parts(self, tables: Container[int]) -> list[tuple[Part, int]]:
        """The parts, each with the number of its call."""
        whole: list[tuple[Part, int]] = []
        number = 0
        while number < len(self.calls):
            part, count = fused(self.calls, number) or (None, 1)
            parts = [part] if part else self._of_call(number, tables)
            if part and whole and (both := joined(whole[-1][0], part)):
                whole[-1], parts = (both, whole[-1][1]), []
            whole += [(own, number) for own in parts]
            number += count
        return whole

    def _of_call(self, number: int, tables: Container[int]) -> list[Part]:
        call = self.calls[number]
        try:
            return proven(call)
        except Unplayable as error:
            if any(address_of(x) in tables for x in arrays_of(call)):
                raise  # Python would read the first entry in each round
            self.refusals.append(str(error))
            return [Part(Loop(0, number), [])]

    def _moving(self, strides: dict[int, int]) -> Any:
        """A mover for each operand that is at one of these addresses."""
        size, offset = ctypes.sizeof(ctypes.c_void_p), Record.data.offset
        found = [
            (ctypes.addressof(record) + offset + k * size, address)
            for record in (chain(self._records, *self.crew.records) if strides else ())
            for k, address in enumerate(record.data)
            if address in strides
        ]
        if {address for _, address in found} != strides.keys():
            raise Unplayable("a table that no call reads")
        movers = [Mover(place, strides[address]) for place, address in found]
        return (Mover * len(movers))(*movers)


def proven(call: Call) -> list[Part]:
    """The parts of a call, after a trial of one in which the order of additions matters."""
    if isinstance(call, Pass):
        return one_pass(call, _alone) or [part for own in call.calls for part in proven(own)]
    parts = translate(call)
    assert isinstance(call, partial)
    reduces = isinstance(getattr(call.func, "__self__", None), np.ufunc)
    if not reduces and (call.func not in PRODUCTS or has_one_way(*call.args, **call.keywords)):
        return parts
    players = [partial(_translated, own) for own in range(parts[-1].ways + 1)]  # and NumPy's loop
    found = first_equal(call, players, parts[-1].loop.address, parts[-1].signed)
    if found is None:
        raise Unplayable("NumPy's own call has other bits")
    return translate(call, found)


def _translated(skipped: int, call: partial[Any]) -> Callable[[], None]:
    """What plays this call."""
    return _alone(translate(call, skipped), call)


def _alone(parts: Sequence[Part], kept: Any) -> Callable[[], None]:
    """What plays these parts."""
    records, pool = packed(parts, None)
    ending = Ending()

    def play(kept: Any = (parts, pool, kept)) -> None:
        library().play(records, len(records), 1, None, 0, 0.0, ctypes.byref(ending))

    return play


def _python(calls: Sequence[Call], errors: list[BaseException]) -> Callable[..., int]:
    def call(number: int | None, *unused: Any) -> int:
        try:
            calls[number or 0]()
        except BaseException as error:  # it is raised where the playing began
            errors.append(error)
            return 1
        return 0

    return call
