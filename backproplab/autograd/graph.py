"""The graph as data: its nodes in order, their names, a printer, and their costs.

This file reads ``Tensor.node``, and knows ops only by name; it computes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.tensor import Tensor


def nodes(root: Tensor) -> list[Tensor]:
    """Every tensor that ``root`` was computed from, each once, inputs first, ``root`` last.

    The order is the one in which the formula is written. No recursion: depth needs no stack.
    """
    order: list[Tensor] = []
    seen: set[int] = set()
    stack = [(root, False)]
    while stack:
        tensor, inputs_done = stack.pop()
        if inputs_done:
            order.append(tensor)
        elif id(tensor) not in seen:
            seen.add(id(tensor))
            stack.append((tensor, True))
            stack.extend((x, False) for x in reversed(inputs_of(tensor)))
    return order


def inputs_of(tensor: Tensor) -> tuple[Tensor, ...]:
    """The tensors that it was computed from; none for a leaf."""
    return tensor.node.inputs if tensor.node else ()


def names(order: Sequence[Tensor], given: Mapping[str, Tensor] | None = None) -> dict[int, str]:
    """A name for each tensor, by its ``id``.

    The ``given`` names have precedence; a constant number is its own name, other leaves are
    ``x1, x2, …``, and results are numbered by their op, ``add_1, add_2, …``.
    """
    found = {id(tensor): name for name, tensor in (given or {}).items()}
    counts: Counter[str] = Counter()
    for tensor in order:
        if id(tensor) in found:
            continue
        if is_number(tensor):
            found[id(tensor)] = number(tensor.item())
            continue
        prefix = f"{tensor.node.op.name}_" if tensor.node else "x"
        counts[prefix] += 1
        found[id(tensor)] = f"{prefix}{counts[prefix]}"
    return found


def is_number(tensor: Tensor) -> bool:
    """Whether the tensor is a constant with one entry and no axes."""
    return tensor.node is None and not tensor.tracked and tensor.ndim == 0


def number(value: Any) -> str:
    """A number with all its digits and without ``.0``: 3, 0.1, -5.466781571308061, 1e+16."""
    real = float(value)
    return str(int(real)) if real.is_integer() and abs(real) < 1e15 else repr(real)


def pretty(root: Tensor, given: Mapping[str, Tensor] | None = None) -> str:
    """The graph as text, one line per node: its name, op, inputs, settings, dtype and shape."""
    order = nodes(root)
    name = names(order, given)
    shown = [tensor for tensor in order if not is_number(tensor)]
    left = [_line(tensor, name) for tensor in shown]
    width = max(map(len, left), default=0)
    return "\n".join(
        f"{text:<{width}}  {tensor.dtype} {tensor.shape}"
        for text, tensor in zip(left, shown, strict=True)
    )


def _line(tensor: Tensor, name: Mapping[int, str]) -> str:
    node = tensor.node
    if node is None:
        return name[id(tensor)]
    words = [name[id(x)] for x in node.inputs]
    words += [f"{key}={_setting(value)}" for key, value in node.settings.items()]
    return f"{name[id(tensor)]} = {node.op.name}({', '.join(words)})"


def _setting(value: Any) -> str:
    if isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
        return f"({', '.join(map(_setting, value))})"
    return f"array{value.shape}" if isinstance(value, np.ndarray) else repr(value)


def count(root: Tensor) -> Counter[str]:
    """The number of nodes of each op; leaves are counted as ``input``."""
    return Counter(tensor.node.op.name if tensor.node else "input" for tensor in nodes(root))


def memory(root: Tensor) -> int:
    """The bytes of the arrays that the graph keeps alive; memory shared by views counts once."""
    owners = {id(owner): owner for owner in (_owner(t.value) for t in nodes(root))}
    return sum(owner.nbytes for owner in owners.values())


def _owner(array: Array) -> Array:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def flops(root: Tensor) -> int:
    """Floating-point operations of the forward pass that computed ``root``.

    A product of (n, k) and (k, m) counts 2 n k m, of more factors (einsum) 2 per summed term;
    factorizations count as in LAPACK's notes, to the leading order; an op that only moves numbers
    counts 0. Any other counts 1 per entry of its largest array: of the result of an elementwise
    op, of the input of a reduction. A sine counts 1.
    """
    return sum(_cost(tensor) for tensor in nodes(root))


def _cost(y: Tensor) -> int:
    node = y.node
    if node is None or node.op.view or node.op.name in MOVES:
        return 0
    cost = COSTS.get(node.op.name)
    return cost(y, *node.inputs) if cost else max(t.size for t in (y, *node.inputs))


def _contraction(y: Tensor, *factors: Tensor) -> int:
    """2 per summed product: the product of the lengths of all named and all leading axes."""
    terms = y.node.settings["subscripts"].partition("->")[0].split(",") if y.node else []
    length: dict[str, int] = {}
    leads = []
    for term, x in zip((t.replace("...", "") for t in terms), factors, strict=True):
        for letter, n in zip(term, x.shape[x.ndim - len(term) :], strict=True):
            length[letter] = max(n, length.get(letter, n))
        leads.append(x.shape[: x.ndim - len(term)])
    lead = prod(np.broadcast_shapes(*leads))
    return (2 if len(factors) > 1 else 1) * lead * prod(length.values())


MOVES = {"cast", "concatenate", "flip", "roll", "take", "take_along_axis", "tril", "triu", "where"}
COSTS: dict[str, Callable[..., int]] = {
    "matrix_product": lambda y, a, b: 2 * y.size * a.shape[-1],
    "einsum": _contraction,
    "inv": lambda y, a: 2 * a.size * a.shape[-1],
    "det": lambda y, a: 2 * a.size * a.shape[-1] // 3,
    "log_abs_det": lambda y, a: 2 * a.size * a.shape[-1] // 3,
    "cholesky": lambda y, a: a.size * a.shape[-1] // 3,
    "solve_matrix": lambda y, a, b: 2 * a.size * a.shape[-1] // 3 + 2 * y.size * a.shape[-1],
}
