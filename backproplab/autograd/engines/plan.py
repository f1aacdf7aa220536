"""Plan: a program bound to memory, as the flat list of calls that NumPy makes for it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np

from backproplab.autograd.engines.memory import Places, aligned
from backproplab.autograd.engines.peepholes import simplified
from backproplab.autograd.engines.program import Instruction, Program
from backproplab.autograd.lowering import Call, lower
from backproplab.autograd.tensor import Array

MOST_BOUND = 4096  # inputs that calls are kept for
Key = tuple[int, ...]  # addresses


class Plan:
    """A recorded program, ready to run.

    recorded: the program as it was recorded.  program: after the peepholes.
    inputs: the arrays that it reads its inputs from.  nbytes: of the memory planned for it.
    """

    def __init__(self, recorded: Program, inputs: int, into: Sequence[Array]) -> None:
        self.recorded = recorded
        self.program = simplified(recorded)
        places = Places(self.program, into)
        self.nbytes = places.nbytes
        self.copies = places.copies
        self.inputs = [b.array(aligned(b.nbytes)) for b in recorded.buffers[:inputs]]
        self.arrays = places.arrays | dict(enumerate(self.inputs))
        self.steps = [self._bind(step, self.arrays) for step in self.program.instructions]
        self.calls = self._flat(self.steps, self.arrays)
        self.elsewhere: dict[Key, tuple[Sequence[Array], list[Call]]] = {}
        self.runs = 1
        self.movable = [n for n in range(inputs) if self._is_movable(n)]
        self.moving = {m for n in self.movable for m in self._views(n)}

    def run(self, inputs: Sequence[Array]) -> None:
        """Compute the step anew; an input that is the plan's own array is not copied."""
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not given:
                np.copyto(own, given)
        for call in self.calls:
            call()

    def run_on(self, inputs: Sequence[Array]) -> None:
        """Compute the step on inputs that stay where they are: what reads them is bound once, to
        so many places at most; further ones are copied, and those that cannot be read there."""
        key = tuple([inputs[n].__array_interface__["data"][0] for n in self.movable])
        if key not in self.elsewhere:
            if not self.movable or len(self.elsewhere) >= MOST_BOUND:
                self.run(inputs)
                return
            self.elsewhere[key] = [inputs[n] for n in self.movable], self._calls_on(inputs)
        for n, given in enumerate(inputs):
            if n not in self.movable:
                np.copyto(self.inputs[n], given)
        for call in self.elsewhere[key][1]:
            call()

    def _calls_on(self, inputs: Sequence[Array]) -> list[Call]:
        """The calls, those that read the movable inputs bound to these."""
        arrays = self.arrays | {n: inputs[n] for n in self.movable}
        steps = [
            self._bind(step, arrays) if self.moving.intersection(step.inputs) else calls
            for step, calls in zip(self.program.instructions, self.steps, strict=True)
        ]
        return self._flat(steps, arrays)

    def _is_movable(self, n: int) -> bool:
        """Whether an input can be read wherever it is. A step of several calls has room of its own
        for what it reads, and would need it for each place of the input."""
        views = self._views(n)
        return self.recorded.buffers[n].contiguous and all(
            step.op.lowering is None or len(calls) == 1
            for step, calls in zip(self.program.instructions, self.steps, strict=True)
            if views.intersection(step.inputs)
        )

    def _views(self, n: int) -> set[int]:
        """The input and the views of it."""
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
