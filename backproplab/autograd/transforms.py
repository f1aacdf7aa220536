"""Functions of functions: gradients, products with Jacobians, Jacobians, Hessians.

Each is a few lines on backward(). There are no forward-mode rules: a vjp is linear in its
cotangent, so the vjp *of that vjp* is the jvp. All can be nested, to any order. Arguments and
results may be containers of arrays (trees.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from operator import index
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.backward import backward, reaches_beyond, swept
from backproplab.autograd.each_unit import for_each_unit, is_known
from backproplab.autograd.ops.indexing import concatenate, stack
from backproplab.autograd.ops.reductions import sum as add_up
from backproplab.autograd.ops.shapes import leaf, reshape, transpose
from backproplab.autograd.tensor import Tensor
from backproplab.autograd.trees import aligned, leaves, mapped, rebuild, tensors
from backproplab.errors import GraphError

Function = Callable[..., Any]
ONE = Tensor(1.0)
FEW = 3  # a Jacobian with fewer rows is computed sooner one by one


def fresh_leaf(x: Any) -> Tensor:
    """x as a leaf to differentiate by; whole numbers become floats (in the course's notes a step
    of 1e-4 on an int array gives 10000)."""
    if isinstance(x, Tensor) and x.tracked:
        return leaf(x)
    new = Tensor(x.value if isinstance(x, Tensor) else x, None, True)
    if new.value.dtype.kind != "f":
        new.value = new.value.astype(np.float64)
    return new


def settle(result: Any, own: Sequence[Tensor]) -> Any:
    """The result, without its graph if that depends on no other leaf than the transform's own."""
    return mapped(lambda y: y if reaches_beyond(y, own) else Tensor(y.value), _as_tensors(result))


def set_tracked(own: Sequence[Tensor], value: bool) -> None:
    """Set whether a transform's own leaves are tracked: False when the transform has finished.

    A result with an outer graph still refers to them, and the outer transform must not
    differentiate by them.
    """
    for x in own:
        if x.node is None:
            x.tracked = value


def called(function: Function, *xs: Any, **settings: Any) -> Any:
    """The function's result. ``w[i] = tensor`` raises GraphError, which NumPy replaces by its own
    ValueError: here the cause is raised."""
    try:
        return function(*xs, **settings)
    except (ValueError, TypeError) as error:
        if isinstance(error.__cause__, GraphError):
            raise error.__cause__ from None
        raise


def value_and_grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """``(f(*xs), ∂f/∂x)`` as a function, for an f whose result is one number.

    argnums: the position of x, or several positions, for a tuple of gradients. The gradient of a
        container of arrays is a container of gradients.

    The function raises GraphError if the result is not a single number.
    """

    in_one = isinstance(argnums, int) or not isinstance(argnums, Sequence)
    positions = [index(argnums)] if in_one else list(argnums)  # type: ignore[arg-type]

    def wrapped(*xs: Any, **settings: Any) -> tuple[Tensor, Any]:
        given = list(xs)
        for p in positions:
            given[p] = mapped(fresh_leaf, xs[p])
        y = _one_number(called(function, *given, **settings))
        chosen = [given[p] for p in positions]
        own = [x for tree in chosen for x in leaves(tree)]
        sweep, beyond = swept(y, Tensor(np.array(1, y.dtype).reshape(y.shape)), own)
        found = iter(sweep)
        gradients = [rebuild(tree, found) for tree in chosen]
        if beyond:
            gradients = [settle(tree, own) for tree in gradients]
        value = y if beyond else Tensor(y.value)
        set_tracked(own, False)
        return value, gradients[0] if in_one else tuple(gradients)

    return wrapped


def grad(function: Function, argnums: int | Sequence[int] = 0) -> Function:
    """∂f/∂x as a function: ``grad(f)(x)``. See value_and_grad."""
    both = value_and_grad(function, argnums)
    return lambda *xs, **settings: both(*xs, **settings)[1]


def vjp(function: Function, *xs: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """``(y, pullback)``: pullback(u) returns uᵀ ∂y/∂x for each x, by one backward pass."""
    trees = [mapped(fresh_leaf, x) for x in xs]
    own = [x for tree in trees for x in leaves(tree)]
    y = _as_tensors(called(function, *trees))

    value = settle(y, own)
    set_tracked(own, False)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        set_tracked(own, True)
        ys = tensors(y)
        us = [_like(u, part, "cotangent") for u, part in _paired(cotangent, y, ys)]
        root, seed = (ys[0], us[0]) if len(ys) == 1 else (_sum_of_products(us, ys), ONE)
        sweep, beyond = swept(root, seed, own)
        found = iter(sweep)
        cotangents = [rebuild(tree, found) for tree in trees]
        if beyond or seed.tracked:
            cotangents = [settle(tree, own) for tree in cotangents]
        set_tracked(own, False)
        return tuple(cotangents)

    return value, pullback


def jvp(function: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """``(y, ∂y/∂x · v)``: the derivative of y along the tangents v, by the vjp of the vjp."""
    trees = [mapped(fresh_leaf, x) for x in primals]
    own = [x for tree in trees for x in leaves(tree)]
    y = _as_tensors(called(function, *trees))
    ys = tensors(y)
    us = [Tensor(np.zeros_like(part.value), None, True) for part in ys]
    pulled = backward(_sum_of_products(us, ys), Tensor(np.ones(())), own)
    vs = [v for tangent, tree in zip(tangents, trees, strict=True) for v in _vectors(tangent, tree)]
    along = _sum_of_products(pulled, vs)
    rates = backward(along, Tensor(np.ones_like(along.value)), us)
    value, rate = settle(y, own), settle(rebuild(y, iter(rates)), [*own, *us])
    set_tracked([*own, *us], False)
    return value, rate


def jacobian(function: Function, argnums: int = 0) -> Function:
    """∂y/∂x as a function, of shape ``y.shape + x.shape``: one pass per entry of the smaller of
    y and x, all of them at once where every op is of the registry."""

    def wrapped(*xs: Any) -> Tensor:
        at = argnums % len(xs)
        x = fresh_leaf(xs[at])

        def only(x: Tensor) -> Tensor:
            given = [x if i == at else v for i, v in enumerate(xs)]
            (y,) = tensors(_as_tensors(called(function, *given)))
            return y

        y = only(x)
        whole = _at_once(y, x)
        if whole is not None:
            set_tracked([x], False)
            return Tensor(whole)
        if x.size < y.size:
            return _by_columns(only, xs[at], y)
        rows = [backward(y, Tensor(seed), [x])[0] for seed in _unit_vectors(y)]
        if not rows:
            return Tensor(np.zeros(y.shape + x.shape, x.dtype))
        result: Tensor = settle(reshape(stack(rows), shape=y.shape + x.shape), [x])
        set_tracked([x], False)
        return result

    return wrapped


def hessian(function: Function, argnums: int = 0) -> Function:
    """∂²f/∂x² as a function, of shape ``x.shape + x.shape``: the Jacobian of the gradient."""
    return jacobian(grad(function, argnums), argnums)


def hvp(function: Function, x: Any, v: Any) -> Any:
    """H v without computing H: by symmetry the vjp of the gradient."""
    _, pullback = vjp(grad(function), x)
    return pullback(v)[0]


def ggnvp(function: Function, loss: Function, x: Any, v: Any) -> Any:
    """Jᵀ H J v of ``loss(function(x))``: the generalized Gauss-Newton matrix times v.

    J is the Jacobian of ``function``, H the Hessian of ``loss`` at its result. The matrix is
    positive semidefinite if the loss is convex. Schraudolph 2002.
    """
    y, along = jvp(function, [x], [v])
    _, pullback = vjp(function, x)
    return pullback(hvp(loss, y, along))[0]


def _at_once(y: Tensor, x: Tensor) -> Array | None:
    """The Jacobian with all rows, or all columns, along a leading axis; None if it is to have a
    graph, is small, or has an op that is not of the registry."""
    if min(x.size, y.size) < FEW or reaches_beyond(y, [x]) or not is_known(y):
        return None
    if x.size < y.size:
        along = Tensor(next(_unit_vectors(x)), None, True)
        columns = for_each_unit(_rate(y, x, along), along)
        return None if columns is None else np.moveaxis(columns, 0, -1).reshape(y.shape + x.shape)
    seed = Tensor(next(_unit_vectors(y)), None, True)
    rows = for_each_unit(backward(y, seed, [x])[0], seed)
    return None if rows is None else rows.reshape(y.shape + x.shape)


def _rate(y: Tensor, x: Tensor, along: Tensor) -> Tensor:
    """∂y/∂x · along, with a graph from ``along``: the vjp of the vjp."""
    u = Tensor(np.zeros_like(y.value), None, True)
    product = add_up(backward(y, u, [x])[0] * along)
    return backward(product, Tensor(np.ones_like(product.value)), [u])[0]


def _by_columns(function: Function, given: Any, y: Tensor) -> Tensor:
    x = given if isinstance(given, Tensor) else Tensor(np.asarray(given, y.dtype))
    if not x.size:
        return Tensor(np.zeros(y.shape + x.shape, y.dtype))
    columns = [jvp(function, [x], [seed])[1] for seed in _unit_vectors(x)]
    flat = concatenate([reshape(c, shape=(1, y.size)) for c in columns])
    return reshape(transpose(flat), shape=y.shape + x.shape)


def _unit_vectors(y: Tensor) -> Iterator[Any]:
    for position in range(y.size):
        seed = np.zeros(y.size, y.dtype)
        seed[position] = 1
        yield seed.reshape(y.shape)


def _sum_of_products(us: Sequence[Tensor], ys: Sequence[Tensor]) -> Tensor:
    """Σ <u, y> over all pairs."""
    total = leaf(0.0)
    for u, y in zip(us, ys, strict=True):
        total = total + add_up(u * y)
    return total


def _as_tensors(y: Any) -> Any:
    return mapped(lambda part: part if isinstance(part, Tensor) else Tensor(part), y)


def _one_number(y: Any) -> Tensor:
    if type(y) is Tensor and y.value.size == 1 and y.value.dtype != bool:
        return y
    parts = tensors(_as_tensors(y))
    if len(parts) == 1 and parts[0].dtype == bool:
        raise GraphError("a gradient needs a number as result, got a truth value")
    if len(parts) == 1 and parts[0].size == 1:
        return parts[0]
    got = f"shape {parts[0].shape}" if len(parts) == 1 else f"{len(parts)} arrays"
    raise GraphError(f"a gradient needs one number as result, got {got}: use vjp or jacobian")


def _vectors(tangent: Any, tree: Any) -> list[Tensor]:
    return [_like(v, x, "tangent") for v, x in _paired(tangent, tree, leaves(tree))]


def _paired(given: Any, tree: Any, parts: list[Tensor]) -> list[tuple[Any, Tensor]]:
    """(given value, part) for each part of a tree. Raises GraphError if the structures differ."""
    try:
        return list(zip(aligned(given, tree), parts, strict=True))
    except ValueError as error:
        raise GraphError(f"the container does not fit: {error}") from None


def _like(v: Any, x: Tensor, what: str) -> Tensor:
    """v as a tensor of the type of x. Raises GraphError if its shape is not that of x."""
    vector = v if isinstance(v, Tensor) else Tensor(Tensor(v).value.astype(x.dtype, copy=False))
    if vector.shape != x.shape:
        raise GraphError(f"the {what} has shape {vector.shape}, expected {x.shape}")
    return vector
