"""Memory: which buffers share a place. A place is free again after the last use of what is in it.

An instruction whose op can work in place takes over the place of an input that dies there; a view
costs nothing; a result is made where it is wanted. This file plans, and allocates the places.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproplab.autograd.engines.program import Instruction, Program
from backproplab.autograd.tensor import Array

LINE = 64  # bytes: a place begins at a cache line


class Places:
    """The arrays of a program, and the bytes they take.

    into: where the results shall be, an array for each.
    arrays: for each number of a buffer its array; for a view, and for what nothing uses, none yet.
    copies: (result, destination) for each result that could not be made in its destination.
    """

    def __init__(self, program: Program, into: Sequence[Array]) -> None:
        self.program = program
        self.owner = _owners(program)
        self.last_use = self._last_uses()
        self.arrays: dict[int, Array] = {
            n: b.value for n, b in enumerate(program.buffers) if b.value is not None
        }
        self.place: dict[int, int] = {}  # made buffer -> its place
        self.blocks: list[Array] = []
        self.free: list[int] = []
        self.copies = self._results(into)
        for t, step in enumerate(program.instructions):
            self._allot(t, step)

    @property
    def nbytes(self) -> int:
        return sum(block.nbytes for block in self.blocks)

    def _last_uses(self) -> dict[int, int]:
        """For each owner of memory the last instruction that reads it, by itself or by a view."""
        last = {
            self.owner[n]: t
            for t, step in enumerate(self.program.instructions)
            for n in (*step.inputs, step.output)
        }
        return last | {self.owner[n]: len(self.program.instructions) for n in self.program.results}

    def _results(self, into: Sequence[Array]) -> list[tuple[int, Array]]:
        """Let each result be made where it is wanted, if one place is enough for that."""
        copies = []
        for n, wanted in zip(self.program.results, into, strict=True):
            result, owner = self.program.buffers[n], self.owner[n]
            own = self.program.buffers[owner]
            fits = own.origin == "made" and owner not in self.arrays and own.size == wanted.size
            whole = result.contiguous and own.contiguous and own.dtype == wanted.dtype
            if fits and whole and wanted.flags.c_contiguous:
                self.arrays[owner] = wanted.reshape(own.shape)
            else:
                copies.append((n, wanted))
        return copies

    def _allot(self, t: int, step: Instruction) -> None:
        n = step.output
        if self.program.buffers[n].origin == "made" and n not in self.arrays:
            heir = self._dying_input(t, step)
            made = self.program.buffers[n]
            self.place[n] = self._new_place(made.nbytes) if heir is None else self.place.pop(heir)
            self.arrays[n] = made.array(self.blocks[self.place[n]])
        for owner in {self.owner[m] for m in (*step.inputs, n)}:
            if self.last_use[owner] == t and owner in self.place:
                self.free.append(self.place.pop(owner))

    def _dying_input(self, t: int, step: Instruction) -> int | None:
        """An input that nobody needs later, laid out as the output is, and given only once."""
        if not step.op.in_place:
            return None
        y = self.program.buffers[step.output]
        owners = [self.owner[n] for n in step.inputs]
        for n, owner in zip(step.inputs, owners, strict=True):
            x = self.program.buffers[n]
            alike = (x.shape, x.dtype, x.strides) == (y.shape, y.dtype, y.strides)
            whole = x.size == self.program.buffers[owner].size
            alone = all(m == n for m, o in zip(step.inputs, owners, strict=True) if o == owner)
            if alike and whole and alone and owner in self.place and self.last_use[owner] == t:
                return owner
        return None

    def _new_place(self, nbytes: int) -> int:
        """The smallest free place that is large enough, or a new one."""
        fitting = [p for p in self.free if self.blocks[p].nbytes >= nbytes]
        if fitting:
            best = min(reversed(fitting), key=lambda p: self.blocks[p].nbytes)
            self.free.remove(best)
            return best
        self.blocks.append(aligned(nbytes))
        return len(self.blocks) - 1


def _owners(program: Program) -> list[int]:
    """For each buffer the one whose memory it is in: itself, unless it is a view."""
    owner = list(range(len(program.buffers)))
    for step in program.instructions:
        if program.is_view(step):
            owner[step.output] = owner[step.inputs[0]]
    return owner


def aligned(nbytes: int) -> Array:
    """Bytes that begin at a cache line."""
    raw = np.empty(max(nbytes, 1) + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + max(nbytes, 1)]
