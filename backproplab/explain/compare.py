"""One derivative, three ways: numeric, symbolic, backprop; and what a nudge does to the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from backproplab.autograd import central_difference
from backproplab.explain.symbolic import Symbolic, derivatives
from backproplab.explain.trace import Trace
from backproplab.explain.values import Value
from backproplab.formulas.expression import Expression

# balances rounding, eps / h, and truncation, h²: Press et al., Numerical Recipes, section 5.7
STEP = float(np.cbrt(np.finfo(np.float64).eps))
NUDGE = 1e-3


@dataclass(frozen=True)
class Comparison:
    """df/d``variable``; ``numeric`` is NaN if the function has no value at a point used by it.

    variable: a number, or an entry of a vector, ``x[0]``. Of a vector f it is the derivative of
    its product with what arrives from upstream. nudged: f with the variable larger by ``NUDGE``.
    square: q if f = f(x) + f'(x) ε + q ε² exactly along the variable, else None.
    """

    variable: str
    numeric: float
    symbolic: Symbolic
    backprop: float
    nudged: float = 0.0
    square: float | None = None


def compare(expression: Expression, values: Mapping[str, Value], seen: Trace) -> list[Comparison]:
    """The derivative with respect to each variable, computed in three ways."""
    symbolic = derivatives(seen.root, seen.names, values)
    found = []
    for i in seen.variables:
        node = seen.nodes[i]
        for name, index, gradient in entries(node.name, node.gradient):
            along = _Along(expression, values, seen, node.name, index)
            step = STEP * max(1.0, abs(along.x))
            with np.errstate(all="ignore"):
                numeric = float(central_difference(along, step))
                far = along(NUDGE), _square(along, gradient)
            found.append(Comparison(name, numeric, symbolic[node.name], gradient, *far))
    return found


def _square(along: Callable[[float], float], slope: float) -> float | None:
    """The coefficient of ε² if f is a parabola or a line, by its values at 1, -1, 2 and -3."""
    here = along(0.0)
    q = (along(1.0) + along(-1.0)) / 2 - here
    misses = [along(t) - (here + slope * t + q * t * t) for t in (1.0, 2.0, -3.0)]
    return q if np.max(np.abs(misses)) <= 1e-12 * max(1.0, abs(here)) else None


def entries(name: str, value: Value) -> Iterator[tuple[str, tuple[int, ...], float]]:
    """(``x[0]``, index, number) of each entry; a number has one, with its own name."""
    array = np.asarray(value)
    for index in np.ndindex(array.shape):
        yield (f"{name}[{index[0]}]" if index else name), index, float(array[index])


class _Along:
    """f, times what arrives from upstream, as a function of a step in one entry of a variable."""

    def __init__(
        self,
        expression: Expression,
        values: Mapping[str, Value],
        seen: Trace,
        name: str,
        index: tuple[int, ...],
    ) -> None:
        self.expression, self.values, self.seen = expression, values, seen
        self.name, self.index = name, index
        self.x = float(np.asarray(values[name])[index])

    def __call__(self, t: float) -> float:
        moved = np.array(self.values[self.name], np.float64)
        moved[self.index] += t
        y = self.expression.evaluate({**self.values, self.name: moved})[-1].value
        return float(np.sum(self.seen.upstream * y))


def relative_difference(a: float, b: float) -> float:
    """|a - b| / max(1e-8, |a| + |b|), as in the notes of Stanford's CS231n: 1e-7 is good."""
    return abs(a - b) / max(1e-8, abs(a) + abs(b))
