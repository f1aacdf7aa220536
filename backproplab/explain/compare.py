"""One derivative, three ways: numeric, symbolic, backprop."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backproplab.autograd import central_difference
from backproplab.explain.expression import Expression
from backproplab.explain.symbolic import Symbolic, derivatives
from backproplab.explain.trace import Trace

# balances rounding, eps / h, and truncation, h²: Press et al., Numerical Recipes, section 5.7
STEP = float(np.cbrt(np.finfo(np.float64).eps))


@dataclass(frozen=True)
class Comparison:
    """df/d``variable``; ``numeric`` is NaN if the function has no value at a point used by it."""

    variable: str
    numeric: float
    symbolic: Symbolic
    backprop: float


def compare(expression: Expression, values: Mapping[str, float], seen: Trace) -> list[Comparison]:
    """The derivative with respect to each variable, computed in three ways."""
    symbolic = derivatives(seen.root, seen.names, values)
    return [
        Comparison(
            node.name, _numeric(expression, values, node.name), symbolic[node.name], node.gradient
        )
        for node in (seen.nodes[i] for i in seen.variables)
    ]


def _numeric(expression: Expression, values: Mapping[str, float], name: str) -> float:
    """(f(x + h) - f(x - h)) / 2h with h = ∛eps max(1, |x|)."""
    x = values[name]

    def along(t: float) -> float:
        return expression.evaluate({**values, name: x + t})[-1].value.item()

    with np.errstate(all="ignore"):
        return float(central_difference(along, STEP * max(1.0, abs(x))))


def relative_difference(a: float, b: float) -> float:
    """|a - b| / max(1e-8, |a| + |b|), as in the notes of Stanford's CS231n: 1e-7 is good."""
    return abs(a - b) / max(1e-8, abs(a) + abs(b))
