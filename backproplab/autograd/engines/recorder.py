"""Recorder: computes one step eagerly and records the ops that it applies.

An array that no op of this step created is reported, with the op that received it: a replay would
use its old numbers again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.program import Buffer, Instruction, Origin, Program
from backproplab.autograd.primitive import LISTENER, NUMBERS, OPS, Op
from backproplab.autograd.tensor import Tensor


def record(
    function: Callable[..., Sequence[Tensor]], inputs: Sequence[Array], externals: Sequence[Array]
) -> tuple[list[Array], Program | str]:
    """The results of ``function(*inputs)``, and its program or the reason why there is none.

    externals: arrays other than the inputs that it reads or assigns to, such as weights.
    The function is computed eagerly and once, so the results are right in either case.
    """
    inputs = [x[...] for x in inputs]  # an array that is passed twice is two inputs
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
    """The listener of ``apply``: numbers each array, which it knows by identity.

    problem: the first reason why the step cannot be replayed, or empty; the step continues.
    """

    def __init__(self, inputs: Sequence[Array], externals: Sequence[Array]) -> None:
        self.arrays: list[Array] = []  # keeps them alive, so that no id is used twice
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
        value = np.asarray(value)  # a reduction to one number returns a NumPy scalar
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
        """The numbers of the results' buffers; a problem if the step did not make a result."""
        if not all(id(y) in self.numbers for y in results):
            self.problem = self.problem or "a result was not made by an op of the step"
        return tuple(self.numbers.get(id(y), -1) for y in results)

    def check_written(self, externals: Sequence[Array], before: Sequence[Array]) -> None:
        """A problem if an external was written to by anything but ``assign``."""
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
                "make it with ops, or pass it to the step"
            )
        return self._buffer("constant", array)

    def _constant(self, numbers: Sequence[int]) -> bool:
        return all(self.buffers[n].origin == "constant" for n in numbers)

    def _output(self, op: Op, numbers: Sequence[int], value: Array) -> int:
        if id(value) in self.numbers:  # an effect on its first input
            return self.numbers[id(value)]
        shared = op.view and np.may_share_memory(value, self.arrays[numbers[0]])
        return self._buffer("view" if shared else "made", value)
