"""Peepholes: rewrites of a program that save time and change no bit of its results.

docs/log.md has the time that each one saves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.program import (
    Buffer,
    Instruction,
    Program,
    are_same,
    owners_of,
)
from backproplab.autograd.lowering import elementwise, stepwise
from backproplab.autograd.ops.shapes import cast
from backproplab.autograd.primitive import Op

Rule = Sequence[tuple[str, str]]  # names of ops, letters of their inputs and output
CAST_FROM = 512  # entries of a mask from which a cast pays


def simplified(program: Program) -> Program:
    """The program after every peephole."""
    fewer = without_repeats(without_dead(without_products_with_one(program)))
    return with_slopes(with_casts(with_scalars(fewer)))


def without_dead(program: Program) -> Program:
    """The program without instructions that no result needs, such as the loss when only its
    gradient is a result. Ops with an effect and their inputs remain."""
    needed = set(program.results)
    kept: list[Instruction] = []
    for step in reversed(program.instructions):
        if step.op.effect or step.output in needed:
            needed.update(step.inputs)
            kept.append(step)
    return replace(program, instructions=tuple(reversed(kept)))


def with_scalars(program: Program) -> Program:
    """The program with each constant array of equal entries replaced by a scalar, if the other
    inputs already have the output's shape: one loop over all is faster than one for each row."""
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
    """The program with boolean masks cast to floats before they are combined with floats: NumPy
    would convert them in small pieces within its loop, which takes twice as long."""
    buffers, steps = list(program.buffers), list[Instruction]()
    for step in program.instructions:
        dtype = buffers[step.output].dtype
        inputs = list(step.inputs)
        for i, n in enumerate(inputs):
            mask = buffers[n].dtype == bool and buffers[n].size >= CAST_FROM
            if _plain_ufunc(step) and mask and dtype.kind == "f":
                buffers.append(Buffer.of("made", np.empty(buffers[n].shape, dtype)))
                inputs[i] = len(buffers) - 1
                steps.append(Instruction(cast, (n,), inputs[i], {"dtype": dtype}))
        steps.append(replace(step, inputs=tuple(inputs)))
    return replace(program, buffers=tuple(buffers), instructions=tuple(steps))


def _plain_ufunc(step: Instruction) -> bool:
    """Whether the op is an elementwise ufunc."""
    return isinstance(step.op.forward, np.ufunc) and step.op.forward.signature is None


def _one_number(buffer: Buffer) -> Array | None:
    """The value that all entries of a constant have, as an array without axes; None otherwise."""
    x = buffer.value
    if buffer.origin != "constant" or x is None or not x.ndim or not x.size:
        return None
    number = np.array(x.flat[0])
    same = (x == number).all() and (x.dtype.kind != "f" or not np.ptp(np.signbit(x).view(np.int8)))
    return number if same else None  # 0.0 and -0.0 are two numbers


def without_products_with_one(program: Program) -> Program:
    """The program without x · 1 and x / 1, which the mean over a batch of one contains."""
    same_as: dict[int, int] = {}
    kept: list[Instruction] = []
    for step in program.instructions:
        inputs = tuple(same_as.get(n, n) for n in step.inputs)
        same = _unchanged(program, step.op.name, inputs, step.output)
        if same is None:
            kept.append(replace(step, inputs=inputs))
        else:
            same_as[step.output] = same
    results = tuple(same_as.get(n, n) for n in program.results)
    return replace(program, instructions=tuple(kept), results=results)


def _unchanged(program: Program, name: str, inputs: tuple[int, ...], output: int) -> int | None:
    """The number of the input that the output equals; None if there is none."""
    factors = {"multiply": ((0, 1), (1, 0)), "divide": ((0, 1),)}
    for x, one in factors.get(name, ()):
        kept, factor = (program.buffers[inputs[i]] for i in (x, one))
        y = program.buffers[output]
        ones = factor.origin == "constant" and np.all(factor.value == 1)
        ours = kept.origin in ("made", "input")  # an external may be assigned to later
        if ones and ours and (kept.shape, kept.dtype) == (y.shape, y.dtype):
            return inputs[x]
    return None


def with_slopes(program: Program) -> Program:
    """The program with the gradient of tanh or sigmoid as one instruction, which has the bits of
    the ops of its rule: an engine may compute it in one pass."""
    uses = Counter([*program.results, *(n for step in program.instructions for n in step.inputs)])
    steps, kept = list(program.instructions), list[Instruction]()
    while steps:
        for op, rule in SLOPES.items():
            found = _matched(rule, steps)
            if found and _is_slope(found, program, uses):
                steps[: len(rule)] = [Instruction(op, (found["y"], found["g"]), found["t"], {})]
        kept.append(steps.pop(0))
    return replace(program, instructions=tuple(kept))


def _matched(rule: Rule, steps: Sequence[Instruction]) -> dict[str, int]:
    """The buffer of each letter if the first steps are those of the rule, else none."""
    found: dict[str, int] = {}
    for (name, letters), step in zip(rule, steps, strict=False):
        numbers = (*step.inputs, step.output)
        if step.op.name != name or any(
            found.setdefault(letter, n) != n for letter, n in zip(letters, numbers, strict=True)
        ):
            return {}
    return found if len(steps) >= len(rule) else {}


def _is_slope(found: dict[str, int], program: Program, uses: Counter[int]) -> bool:
    """Whether the ops are on whole arrays of one type, and nothing else reads what is between."""
    one, y, g, t = (program.buffers[found[letter]] for letter in "1ygt")
    alike = {(x.shape, x.dtype) for x in (y, g, t)} == {(t.shape, t.dtype)}
    number = one.origin == "constant" and not one.shape and one.value == 1 and one.dtype == y.dtype
    return bool(
        alike and number and y.origin == "made" and uses[found["a"]] == uses[found["b"]] == 1
    )


def _slope(rule: Any, in_place: bool) -> Op:
    """The op of a gradient, which only a program contains."""
    forward = stepwise(rule, lambda y, g: np.empty_like(g))
    own = {"in_place": in_place, "lowering": rule}
    return Op(rule.__name__, forward, (None, None), (), rule.__doc__, **own)


# y the value, g the gradient by it, a and b in between, t the gradient by the argument
SLOPES: dict[Op, Rule] = {
    _slope(elementwise.tanh_gradient, in_place=True): (
        ("multiply", "yya"),
        ("subtract", "1ab"),
        ("multiply", "gbt"),
    ),
    _slope(elementwise.sigmoid_gradient, in_place=False): (
        ("subtract", "1ya"),
        ("multiply", "yab"),
        ("multiply", "gbt"),
    ),
}


def without_repeats(program: Program) -> Program:
    """The program without an op that has been applied to the same arrays with the same settings,
    none of which was assigned to since: x - mean(x), say, in a variance and in what it divides."""
    owner, same_as = owners_of(program), dict[int, int]()
    known: dict[tuple[int, ...], list[Instruction]] = {}
    kept: list[Instruction] = []
    for given in program.instructions:
        step = replace(given, inputs=tuple(same_as.get(n, n) for n in given.inputs))
        alike = known.setdefault((id(step.op), *step.inputs), [])
        first = next((one for one in alike if are_same(one.settings, step.settings)), None)
        if step.op.effect:
            known = _not_of(known, {owner[n] for n in (*step.inputs[:1], step.output)}, owner)
        elif first:
            same_as[step.output] = first.output
            continue
        else:
            alike.append(step)
        kept.append(step)
    results = tuple(same_as.get(n, n) for n in program.results)
    return replace(program, instructions=tuple(kept), results=results)


def _not_of(
    known: dict[tuple[int, ...], list[Instruction]], written: set[int], owner: list[int]
) -> dict[tuple[int, ...], list[Instruction]]:
    """Those that read no memory of these owners."""
    return {key: own for key, own in known.items() if not {owner[n] for n in key[1:]} & written}
