"""Peepholes: small changes of a program that save time and change no bit of its results.

What each one gains is written down in docs/log.md.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backproplab.autograd.engines.program import Buffer, Instruction, Program
from backproplab.autograd.ops.shapes import cast
from backproplab.autograd.tensor import Array

WORTH_A_CAST = 512  # entries


def simplified(program: Program) -> Program:
    """The program after every peephole."""
    return with_casts(with_scalars(without_dead(without_products_with_one(program))))


def without_dead(program: Program) -> Program:
    """Without the instructions that no result needs: the loss itself, when only its gradient is
    wanted. What draws or writes stays, and what it needs."""
    needed = set(program.results)
    kept: list[Instruction] = []
    for step in reversed(program.instructions):
        if step.op.effect or step.output in needed:
            needed.update(step.inputs)
            kept.append(step)
    return replace(program, instructions=tuple(reversed(kept)))


def with_scalars(program: Program) -> Program:
    """A constant that says one number everywhere becomes that number, where only it broadcasts:
    a loop over a scalar is faster than a loop for each row."""
    buffers = list(program.buffers)
    steps = [_scalar_inputs(step, buffers) for step in program.instructions]
    return replace(program, buffers=tuple(buffers), instructions=tuple(steps))


def _scalar_inputs(step: Instruction, buffers: list[Buffer]) -> Instruction:
    if not _plain_ufunc(step):
        return step
    shape = buffers[step.output].shape
    inputs = list(step.inputs)
    for i, n in enumerate(inputs):
        others = [buffers[m].shape for m in inputs[:i] + inputs[i + 1 :]]
        number = _one_number(buffers[n])
        if others and np.broadcast_shapes(*others) == shape and number is not None:
            buffers.append(Buffer.of("constant", number))
            inputs[i] = len(buffers) - 1
    return replace(step, inputs=tuple(inputs))


def with_casts(program: Program) -> Program:
    """A mask (bool) that meets floats becomes floats first: NumPy would convert it piece by piece
    within its loop, which takes twice as long."""
    buffers, steps = list(program.buffers), list[Instruction]()
    for step in program.instructions:
        dtype = buffers[step.output].dtype
        inputs = list(step.inputs)
        for i, n in enumerate(inputs):
            mask = buffers[n].dtype == bool and buffers[n].size >= WORTH_A_CAST
            if _plain_ufunc(step) and mask and dtype.kind == "f":
                buffers.append(Buffer.of("made", np.empty(buffers[n].shape, dtype)))
                inputs[i] = len(buffers) - 1
                steps.append(Instruction(cast, (n,), inputs[i], {"dtype": dtype}))
        steps.append(replace(step, inputs=tuple(inputs)))
    return replace(program, buffers=tuple(buffers), instructions=tuple(steps))


def _plain_ufunc(step: Instruction) -> bool:
    """Whether it works entry by entry, in NumPy's own loops."""
    return isinstance(step.op.forward, np.ufunc) and step.op.forward.signature is None


def _one_number(buffer: Buffer) -> Array | None:
    """The number that a constant says everywhere, as an array without axes."""
    x = buffer.value
    if buffer.origin != "constant" or x is None or not x.ndim or not x.size:
        return None
    number = np.array(x.flat[0])
    same = (x == number).all() and (x.dtype.kind != "f" or not np.ptp(np.signbit(x).view(np.int8)))
    return number if same else None  # 0.0 and -0.0 are two numbers


def without_products_with_one(program: Program) -> Program:
    """x · 1 and x / 1 are x: the mean over a batch of one."""
    stands_for: dict[int, int] = {}
    kept: list[Instruction] = []
    for step in program.instructions:
        inputs = tuple(stands_for.get(n, n) for n in step.inputs)
        same = _unchanged(program, step.op.name, inputs, step.output)
        if same is None:
            kept.append(replace(step, inputs=inputs))
        else:
            stands_for[step.output] = same
    results = tuple(stands_for.get(n, n) for n in program.results)
    return replace(program, instructions=tuple(kept), results=results)


def _unchanged(program: Program, name: str, inputs: tuple[int, ...], output: int) -> int | None:
    """The input that the instruction's output equals; None if there is none."""
    factors = {"multiply": ((0, 1), (1, 0)), "divide": ((0, 1),)}
    for x, one in factors.get(name, ()):
        kept, factor = (program.buffers[inputs[i]] for i in (x, one))
        y = program.buffers[output]
        ones = factor.origin == "constant" and np.all(factor.value == 1)
        ours = kept.origin in ("made", "input")  # what outlives the step may be written to later
        if ones and ours and (kept.shape, kept.dtype) == (y.shape, y.dtype):
            return inputs[x]
    return None
