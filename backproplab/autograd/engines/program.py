"""Program: a recorded step as plain data, a list of instructions on numbered buffers.

An instruction names an op and holds no Python function of its own, so another
engine can compile the same program. This file computes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.primitive import Op

Origin = Literal["input", "external", "constant", "view", "made"]


@dataclass(frozen=True, eq=False)
class Buffer:
    """One array of the step.

    origin: ``input``, passed to each run; ``external``, such as weights, which the step shares
        with its caller; ``constant``; ``view`` of another buffer; ``made`` by an instruction.
    shape, dtype, strides: of the array while the step was recorded.
    value: the array itself if it is an external or a constant, else None.
    """

    origin: Origin
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    strides: tuple[int, ...]
    value: Array | None = None

    @classmethod
    def of(cls, origin: Origin, array: Array) -> Buffer:
        kept = array if origin in ("external", "constant") else None
        return cls(origin, array.shape, array.dtype, array.strides, kept)

    @property
    def size(self) -> int:
        return prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def array(self, block: Array) -> Array:
        """An array in the memory of ``block``, with the recorded order of axes if it was dense:
        BLAS uses other code for another order, which may round differently."""
        order = sorted(range(len(self.shape)), key=lambda a: -self.strides[a])
        shape, strides = ([x[a] for a in order] for x in (self.shape, self.strides))
        dense = self.size > 0 and _row_major(shape, strides, self.dtype.itemsize)
        return np.ndarray(self.shape, self.dtype, block.data, 0, self.strides if dense else None)

    @property
    def contiguous(self) -> bool:
        return self.size == 0 or _row_major(self.shape, self.strides, self.dtype.itemsize)


def _row_major(shape: Sequence[int], strides: Sequence[int], step: int) -> bool:
    for n, stride in zip(reversed(shape), reversed(strides), strict=True):
        if n != 1 and stride != step:
            return False
        step *= n
    return True


@dataclass(frozen=True, eq=False)
class Instruction:
    """``output = op(*inputs, **settings)``; inputs and output are numbers of buffers."""

    op: Op
    inputs: tuple[int, ...]
    output: int
    settings: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Program:
    """What a step computes: instructions in order, and the numbers of the results' buffers."""

    buffers: tuple[Buffer, ...]
    instructions: tuple[Instruction, ...]
    results: tuple[int, ...]

    def is_view(self, instruction: Instruction) -> bool:
        made = self.buffers[instruction.output].origin == "view"
        return made and not instruction.op.effect

    def __str__(self) -> str:
        return "\n".join(self._line(step) for step in self.instructions)

    def _line(self, step: Instruction) -> str:
        words = [f"%{n}" for n in step.inputs]
        words += [f"{key}={value!r}" for key, value in step.settings.items()]
        buffer = self.buffers[step.output]
        kind = " (view)" if self.is_view(step) else ""
        return (
            f"%{step.output} = {step.op.name}({', '.join(words)})"
            f"  {buffer.dtype} {buffer.shape}{kind}"
        )


def difference(old: Program, new: Program) -> str:
    """The first difference of two recordings of one step, as text; empty if they are equal."""
    for before, after in zip(old.instructions, new.instructions, strict=False):
        if before.op is not after.op or before.inputs != after.inputs:
            return f"{before.op.name} became {after.op.name}, or works on other arrays"
        if not are_same(before.settings, after.settings):
            return f"{before.op.name} got other settings"
        for n in before.inputs:
            if old.buffers[n].origin == "constant" and not are_same(
                old.buffers[n].value, new.buffers[n].value
            ):
                return f"{before.op.name} got another number"
    for n, m in zip(old.results, new.results, strict=False):
        a, b = old.buffers[n], new.buffers[m]
        if a.origin == "constant" and not are_same(a.value, b.value):
            return "a result is another number"
    same_length = len(old.instructions) == len(new.instructions)
    return "" if same_length and old.results == new.results else "it has more or fewer ops"


def are_same(a: Any, b: Any) -> bool:
    """Whether two settings or constants are equal, also in type; arrays bit for bit."""
    if a is b:
        return True
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(are_same(a[key], b[key]) for key in a)
    if isinstance(a, Sequence) and isinstance(b, Sequence) and not isinstance(a, str):
        return len(a) == len(b) and all(map(are_same, a, b))
    return type(a) is type(b) and bool(a == b)


def owners_of(program: Program) -> list[int]:
    """Buffer number -> number of the buffer that owns its memory: itself, unless it is a view."""
    owner = list(range(len(program.buffers)))
    for step in program.instructions:
        if program.is_view(step):
            owner[step.output] = owner[step.inputs[0]]
    return owner
