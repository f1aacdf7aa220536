"""Crew: the threads that play strips, and what each of them needs.

The caller's thread plays; the others take strips from it where there are any. One that comes late,
or never, is not waited for: the caller's takes all strips itself then.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from backproplab.autograd.engines.native import records
from backproplab.autograd.engines.native.door import Loop
from backproplab.autograd.engines.native.packing import packed
from backproplab.autograd.engines.native.part import Part
from backproplab.autograd.engines.native.products import with_own_space
from backproplab.autograd.engines.native.records import OPERANDS, library
from backproplab.autograd.engines.native.strips import Strips, shared


class Crew:
    """A number of threads, the caller's included."""

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.shared = records.Crew()
        self.has_work = False
        self.records: list[Any] = []  # arrays of them, which are played in strips

    def part(self, own: Part | Strips) -> Part:
        """The part that plays these strips, or this part, shared by the threads if it can be."""
        if isinstance(own, Strips):
            return self._part(own)
        strips = shared(own, self.threads) if self.threads > 1 else None
        return self._part(strips) if strips else own

    def _part(self, strips: Strips) -> Part:
        self.has_work = True
        each = [_with_own_space(strips.on_its_own()) for _ in range(self.threads)]
        made = [packed(parts, None) for parts in each]
        self.records += [own for own, _ in made]
        addresses = (ctypes.c_void_p * self.threads)(*[ctypes.addressof(own) for own, _ in made])
        steps = np.zeros((len(strips.parts), OPERANDS), np.intp)
        for row, one, scratch in zip(steps, strips.parts, strips.scratch, strict=True):
            row[: len(one.steps)] = one.steps
            row[[*scratch]] = 0
        last = np.zeros_like(steps)
        for row, one in zip(last, strips.parts, strict=True):
            row[: len(one.last)] = one.last
        turns = np.array([0 if one.sums else -1 for one in strips.parts], np.intp)
        together = ctypes.addressof(self.shared) if self.threads > 1 else None
        own = records.Strips(
            ctypes.addressof(addresses), len(steps), strips.total, steps.ctypes.data,
            last.ctypes.data, turns.ctypes.data, together, 0, 0,
        )  # fmt: skip
        loop = Loop(library().loop("strips"), ctypes.addressof(own))
        return Part(loop, [], kept=(own, addresses, steps, last, turns, each, made))

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """The other threads help within it."""
        if self.threads == 1 or not self.has_work:
            yield
            return
        self.shared.over = 0
        at = ctypes.byref(self.shared)
        others = [
            _helpers(self.threads).submit(library().help, at, thread)
            for thread in range(1, self.threads)
        ]
        try:
            yield
        finally:
            self.shared.over = 1
            wait([other for other in others if not other.cancel()])


def _with_own_space(parts: Sequence[Part]) -> list[Part]:
    return [part._replace(loop=with_own_space(part.loop)) for part in parts]


@cache
def _helpers(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads - 1, "backproplab-strips")
