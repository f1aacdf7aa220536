"""Graphs written as formulas: ``c * d``, ``2 * x``, ``1 - f * f``.

Derivatives are written in the same way: a rule of the autograd is made of ops, so its graph *is*
the formula of the local derivative. No table of derivatives is needed, also not for a new op.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops
from backproplab.autograd.graph import is_number, nodes, number
from backproplab.formulas.expression import Expression

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
    """Names by tensor id: variables as written, steps c, d, e, …, the result f: the course's."""
    pairs = list(zip(expression.steps, tensors, strict=True))
    names = {id(x): number(x.item()) for x in order if is_number(x)}
    names |= {id(x): step.word for step, x in pairs if step.kind != "call" and step.word}
    names |= {id(tensors[i]): label for i, label in expression.labels.items()}
    taken = {*names.values(), "f"}
    result = "f" if "f" not in names.values() else "result"
    letters = (letter for letter in "cdeghijklmnopqrstuvwxyz" if letter not in taken)
    numbered = (word for i in count(1) if (word := f"v{i}") not in taken)
    free = chain(letters, numbered)
    for x in order:
        if x.node is not None and id(x) not in names:
            names[id(x)] = result if x is order[-1] else next(free)
    return names


@dataclass(frozen=True)
class Derivative:
    """∂(a step) / ∂(one of its inputs): the formula, and its value at the point.

    The value is a number; with vectors the Jacobian, (entries of the step, entries of the input).
    """

    formula: str
    value: float | Array


# formulas of derivatives that are no products of entries: u the input, y the step
JACOBIANS = {
    "sum": "1", "mean": "1 / n", "softmax": "diag({y}) - {y} {y}^T", "logsumexp": "softmax({u})",
    "log_softmax": "I - softmax({u})", "max": "1 at the largest", "min": "1 at the least",
    "take": "1 at the entry", "list": "1 at the entry",
}  # fmt: skip


def local_derivative(tensor: Tensor, position: int, names: Mapping[int, str]) -> Derivative:
    """The op's own rule for the input at ``position``, with 1 as the cotangent."""
    node = tensor.node
    rule = node.op.rule(position) if node else None
    if node is None or rule is None:
        return Derivative("0", 0.0)
    stand_ins = {id(x): _stand_in(x) for x in (tensor, *node.inputs)}
    inputs = [stand_ins[id(x)] for x in node.inputs]

    def slope(cotangent: Array) -> Tensor:
        with np.errstate(all="ignore"):
            return rule(Tensor(cotangent), stand_ins[id(tensor)], *inputs, **node.settings)

    source = node.inputs[position]
    named = {id(new): names[old] for old, new in stand_ins.items()}
    if form := JACOBIANS.get(node.op.name):
        formula = form.format(u=names[id(source)], y=names[id(tensor)])
    else:
        elementwise = tensor.shape in (source.shape, ()) or not source.shape
        formula = write(slope(np.ones(())), named) if elementwise else ""
    if not tensor.shape and not source.shape:
        return Derivative(formula, float(slope(np.ones(tensor.shape)).value))
    rows = [
        ops.sum_to(g, shape=source.shape).value if g.shape != source.shape else g.value
        for g in map(slope, np.eye(tensor.size).reshape(tensor.size, *tensor.shape))
    ]
    return Derivative(formula, np.reshape(rows, (tensor.size, source.size)))


def _stand_in(x: Tensor) -> Tensor:
    """A leaf with the value of x, so that the rule's graph ends there; constants stay constants."""
    return Tensor(x.value, None, x.tracked)


def write(root: Tensor, names: Mapping[int, str]) -> str:
    """The formula of ``root`` in terms of the named tensors below it."""
    written: dict[int, tuple[str, int]] = {}
    for tensor in nodes(root):
        name = names.get(id(tensor)) or ("" if tensor.node else shown(tensor.value))
        written[id(tensor)] = _atom(name) if name else _step(tensor, written)
    return written[id(root)][0]


def write_step(tensor: Tensor, names: Mapping[int, str]) -> str:
    """The formula of ``tensor`` in terms of its inputs, ``c * d``; for a leaf its name."""
    if tensor.node is None:
        return names[id(tensor)]
    return _step(tensor, {id(x): _atom(names[id(x)]) for x in tensor.node.inputs})[0]


def write_numbers(tensor: Tensor) -> str:
    """The formula of a step with the values of its inputs, ``3 * 2``; "" if one is a vector."""
    inputs = tensor.node.inputs if tensor.node else ()
    if not inputs or any(x.ndim for x in inputs):
        return ""
    marks = {id(x): f"_{i}_" for i, x in enumerate(inputs)}
    text = write_step(tensor, marks)
    for i, x in enumerate(inputs):
        value = f"{x.value.item():.6g}"
        if value.startswith("-"):
            text = re.sub(rf"(?<![(\[,])( ?)_{i}_", rf"\1({value})", text)
        text = text.replace(f"_{i}_", value)
    return text


def _atom(name: str) -> tuple[str, int]:
    return name, MINUS if name.startswith("-") else ATOM


def _step(tensor: Tensor, written: Mapping[int, tuple[str, int]]) -> tuple[str, int]:
    """(formula, precedence) of one step, from those of its inputs."""
    node = tensor.node
    assert node is not None, "leaves are named"
    inputs = [written[id(x)] for x in node.inputs]
    rules = (True,) * len(inputs) if callable(node.op.vjp) else node.op.vjp
    if not any(x.tracked and rule for x, rule in zip(node.inputs, rules, strict=True)):
        return _atom(shown(tensor.value))  # nothing in it is a variable
    if node.op.name in INFIX:
        return _infix(*INFIX[node.op.name], *inputs)
    if node.op.name == "negative":
        return _minus(inputs[0])
    if node.op.name == "nan_where":  # values that are explained are finite
        return inputs[0]
    if node.op.name == "where" and is_number(node.inputs[0]):  # a constant condition
        return inputs[1] if node.inputs[0].value else inputs[2]
    if node.op.name == "take":
        return f"{_bracket(inputs[0], ATOM)}[{_index(node.settings)}]", ATOM
    if node.op.name == "list":
        return f"[{', '.join(text for text, _ in inputs)}]", ATOM
    return f"{node.op.name}({', '.join(text for text, _ in inputs)})", ATOM


def _index(settings: Mapping[str, Any]) -> str:
    index = settings["index"]
    return str(index[-1] if isinstance(index, tuple) else index)


def shown(value: float | Array, digits: int = 6) -> str:
    """A number with all its digits, a vector ``[1, 2, 3]`` with ``digits`` each."""
    array = np.asarray(value)
    if array.ndim == 0:
        return number(array)
    if array.ndim == 1:
        return f"[{', '.join(f'{x:.{digits}g}' for x in array)}]"
    return f"[{', '.join(shown(row, digits) for row in array)}]"


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
