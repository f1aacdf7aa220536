"""Memory: allocates a program's buffers, several of them in one block where possible.

A block is free again after the last use of the buffer in it. An op that can work in place reuses
the block of an input that no later instruction reads; a view needs no block; a result is computed
directly in the array that the caller gave for it.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.arrays import Array, aligned
from backproplab.autograd.engines.program import Instruction, Program, owners_of

LARGE, REST = 2**17, 16  # bytes of a block, instructions


class Memory:
    """The arrays of a program.

    into: an array for each result of the program.
    together: whether an engine plays instructions together, which it can if they have nothing in
        common: where there are large blocks, each rests for a while before it is used again, and
        none holds what is small.
    arrays: buffer number -> array; views and unused buffers have none yet.
    copies: (buffer number, array of ``into``) of each result that has to be copied at the end.
    """

    def __init__(self, program: Program, into: Sequence[Array], together: bool = False) -> None:
        self.program = program
        self.owner = owners_of(program)
        self.last_use = self._last_uses()
        self.arrays: dict[int, Array] = {
            n: b.value for n, b in enumerate(program.buffers) if b.value is not None
        }
        self.block: dict[int, int] = {}  # number of a made buffer -> number of its block
        self.blocks: list[Array] = []
        made = [b.nbytes for b in program.buffers if b.origin == "made"]
        self.rest = REST if together and max(made, default=0) >= LARGE else 0
        self.free: list[tuple[int, int]] = []  # block, and the instruction that read it last
        self.copies = self._results(into)
        for t, step in enumerate(program.instructions):
            self._allot(t, step)

    @property
    def nbytes(self) -> int:
        return sum(block.nbytes for block in self.blocks)

    def _last_uses(self) -> dict[int, int]:
        """Owner of memory -> the last instruction that uses it, directly or through a view."""
        last = {
            self.owner[n]: t
            for t, step in enumerate(self.program.instructions)
            for n in (*step.inputs, step.output)
        }
        return last | {self.owner[n]: len(self.program.instructions) for n in self.program.results}

    def _results(self, into: Sequence[Array]) -> list[tuple[int, Array]]:
        """Assign result arrays to buffers; return the results that need a copy instead."""
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
            dying = self._dying_input(t, step)
            made = self.program.buffers[n]
            self.block[n] = (
                self._free_block(t, made.nbytes) if dying is None else self.block.pop(dying)
            )
            self.arrays[n] = made.array(self.blocks[self.block[n]])
        for owner in {self.owner[m] for m in (*step.inputs, n)}:
            if self.last_use[owner] == t and owner in self.block:
                self.free.append((self.block.pop(owner), t))

    def _dying_input(self, t: int, step: Instruction) -> int | None:
        """The owner of an input that is used last here, has the output's layout, and occurs once;
        None if there is none."""
        if not step.op.in_place:
            return None
        y = self.program.buffers[step.output]
        owners = [self.owner[n] for n in step.inputs]
        for n, owner in zip(step.inputs, owners, strict=True):
            x = self.program.buffers[n]
            alike = (x.shape, x.dtype, x.strides) == (y.shape, y.dtype, y.strides)
            whole = x.size == self.program.buffers[owner].size
            alone = all(m == n for m, o in zip(step.inputs, owners, strict=True) if o == owner)
            if alike and whole and alone and owner in self.block and self.last_use[owner] == t:
                return owner
        return None

    def _free_block(self, t: int, nbytes: int) -> int:
        """The number of the smallest free block that is large enough, or of a new one."""
        fitting = [
            (b, end)
            for b, end in self.free
            if self.blocks[b].nbytes >= nbytes
            and t - end > self.rest
            and (not self.rest or self.blocks[b].nbytes < LARGE or nbytes >= LARGE)
        ]
        if fitting:
            best = min(reversed(fitting), key=lambda own: self.blocks[own[0]].nbytes)
            self.free.remove(best)
            return best[0]
        self.blocks.append(aligned((max(nbytes, 1),)))
        return len(self.blocks) - 1
