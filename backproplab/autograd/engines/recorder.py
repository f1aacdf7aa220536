"""Recorder: watch one eager step through the single door, and write down what it computes.

Arrays that no op of the step has made are told, by the name of the op that got them: a replay
would use their old numbers for ever.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproplab.autograd.engines.program import Buffer, Instruction, Origin, Program
from backproplab.autograd.primitive import LISTENER, NUMBERS, OPS, Op
from backproplab.autograd.tensor import Array, Tensor


def record(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Array], externals: Sequence[Array]
) -> tuple[list[Array], Program | str]:
    """Compute ``function(*inputs)`` eagerly: (the results, the program or why there is none).

    externals: memory that the step reads or assigns to and that outlives it, such as weights.
    The results are right in any case: the step has been computed, once.
    """
    inputs = [x[...] for x in inputs]  # an array that is given twice is two inputs
    recorder = Recorder(inputs, externals)
    before = [x.copy() for x in externals]
    token = LISTENER.set(recorder)
    try:
        results = [y.value for y in function(*[Tensor(x) for x in inputs])]
    finally:
        LISTENER.reset(token)
    recorder.check_written(externals, before)
    numbers = recorder.numbers_of(results)
    return results, recorder.problem or recorder.program(numbers)


class Recorder:
    """Called for every ``apply``; knows each array by its identity.

    problem: the first reason why the step cannot be replayed; the step itself goes on.
    """

    def __init__(self, inputs: Sequence[Array], externals: Sequence[Array]) -> None:
        self.arrays: list[Array] = []  # kept alive, so that an identity stays one array's
        self.buffers: list[Buffer] = []
        self.instructions: list[Instruction] = []
        self.numbers: dict[int, int] = {}  # id(array) -> its buffer
        self.problem = ""
        for x in inputs:
            self._buffer("input", x)
        for x in externals:
            self._buffer("external", x)

    def __call__(
        self,
        op: Op,
        given: tuple[Any, ...],
        inputs: tuple[Tensor, ...],
        value: Any,
        settings: dict[str, Any],
    ) -> Array:
        value = np.asarray(value)  # a reduction to one number gives NumPy's scalar
        made_inside = id(value) in self.numbers  # or the input itself
        if self.problem or (made_inside and not op.effect):
            return value
        if OPS.get(op.name) is not op:
            self.problem = f"{op.name} computes with NumPy, not with ops"
            return value
        numbers = [self._number(op, g, x.value) for g, x in zip(given, inputs, strict=True)]
        if not op.effect and (op.shape_only or self._constant(numbers)):
            self._buffer("constant", value)
        else:
            output = self._output(op, numbers, value)
            self.instructions.append(Instruction(op, tuple(numbers), output, settings))
        return value

    def program(self, results: tuple[int, ...]) -> Program:
        return Program(tuple(self.buffers), tuple(self.instructions), results)

    def numbers_of(self, results: Sequence[Array]) -> tuple[int, ...]:
        """The buffers of the results, which must have been made by the step."""
        if not all(id(y) in self.numbers for y in results):
            self.problem = self.problem or "a result was not made by an op of the step"
        return tuple(self.numbers.get(id(y), -1) for y in results)

    def check_written(self, externals: Sequence[Array], before: Sequence[Array]) -> None:
        """Only ``assign`` may write to what outlives the step."""
        written = [self.arrays[step.output] for step in self.instructions if step.op.effect]
        for x, old in zip(externals, before, strict=True):
            changed = x.tobytes() != old.tobytes()
            if changed and not any(np.may_share_memory(x, w) for w in written):
                self.problem = self.problem or (
                    f"an array of shape {x.shape} was changed in the step: use ops.assign"
                )

    def _buffer(self, origin: Origin, array: Array) -> int:
        self.arrays.append(array)
        self.buffers.append(Buffer.of(origin, array))
        self.numbers[id(array)] = len(self.buffers) - 1
        return len(self.buffers) - 1

    def _number(self, op: Op, given: Any, array: Array) -> int:
        known = self.numbers.get(id(array))
        if known is not None:
            return known
        if type(given) not in NUMBERS:
            self.problem = self.problem or (
                f"{op.name} got an array of shape {array.shape} that no op of the step has made: "
                "make it with ops, or give it to the step"
            )
        return self._buffer("constant", array)

    def _constant(self, numbers: Sequence[int]) -> bool:
        return all(self.buffers[n].origin == "constant" for n in numbers)

    def _output(self, op: Op, numbers: Sequence[int], value: Array) -> int:
        if id(value) in self.numbers:  # an effect on its first input
            return self.numbers[id(value)]
        shared = op.view and np.may_share_memory(value, self.arrays[numbers[0]])
        return self._buffer("view" if shared else "made", value)
