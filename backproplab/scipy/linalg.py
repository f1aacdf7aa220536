"""scipy.linalg on tensors: triangular and banded systems, square roots, Sylvester's equation."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.autograd.lowering import into
from backproplab.autograd.primitive import Op, primitive, shape_of
from backproplab.autograd.samples import sample
from backproplab.errors import GraphError
from backproplab.scipy.others import scipys


def solve_triangular(a: Any, b: Any, trans: Any = 0, lower: bool = False, **words: Any) -> Tensor:
    """x with a x = b (trans 1: aᵀ x = b), from the upper or lower triangle of a alone."""
    if words.get("unit_diagonal"):
        raise GraphError("solve_triangular: unit_diagonal has no rule for tensors")
    triangle = ops.tril(a) if lower else ops.triu(a)
    if trans not in (0, "N"):
        triangle = ops.swapaxes(triangle, axis1=-1, axis2=-2)
    return ops.solve(triangle, b)


def solve_banded(l_and_u: tuple[int, int], ab: Any, b: Any, **words: Any) -> Tensor:
    """x with a x = b, for a matrix of which the bands are the rows of ``ab``."""
    below, above = l_and_u
    n = shape_of(ab)[1]
    if shape_of(ab)[0] != below + above + 1:
        raise ValueError(f"{below} + {above} + 1 bands, got {shape_of(ab)[0]}")
    row, column = np.indices((n, n))
    at = above + row - column
    within = (at >= 0) & (at <= below + above)
    return ops.solve(
        ops.where(within, ops.take(ab, index=(np.where(within, at, 0), column)), 0.0), b
    )


def solve_sylvester(a: Any, b: Any, q: Any) -> Tensor:
    """x with a x + x b = q."""
    return _sylvester(a, b, q)


def sqrtm(A: Any) -> Tensor:
    """The principal square root of a matrix. GraphError if it is complex."""
    return _root(A)


def _solved(a: Any, b: Any, q: Any) -> Any:
    from scipy.linalg import solve_sylvester

    return solve_sylvester(a, b, q)


def _square_root(x: Any) -> Any:
    from scipy.linalg import sqrtm

    y = sqrtm(x)
    if np.iscomplexobj(y):
        raise GraphError("sqrtm: the root is complex, and a tensor is real")
    return y


def _turned(x: Any) -> Tensor:
    return ops.swapaxes(x, axis1=-1, axis2=-2)


def _system(rng: np.random.Generator) -> tuple[Any, ...]:
    a, b = rng.standard_normal((3, 3)) + 4 * np.eye(3), rng.standard_normal((2, 2)) + 4 * np.eye(2)
    return a, b, rng.standard_normal((3, 2))


_sylvester: Op = primitive(
    "sylvester",
    into(_solved),
    vjp=[  # with z of aᵀ z + z bᵀ = g
        lambda g, y, a, b, q: -(_sylvester(_turned(a), _turned(b), g) @ _turned(y)),
        lambda g, y, a, b, q: -(_turned(y) @ _sylvester(_turned(a), _turned(b), g)),
        lambda g, y, a, b, q: _sylvester(_turned(a), _turned(b), g),
    ],
    samples=sample(_system),
    doc="x with a x + x b = q.",
)
_root = primitive(
    "matrix_root",
    into(_square_root),
    vjp=[lambda g, y, x: _sylvester(_turned(y), _turned(y), g)],
    samples=sample(lambda rng: (rng.standard_normal((3, 3)) + 4 * np.eye(3),)),
    doc="The principal square root of a matrix.",
)


def __getattr__(name: str) -> Any:
    return scipys("linalg", name)
