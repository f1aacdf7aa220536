"""Plan: a program bound to memory, as a flat list of NumPy calls."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from backproplab.arrays import Array, aligned
from backproplab.autograd.engines.memory import Memory
from backproplab.autograd.engines.peepholes import simplified
from backproplab.autograd.engines.program import Instruction, Program
from backproplab.autograd.lowering import Call, Pass, lower

MOST_BOUND = 4096  # input addresses for which calls are kept
Key = tuple[int, ...]  # the addresses of the movable inputs
Run = Callable[[], None]
# Makes a function of calls and of memory that nothing reads after them: it makes them in turn
Player = Callable[[Sequence[Call], Sequence[Array]], Run]


def by_python(calls: Sequence[Call], scratch: Sequence[Array] = ()) -> Run:
    """The function that makes these calls, one after the other."""

    def run() -> None:
        for call in calls:
            call()

    return run


class Plan:
    """A recorded program, ready to run.

    recorded: the program as it was recorded.  program: the same after the peepholes.
    inputs: the plan's own arrays for its inputs.  nbytes: size of the memory that it allocated.
    runs: number of runs of the step, the recording included.
    play: makes all calls, on the plan's own arrays.
    movable: positions of the inputs that can be read in the caller's memory.
    """

    def __init__(
        self,
        recorded: Program,
        inputs: int,
        into: Sequence[Array],
        player: Player = by_python,
    ) -> None:
        self.player = player
        self.recorded = recorded
        self.program = simplified(recorded)
        memory = Memory(self.program, into, together=player is not by_python)
        self.nbytes = memory.nbytes
        self.copies = memory.copies
        self.inputs = [b.array(aligned((max(b.nbytes, 1),))) for b in recorded.buffers[:inputs]]
        self.arrays = memory.arrays | dict(enumerate(self.inputs))
        self.steps = [self._bind(step, self.arrays) for step in self.program.instructions]
        self.calls = self._flat(self.steps, self.arrays)
        self.scratch = memory.blocks
        self.play = player(self.calls, self.scratch)
        self.elsewhere: dict[Key, tuple[Sequence[Array], Run]] = {}
        self.runs = 1
        self.movable = [n for n in range(inputs) if self._is_movable(n)]
        self.moving = {m for n in self.movable for m in self._views(n)}

    def run(self, inputs: Sequence[Array]) -> None:
        """Compute the step; an input that is the plan's own array is not copied."""
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not given:
                np.copyto(own, given)
        self.play()

    def run_on(self, inputs: Sequence[Array]) -> None:
        """Compute the step on inputs whose memory will be passed again.

        Calls that read movable inputs are bound to their addresses once and kept, for at most
        MOST_BOUND sets of addresses. Other inputs, and those at further addresses, are copied.
        """
        key = tuple([inputs[n].__array_interface__["data"][0] for n in self.movable])
        if key not in self.elsewhere:
            if not self.movable or len(self.elsewhere) >= MOST_BOUND:
                self.run(inputs)
                return
            play = self.player(self._calls_on(inputs), self.scratch)
            self.elsewhere[key] = [inputs[n] for n in self.movable], play
        for n, given in enumerate(inputs):
            if n not in self.movable:
                np.copyto(self.inputs[n], given)
        self.elsewhere[key][1]()

    def _calls_on(self, inputs: Sequence[Array]) -> list[Call]:
        """The calls with the movable inputs read from these arrays."""
        arrays = self.arrays | {n: inputs[n] for n in self.movable}
        steps = [
            self._bind(step, arrays) if self.moving.intersection(step.inputs) else calls
            for step, calls in zip(self.program.instructions, self.steps, strict=True)
        ]
        return self._flat(steps, arrays)

    def _is_movable(self, n: int) -> bool:
        """Whether input n can be read at any address. An op of several calls may have scratch
        memory, and would need it once for each address."""
        views = self._views(n)
        return self.recorded.buffers[n].contiguous and all(
            step.op.lowering is None or (len(calls) == 1 and not isinstance(calls[0], Pass))
            for step, calls in zip(self.program.instructions, self.steps, strict=True)
            if views.intersection(step.inputs)
        )

    def _views(self, n: int) -> set[int]:
        """The numbers of input n and of its views."""
        found = {n}
        for step in self.program.instructions:
            if self.program.is_view(step) and step.inputs[0] in found:
                found.add(step.output)
        return found

    def _flat(self, steps: Sequence[Sequence[Call]], arrays: dict[int, Array]) -> list[Call]:
        calls = [call for step in steps for call in step]
        return calls + [partial(np.copyto, wanted, arrays[n]) for n, wanted in self.copies]

    def _bind(self, step: Instruction, arrays: dict[int, Array]) -> Sequence[Call]:
        inputs = [arrays[n] for n in step.inputs]
        if self.program.is_view(step):
            arrays[step.output] = step.op.forward(*inputs, **step.settings)
            return ()
        return lower(step.op, inputs, arrays[step.output], step.settings)
