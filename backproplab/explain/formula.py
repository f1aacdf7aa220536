"""Graphs written as formulas: ``c * d``, ``2 * x``, ``1 - f * f``.

Derivatives are written in the same way: a rule of the autograd is made of ops, so its graph *is*
the formula of the local derivative. No table of derivatives is needed, also not for a new op.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count

import numpy as np

from backproplab.autograd import Tensor
from backproplab.autograd.graph import is_number, nodes, number
from backproplab.explain.expression import Expression

SUM, PRODUCT, MINUS, POWER, ATOM = range(5)  # precedence, lowest first
INFIX = {
    "add": ("+", SUM),
    "subtract": ("-", SUM),
    "multiply": ("*", PRODUCT),
    "divide": ("/", PRODUCT),
    "power": ("**", POWER),
}


def course_names(
    expression: Expression, tensors: Sequence[Tensor], order: Sequence[Tensor]
) -> dict[int, str]:
    """Names by tensor id: leaves as written, steps c, d, e, …, the result f, as in the course."""
    pairs = list(zip(expression.steps, tensors, strict=True))
    names = {id(x): number(x.item()) for x in order if is_number(x)}
    names |= {id(x): step.word for step, x in pairs if step.kind != "call" and step.word}
    taken = {*names.values(), "f"}
    result = "f" if "f" not in expression.variables else "result"
    letters = (letter for letter in "cdeghijklmnopqrstuvwxyz" if letter not in taken)
    numbered = (word for i in count(1) if (word := f"v{i}") not in taken)
    free = chain(letters, numbered)
    for x in order:
        if x.node is not None:
            names[id(x)] = result if x is order[-1] else next(free)
    return names


@dataclass(frozen=True)
class Derivative:
    """∂(a step) / ∂(one of its inputs): the formula, and its value at the point."""

    formula: str
    value: float


def local_derivative(tensor: Tensor, position: int, names: Mapping[int, str]) -> Derivative:
    """The op's own rule for the input at ``position``, with 1 as the cotangent."""
    node = tensor.node
    rule = node.op.rule(position) if node else None
    if node is None or rule is None:
        return Derivative("0", 0.0)
    stand_ins = {id(x): _stand_in(x) for x in (tensor, *node.inputs)}
    inputs = [stand_ins[id(x)] for x in node.inputs]
    with np.errstate(all="ignore"):
        result = rule(Tensor(np.float64(1)), stand_ins[id(tensor)], *inputs, **node.settings)
    named = {id(new): names[old] for old, new in stand_ins.items()}
    return Derivative(write(result, named), float(result.value))


def _stand_in(x: Tensor) -> Tensor:
    """A leaf with the value of x, so that the rule's graph ends there; constants stay constants."""
    return Tensor(x.value, None, x.tracked)


def write(root: Tensor, names: Mapping[int, str]) -> str:
    """The formula of ``root`` in terms of the named tensors below it."""
    written: dict[int, tuple[str, int]] = {}
    for tensor in nodes(root):
        name = names.get(id(tensor)) or (number(tensor.item()) if is_number(tensor) else "")
        written[id(tensor)] = _atom(name) if name else _step(tensor, written)
    return written[id(root)][0]


def write_step(tensor: Tensor, names: Mapping[int, str]) -> str:
    """The formula of ``tensor`` in terms of its inputs, ``c * d``; for a leaf its name."""
    if tensor.node is None:
        return names[id(tensor)]
    return _step(tensor, {id(x): _atom(names[id(x)]) for x in tensor.node.inputs})[0]


def _atom(name: str) -> tuple[str, int]:
    return name, MINUS if name.startswith("-") else ATOM


def _step(tensor: Tensor, written: Mapping[int, tuple[str, int]]) -> tuple[str, int]:
    """(formula, precedence) of one step, from those of its inputs."""
    node = tensor.node
    assert node is not None, "leaves are named"
    inputs = [written[id(x)] for x in node.inputs]
    rules = (True,) * len(inputs) if callable(node.op.vjp) else node.op.vjp
    if not any(x.tracked and rule for x, rule in zip(node.inputs, rules, strict=True)):
        return _atom(number(tensor.value))  # nothing in it is a variable
    if node.op.name in INFIX:
        return _infix(*INFIX[node.op.name], *inputs)
    if node.op.name == "negative":
        return _minus(inputs[0])
    if node.op.name == "nan_where":  # values that are explained are finite
        return inputs[0]
    if node.op.name == "where" and is_number(node.inputs[0]):  # a constant condition
        return inputs[1] if node.inputs[0].value else inputs[2]
    return f"{node.op.name}({', '.join(text for text, _ in inputs)})", ATOM


def _infix(sign: str, hold: int, left: tuple[str, int], right: tuple[str, int]) -> tuple[str, int]:
    """a + b with the brackets that it needs; a factor or exponent of 1 is not written."""
    if sign == "**" and right[0] == "0":
        return "1", ATOM
    if sign in ("*", "/", "**") and right[0] == "1":
        return left
    if sign == "*" and left[0] in ("1", "-1"):
        return right if left[0] == "1" else _minus(right)
    if sign == "+" and right[0].startswith("-") and right[1] > SUM:  # a + -b
        sign, right = "-", (right[0][1:], PRODUCT)
    first = _bracket(left, hold + (sign == "**"))
    second = _bracket(right, hold + (sign in ("-", "/")))
    return f"{first} {sign} {second}", hold


def _minus(x: tuple[str, int]) -> tuple[str, int]:
    return f"-{_bracket(x, PRODUCT)}", PRODUCT if x[1] == PRODUCT else MINUS


def _bracket(x: tuple[str, int], hold: int) -> str:
    text, own = x
    return text if own >= hold else f"({text})"
