"""A function of a few variables with its gradient and curvature, by the library's autograd."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, backward, hessian
from backproplab.autograd.engines import Bound, engine
from backproplab.errors import ConfigError
from backproplab.formulas.expression import Expression
from backproplab.formulas.parse import parse


class Objective:
    """f of the variables of an expression; ``sign`` is -1 if it is maximized."""

    def __init__(self, text: str, maximize: bool = False) -> None:
        """Raises ConfigError unless the text is a formula of numbers whose value is a number."""
        self.text = text.strip()
        self.expression: Expression = parse(self.text)
        self.names = self.expression.variables
        self.sign = -1.0 if maximize else 1.0
        if not self.names:
            raise ConfigError(f"{self.text[:40]!r} is a constant: it has no variable to change")
        shape = self.expression.evaluate(dict.fromkeys(self.names, 0.5))[-1].shape
        if shape != ():
            raise ConfigError(f"the value of the function must be a number, not {shape}")

    @property
    def title(self) -> str:
        """``f(x, y) = …``."""
        return f"f({', '.join(self.names)}) = {self.text}"

    def value(self, point: Sequence[float] | Array) -> float:
        return float(self.expression.evaluate(self._named(point))[-1].value)

    def slope(self, point: Array) -> tuple[float, Array]:
        """f and ∇f at a point; replayed from a recording where that is possible."""
        for memory, x in zip(self._point, point, strict=True):
            memory[...] = x
        with np.errstate(all="ignore"):
            self._bound()
        value, *slopes = (float(array) for array in self._bound.into)
        return value, np.array(slopes)

    @cached_property
    def _point(self) -> list[Array]:
        return [np.zeros(()) for _ in self.names]

    @cached_property
    def _bound(self) -> Bound:
        externals = [*self._point, *self.expression.constants.values(), ONE]
        into = [np.empty(()) for _ in range(1 + len(self.names))]
        step = partial(_slope, self.expression, self.names, self._point)
        return engine("auto").bind(step, externals, into)

    def curvature(self, point: Array) -> Array:
        """The Hessian at a point, (n, n)."""

        def of(theta: Tensor) -> Tensor:
            parts = {name: theta[i] for i, name in enumerate(self.names)}
            return self.expression.evaluate(parts)[-1]

        with np.errstate(all="ignore"):
            return np.asarray(hessian(of)(np.asarray(point, np.float64)).value)

    def eigenvalues(self, point: Array) -> Array:
        """Of the Hessian, the least first; of what descends, so of -f if f is maximized."""
        matrix = self.sign * self.curvature(point)
        if not np.isfinite(matrix).all():
            return np.full(len(matrix), np.nan)
        return np.linalg.eigvalsh(matrix)

    def on(self, *axes: Array) -> Array:
        """f on arrays of coordinates of one shape."""
        if self.spreads:
            values = dict(zip(self.names, axes, strict=True))
            return self.expression.evaluate(values)[-1].value
        flat = [self.value(point) for point in zip(*(a.ravel() for a in axes), strict=True)]
        return np.reshape(flat, axes[0].shape)

    @cached_property
    def spreads(self) -> bool:
        """Whether f of arrays is f of each entry: a sum over a list is not."""
        points = np.array([np.roll([0.3, 0.7, 1.1], n) + 0.05 * n for n in range(len(self.names))])
        try:
            got = self.expression.evaluate(dict(zip(self.names, points, strict=True)))[-1].value
        except ConfigError:
            return False
        alone = [self.value(point) for point in points.T]
        return got.shape == (3,) and bool(np.allclose(got, alone, equal_nan=True))

    def _named(self, point: Sequence[float] | Array) -> dict[str, float]:
        return {name: float(x) for name, x in zip(self.names, point, strict=True)}


ONE = np.ones(())


def _slope(
    expression: Expression, names: Sequence[str], memory: Sequence[Array]
) -> Sequence[Tensor]:
    """f and ∂f/∂x of each variable, at the point in ``memory``."""
    leaves = [Tensor(x, None, True) for x in memory]
    root = expression.evaluate(dict(zip(names, leaves, strict=True)))[-1]
    return [root, *backward(root, Tensor(ONE), leaves)]
