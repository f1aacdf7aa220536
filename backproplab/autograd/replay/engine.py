"""Plan: a program bound to memory, as the flat list of calls that NumPy makes for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproplab.autograd.replay.memory import Places
from backproplab.autograd.replay.peepholes import simplified
from backproplab.autograd.replay.program import Array, Instruction, Program

Call = Callable[[], Any]


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
        self.inputs = [np.empty(b.shape, b.dtype) for b in recorded.buffers[:inputs]]
        arrays = places.arrays | dict(enumerate(self.inputs))
        self.calls = [
            call for step in self.program.instructions for call in self._bind(step, arrays)
        ]
        self.calls += [partial(np.copyto, wanted, arrays[n]) for n, wanted in places.copies]
        self.runs = 0

    def run(self, inputs: Sequence[Array]) -> None:
        """Compute the step anew; an input that is the plan's own array is not copied."""
        for own, given in zip(self.inputs, inputs, strict=True):
            if own is not given:
                np.copyto(own, given)
        for call in self.calls:
            call()

    def _bind(self, step: Instruction, arrays: dict[int, Array]) -> Sequence[Call]:
        inputs = [arrays[n] for n in step.inputs]
        if self.program.is_view(step):
            arrays[step.output] = step.op.forward(*inputs, **step.settings)
            return ()
        out = arrays[step.output]
        if step.op.prepare is not None:
            return step.op.prepare(*inputs, out=out, **step.settings)
        return [partial(step.op.forward, *inputs, out=out, **step.settings)]
