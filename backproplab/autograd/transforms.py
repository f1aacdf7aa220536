"""Functions of functions: gradients, products with Jacobians, Jacobians, Hessians.

Each is a few lines on backward(). There are no forward-mode rules: a vjp is linear in its
cotangent, so the vjp *of that vjp* is the jvp. All nest, to any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.backward import backward, reaches_beyond
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError

Function = Callable[..., Any]


def fresh_leaf(x: Any) -> Tensor:
    """x as a leaf to differentiate by: of whole numbers floats are made (the course's notes
    step an int array by 1e-4 and get 10000)."""
    if isinstance(x, Tensor) and x.tracked:
        return ops.leaf(x)
    value = np.asarray(x.value if isinstance(x, Tensor) else x)
    if value.dtype.kind not in "fiub":
        raise GraphError(f"cannot differentiate by an array of {value.dtype}: real numbers only")
    return Tensor(value if value.dtype.kind == "f" else value.astype(np.float64), None, True)


def settle(result: Tensor, own: Sequence[Tensor]) -> Tensor:
    """The result, free of a graph that only leads to the transform's own leaves."""
    return result if reaches_beyond(result, own) else Tensor(result.value)


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """``(f(*xs), ∂f/∂x)`` for a function with one number as its result.

    argnums: the position of x, or several; then the gradients come as a tuple.
    Raises GraphError if the result is not a single number.
    """

    def wrapped(*xs: Any, **settings: Any) -> tuple[Tensor, Any]:
        positions = [argnums] if isinstance(argnums, int) else list(argnums)
        leaves = {p % len(xs): fresh_leaf(xs[p]) for p in positions}
        y = _tensor(function(*[leaves.get(i, x) for i, x in enumerate(xs)], **settings))
        if y.size != 1:
            raise GraphError(
                f"a gradient needs one number as result, got shape {y.shape}: use vjp or jacobian"
            )
        own = [leaves[p % len(xs)] for p in positions]
        gradients = backward(y, Tensor(np.ones_like(y.value)), own)
        return settle(y, own), gradients[0] if isinstance(argnums, int) else tuple(gradients)

    return wrapped


def grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """∂f/∂x as a function: ``grad(f)(x)``. See value_and_grad."""
    both = value_and_grad(function, argnums)
    return lambda *xs, **settings: both(*xs, **settings)[1]


def vjp(function: Function, *xs: Any) -> tuple[Tensor, Callable[[Any], tuple[Tensor, ...]]]:
    """``(y, pullback)``: pullback(u) gives uᵀ ∂y/∂x for each x, in one backward pass."""
    leaves = [fresh_leaf(x) for x in xs]
    y = _tensor(function(*leaves))

    def pullback(cotangent: Any) -> tuple[Tensor, ...]:
        return tuple(backward(y, _like(cotangent, y, "cotangent"), leaves))

    return settle(y, leaves), pullback


def jvp(
    function: Function, primals: Sequence[Any], tangents: Sequence[Any]
) -> tuple[Tensor, Tensor]:
    """``(y, ∂y/∂x · v)``: the derivative of y along the tangents v, by the vjp of the vjp."""
    leaves = [fresh_leaf(x) for x in primals]
    y = _tensor(function(*leaves))
    u = Tensor(np.zeros_like(y.value), None, True)
    pulled = backward(y, u, leaves)
    directions = [_like(v, x, "tangent") for v, x in zip(tangents, leaves, strict=True)]
    along = ops.leaf(0.0)
    for part, v in zip(pulled, directions, strict=True):
        along = along + ops.sum(part * v)
    (tangent,) = backward(along, Tensor(np.ones_like(along.value)), [u])
    own = [*leaves, u]
    return settle(y, leaves), settle(tangent, own)


def jacobian(function: Function, argnums: int = 0) -> Function:
    """∂y/∂x of shape ``y.shape + x.shape``, one backward pass for each entry of y."""

    def wrapped(*xs: Any) -> Tensor:
        leaf = fresh_leaf(xs[argnums])
        y = _tensor(function(*[leaf if i == argnums % len(xs) else x for i, x in enumerate(xs)]))
        rows = [backward(y, Tensor(seed), [leaf])[0] for seed in _unit_seeds(y)]
        if not rows:
            return Tensor(np.zeros(y.shape + leaf.shape, leaf.dtype))
        return ops.reshape(ops.stack(*rows), shape=y.shape + leaf.shape)

    return wrapped


def hessian(function: Function, argnums: int = 0) -> Function:
    """∂²f/∂x² of shape ``x.shape + x.shape``: the Jacobian of the gradient."""
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Function, x: Any, v: Any) -> Tensor:
    """H v without H: by symmetry the vjp of the gradient."""
    _, pullback = vjp(grad(function), x)
    return pullback(v)[0]


def _unit_seeds(y: Tensor) -> Any:
    for position in range(y.size):
        seed = np.zeros(y.size, y.dtype)
        seed[position] = 1
        yield seed.reshape(y.shape)


def _tensor(y: Any) -> Tensor:
    return y if isinstance(y, Tensor) else Tensor(np.asarray(y))


def _like(v: Any, x: Tensor, what: str) -> Tensor:
    """v as a tensor of the type of x; its shape must be that of x."""
    vector = v if isinstance(v, Tensor) else Tensor(np.asarray(v, dtype=x.dtype))
    if vector.shape != x.shape:
        raise GraphError(f"the {what} has shape {vector.shape}, expected {x.shape}")
    return vector
