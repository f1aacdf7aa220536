"""Tape: a list of calls, translated for the player, which makes them without Python.

What the player cannot make itself is a call back into Python, at its place in the list.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Container, Iterable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Loop, Unplayable
from backproplab.autograd.engines.native.fused import fused
from backproplab.autograd.engines.native.passes import one_pass
from backproplab.autograd.engines.native.products import has_one_way
from backproplab.autograd.engines.native.proof import arrays_of, first_equal
from backproplab.autograd.engines.native.records import (
    OPERANDS,
    Callback,
    Ending,
    Mover,
    Record,
    library,
)
from backproplab.autograd.engines.native.translate import PRODUCTS, Part, address_of, translate
from backproplab.autograd.lowering import Pass

Call = Callable[[], Any]
WORTH = 4  # runs after which a list is translated


class Played:
    """The calls, made by Python until translating them pays.

    tape: once they are translated.
    """

    def __init__(self, calls: Sequence[Call]) -> None:
        self.calls = calls
        self.runs = 0
        self.tape: Tape | None = None

    def __call__(self) -> None:
        """Make all calls once."""
        if self.tape:
            self.tape()
            return
        self.runs += 1
        if self.runs > WORTH:
            self.tape = Tape(self.calls)
        for call in self.calls:
            call()


class Tape:
    """The calls, which arrays they work on being fixed.

    tables: arrays (rounds, …) of which the calls read the first entry, and in each later round
        the next one.
    refusals: why calls are made in Python, one for each of them.
    rounds: made by the last playing.
    Raises Unplayable if a call that reads a table cannot be played.
    """

    def __init__(self, calls: Sequence[Call], tables: Iterable[Array] = ()) -> None:
        self.calls = calls
        self.refusals: list[str] = []
        self.errors: list[BaseException] = []
        self.origin: list[int] = []  # of each record: the number of its call
        strides = {address_of(x): x.strides[0] for x in tables}
        self._kept = parts = self._parts(strides)
        self._callback = Callback(_python(calls, self.errors))  # made of no method: no cycle
        self._records, self._pool = _packed(parts, self._callback)
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
        library().play(
            self._records, len(self._records), rounds,
            self._movers, len(self._movers), seconds, ctypes.byref(ending),
        )  # fmt: skip
        if ending.record >= 0:
            if self.errors:
                raise self.errors.pop()
            self.calls[self.origin[ending.record]]()

    def _parts(self, tables: Container[int]) -> list[Part]:
        whole: list[Part] = []
        number = 0
        while number < len(self.calls):
            part, count = fused(self.calls, number) or (None, 1)
            parts = [part] if part else self._of_call(number, tables)
            whole += parts
            self.origin += [number] * len(parts)
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
            for record in (self._records if strides else ())
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
    records, pool = _packed(parts, None)
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


def _packed(parts: Sequence[Part], callback: Any) -> tuple[Any, Array]:
    """Records of these parts, and the memory of their lengths and strides."""
    records = (Record * len(parts))()
    numbers = [_numbers(part) for part in parts]
    pool = np.array([n for lists in numbers for own in lists for n in own] or [0], np.intp)
    at = pool.ctypes.data
    for record, part, lists in zip(records, parts, numbers, strict=True):
        record.loop = part.loop.address or ctypes.cast(callback, ctypes.c_void_p).value
        record.context, record.aux = part.loop.context, part.loop.aux
        record.data[: len(part.views)] = [address_of(x) for x in part.views]
        record.axes = len(lists[2])
        for name, own in zip(("lengths", "strides", "shape", "outer"), lists, strict=True):
            setattr(record, name, at)
            at += len(own) * pool.itemsize
    return records, pool


def _numbers(part: Part) -> tuple[Sequence[int], ...]:
    """Lengths and strides of the loop; shape and steps of the axes around it."""
    if not part.views:
        return (), (), (), ()
    shape = part.views[0].shape
    strides = [x.strides for x in part.views]
    if part.lengths:
        lengths, inner = part.lengths, part.strides
    else:
        lengths, inner = shape[-1:] or (1,), tuple(s[-1] if s else 0 for s in strides)
        shape = shape[:-1]
    padded = [*strides, *[(0,) * len(shape)] * (OPERANDS - len(strides))]
    outer = [own[axis] for axis in range(len(shape)) for own in padded]
    return lengths, inner, shape, outer
