"""Roots, fixed points and linear systems, with derivatives that do not need the solver's steps.

If F(x*, a) = 0, then ∂x*/∂a = -(∂F/∂x)⁻¹ ∂F/∂a: a cotangent g of x* becomes u with
(∂F/∂x)ᵀ u = -g, and uᵀ ∂F/∂a is the cotangent of a. The rules are written with transforms, so
they can be differentiated again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.ops.linalg import flipped, solve
from backproplab.autograd.ops.shapes import reshape
from backproplab.autograd.primitive import Op, Rule, apply, lift
from backproplab.autograd.tensor import Tensor
from backproplab.autograd.transforms import jacobian, jvp, vjp
from backproplab.errors import GraphError

Method = Literal["dense", "gmres"]
Equation = Callable[..., Any]


def root(
    equation: Equation, guess: Any, *parameters: Any, solver: Method = "dense",
    tolerance: float = 1e-12, steps: int = 100,
) -> Tensor:  # fmt: skip
    """x with ``equation(x, *parameters) = 0``, found by Newton's method from ``guess``.

    solver: how linear systems are solved: ``dense`` builds the Jacobian, ``gmres`` only
        multiplies by it.

    Raises GraphError if no root is found within ``steps``.
    """

    def forward(*arrays: Array, out: Array | None = None) -> Array:
        x, values = np.array(guess, dtype=np.float64), [Tensor(a) for a in arrays]
        for _ in range(steps):
            residual = _value(equation(Tensor(x), *values))
            step = _newton_step(equation, x, values, residual, solver)
            x = x - step
            size = np.max(np.abs(x), initial=1.0)
            if np.max(np.abs(step), initial=0.0) <= tolerance * size:
                return x
        raise GraphError(
            f"no root within {steps} Newton steps; last step {np.max(np.abs(step)):.1e}"
        )

    return _implicit(equation, forward, parameters, solver)


def fixed_point(
    function: Equation, guess: Any, *parameters: Any, solver: Method = "dense",
    tolerance: float = 1e-12, steps: int = 100_000,
) -> Tensor:  # fmt: skip
    """x with ``function(x, *parameters) = x``, by iteration from ``guess``.

    The iteration ends when no entry changes by more than ``tolerance``. Raises GraphError if that
    does not happen within ``steps``. The derivative is that of the root of x - function(x).
    """

    def forward(*arrays: Array, out: Array | None = None) -> Array:
        x, values = np.array(guess, dtype=np.float64), [Tensor(a) for a in arrays]
        for _ in range(steps):
            after = _value(function(Tensor(x), *values))
            if np.max(np.abs(after - x), initial=0.0) <= tolerance:
                return after
            x = after
        raise GraphError(f"no fixed point within {steps} iterations")

    return _implicit(lambda x, *a: x - function(x, *a), forward, parameters, solver)


def linear_solve(product: Equation, b: Any, *parameters: Any) -> Tensor:
    """x with ``product(x, *parameters) = b`` for a linear product, by GMRES: no matrix is built."""

    def rule(position: int) -> Rule:
        def pull(g: Tensor, x: Tensor, *inputs: Tensor) -> Tensor:
            u = linear_solve(_transposed(product, x.shape), g, *inputs[1:])
            if position == 0:
                return u
            _, pullback = vjp(lambda *a: product(x, *a), *inputs[1:])
            return -pullback(u)[position - 1]

        return pull

    def forward(b: Array, *arrays: Array, out: Array | None = None) -> Array:
        values = [Tensor(a) for a in arrays]
        return _gmres(lambda x: _value(product(Tensor(x), *values)), b)

    return apply(Op("linear_solve", forward, rule, (), "a solution by GMRES"), b, *parameters)


def _implicit(
    equation: Equation, forward: Callable[..., Array], parameters: tuple[Any, ...], solver: Method
) -> Tensor:
    if solver not in get_args(Method):
        raise GraphError(f"solver must be one of {get_args(Method)}, got {solver!r}")

    def rule(position: int) -> Rule:
        def pull(g: Tensor, x: Tensor, *inputs: Tensor) -> Tensor:
            u = _adjoint(equation, x, inputs, g, solver)
            _, pullback = vjp(lambda *a: equation(x, *a), *inputs)
            return -pullback(u)[position]

        return pull

    return apply(
        Op("implicit", forward, rule, (), "the solution of an equation"), *lift(*parameters)
    )


def _adjoint(
    equation: Equation, x: Tensor, inputs: tuple[Tensor, ...], g: Tensor, solver: Method
) -> Tensor:
    """u with (∂F/∂x)ᵀ u = g."""
    if solver == "dense":
        n = x.size
        matrix = reshape(jacobian(lambda x: equation(x, *inputs))(x), shape=(n, n))
        return reshape(solve(flipped(matrix), reshape(g, shape=n)), shape=x.shape)

    def product(u: Tensor, x: Tensor, *a: Tensor) -> Tensor:
        pulled: Tensor = vjp(lambda x: equation(x, *a), x)[1](u)[0]
        return pulled

    return linear_solve(product, g, x, *inputs)


def _transposed(product: Equation, shape: tuple[int, ...]) -> Equation:
    """The transpose of a linear product: its vjp, at any point."""
    return lambda u, *a: vjp(lambda x: product(x, *a), np.zeros(shape))[1](u)[0]


def _newton_step(
    equation: Equation, x: Array, values: list[Tensor], residual: Array, solver: Method
) -> Array:
    if solver == "gmres":
        return _gmres(lambda v: _value(jvp(lambda x: equation(x, *values), [x], [v])[1]), residual)
    matrix = jacobian(lambda x: equation(x, *values))(x).value.reshape(x.size, x.size)
    try:
        return np.linalg.solve(matrix, residual.ravel()).reshape(x.shape)
    except np.linalg.LinAlgError:
        raise GraphError("Newton's method reached a singular Jacobian: try another guess") from None


def _gmres(product: Callable[[Array], Array], b: Array) -> Array:
    from scipy.sparse.linalg import LinearOperator, gmres

    shape = b.shape
    operator = LinearOperator(
        (b.size, b.size), matvec=lambda v: product(v.reshape(shape)).ravel(), dtype=np.float64
    )
    x, trouble = gmres(
        operator, b.ravel(), rtol=1e-13, atol=0.0, restart=max(b.size, 1), maxiter=50
    )
    if trouble:
        raise GraphError("GMRES does not converge: the equation is singular or badly scaled")
    return np.asarray(x).reshape(shape)


def _value(y: Any) -> Array:
    """The result of an equation as an array. Raises GraphError if it is tracked."""
    if isinstance(y, Tensor) and y.tracked:
        raise GraphError("the equation uses a tracked tensor that is not a parameter: pass it in")
    return np.asarray(y.value if isinstance(y, Tensor) else y)
