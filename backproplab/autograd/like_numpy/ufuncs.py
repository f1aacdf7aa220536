"""NumPy's ufuncs that are no op of their own, and the methods that every ufunc has."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.signatures import present
from backproplab.autograd.like_numpy.table import (
    Function,
    NoRuleError,
    plain,
    rule,
    rule_of,
    used,
    without,
)
from backproplab.autograd.primitive import lift, shape_of
from backproplab.autograd.tensor import Tensor

NOT = np._NoValue


@rule(np.divmod)
def _divmod(a: Any, b: Any, /) -> tuple[Tensor, Tensor]:
    return ops.floor_divide(a, b), ops.remainder(a, b)


@rule(np.modf)
def _modf(x: Any, /) -> tuple[Tensor, Tensor]:
    whole = ops.trunc(x)
    return ops.where(
        ops.isinf(x), ops.copysign(0.0, x), x - ops.where(ops.isinf(x), 0.0, whole)
    ), whole


@rule(np.frexp)
def _frexp(x: Any, /) -> tuple[Tensor, Any]:
    _, exponent = np.frexp(plain(x))
    return _ldexp(x, -exponent), exponent


@rule(np.ldexp)
def _ldexp(x: Any, n: Any, /) -> Tensor:
    (x,), n = lift(x), np.asarray(plain(n))
    half = n // 2  # 2ⁿ may overflow where x 2ⁿ does not
    return x * np.ldexp(x.dtype.type(1), half) * np.ldexp(x.dtype.type(1), n - half)


@rule(np.conjugate)
def _conjugate(x: Any, /) -> Tensor:
    return ops.positive(x)


@rule(np.matmul)
def _matmul(a: Any, b: Any, /, **settings: Any) -> Tensor:
    used(settings)
    return ops.matmul(a, b)


@rule(np.clip)
def _clip(
    a: Any, a_min: Any = NOT, a_max: Any = NOT, out: Any = None, *,
    min: Any = NOT, max: Any = NOT, **settings: Any,
) -> Tensor:  # fmt: skip
    without("clip", out=out)
    used(settings)
    if not (a_min is NOT and a_max is NOT) and not (min is NOT and max is NOT):
        raise ValueError("clip: a_min and a_max are other names of min and max")
    low, high = (min if a_min is NOT else a_min), (max if a_max is NOT else a_max)
    return ops.clip(a, *[None if bound is NOT else bound for bound in (low, high)])


@rule(np.nan_to_num)
def _nan_to_num(
    x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None
) -> Tensor:
    if not copy:
        raise NoRuleError("np.nan_to_num: copy=False changes x in place, which a tensor cannot be")
    return ops.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)


@rule(np.round, np.around)
def _round(a: Any, decimals: int = 0, out: Any = None) -> Tensor:
    without("round", out=out)
    return ops.round(a, decimals=decimals)


@rule(np.fix)
def _fix(x: Any, out: Any = None) -> Tensor:
    without("fix", out=out)
    return ops.trunc(x)


@rule(np.sinc)
def _sinc(x: Any) -> Tensor:
    return ops.sinc(x)


@rule(np.i0)
def _i0(x: Any) -> Tensor:
    return ops.i0(x)


@rule(np.vecdot, np.linalg.vecdot)
def _vecdot(a: Any, b: Any, /, *, axis: int = -1, **settings: Any) -> Tensor:
    used(settings)
    if axis != -1:
        a, b = (ops.moveaxis(x, source=axis, destination=-1) for x in (a, b))
    _same_length(a, b, -1)
    products = ops.multiply(a, b)
    return (ops.any if products.dtype == bool else ops.sum)(products, axis=-1)


@rule(*present("matvec"))
def _matvec(a: Any, b: Any, /, **settings: Any) -> Tensor:
    used(settings)
    if len(shape_of(a)) < 2 or shape_of(a)[-1:] != shape_of(b)[-1:]:
        raise ValueError(f"matvec: {shape_of(a)} and {shape_of(b)} are no matrix and vector")
    return ops.matmul(a, ops.expand_dims(b, axis=-1))[..., 0]


@rule(*present("vecmat"))
def _vecmat(a: Any, b: Any, /, **settings: Any) -> Tensor:
    used(settings)
    if len(shape_of(b)) < 2 or shape_of(a)[-1:] != shape_of(b)[-2:-1]:
        raise ValueError(f"vecmat: {shape_of(a)} and {shape_of(b)} are no vector and matrix")
    return ops.matmul(ops.expand_dims(a, axis=-2), b)[..., 0, :]


def _same_length(a: Any, b: Any, axis: int) -> None:
    if shape_of(a)[axis] != shape_of(b)[axis]:
        raise ValueError(f"the axes of {shape_of(a)} and {shape_of(b)} differ in length")


# --- methods of a ufunc of two arrays

REDUCTIONS: dict[Function, Function] = {
    np.add: np.sum, np.multiply: np.prod, np.maximum: np.max, np.minimum: np.min,
    np.logical_and: np.all, np.logical_or: np.any,
}  # fmt: skip
FOLDED = (np.add, np.subtract, np.multiply, np.divide, np.maximum, np.minimum, np.fmax, np.fmin,
          np.logaddexp, np.logaddexp2, np.hypot)  # fmt: skip
SCANS: dict[Function, Function] = {np.add: np.cumsum, np.multiply: np.cumprod}


def _reduce(ufunc: np.ufunc, array: Any, axis: Any = 0, *args: Any, **settings: Any) -> Any:
    words = dict(zip(("dtype", "out", "keepdims", "initial", "where"), args, strict=False))
    settings = words | settings
    if ufunc in REDUCTIONS:
        given = {key: value for key, value in settings.items() if value is not None}
        return rule_of(REDUCTIONS[ufunc])(array, axis=axis, **given)
    if used(settings).get("keepdims") or not isinstance(axis, int):
        raise NoRuleError(f"np.{ufunc.__name__}.reduce has a rule over one axis, without keepdims")
    return _accumulated(ufunc, array, axis)[-1]


def _accumulate(ufunc: np.ufunc, array: Any, axis: int = 0, *args: Any, **settings: Any) -> Any:
    settings = dict(zip(("dtype", "out"), args, strict=False)) | settings
    if ufunc in SCANS:
        return rule_of(SCANS[ufunc])(array, axis=axis, **settings)
    used(settings)
    return ops.stack(_accumulated(ufunc, array, axis), axis=axis)


def _accumulated(ufunc: np.ufunc, array: Any, axis: int) -> list[Tensor]:
    if ufunc not in FOLDED:
        names = ", ".join(f.__name__ for f in FOLDED)
        raise NoRuleError(f"np.{ufunc.__name__} has no rule over an axis; these have: {names}")
    (x,), function = lift(array), rule_of(ufunc)
    if not shape_of(x)[axis]:
        raise NoRuleError(f"np.{ufunc.__name__}: no entries along axis {axis}")
    entries = list(ops.moveaxis(x, source=axis, destination=0))
    results = entries[:1]
    for entry in entries[1:]:
        results.append(function(results[-1], entry))
    return results


def _outer(ufunc: np.ufunc, a: Any, b: Any, **settings: Any) -> Any:
    if ufunc.signature:
        raise NoRuleError(f"np.{ufunc.__name__}.outer has no rule for tensors")
    column = ops.reshape(a, shape=shape_of(a) + (1,) * len(shape_of(b)))
    return rule_of(ufunc)(column, b, **settings)


def _reduceat(ufunc: np.ufunc, array: Any, indices: Any, axis: int = 0, **settings: Any) -> Any:
    used(settings)
    (x,), starts = lift(array), [int(i) for i in plain(indices)]
    if not all(0 <= i < x.shape[axis] for i in starts):
        raise IndexError(f"reduceat: the indices {starts} are not all below {x.shape[axis]}")
    ends = [*starts[1:], x.shape[axis]]
    front = ops.moveaxis(x, source=axis, destination=0)
    pieces = [front[i : max(j, i + 1)] for i, j in zip(starts, ends, strict=True)]
    return ops.stack([_reduce(ufunc, piece) for piece in pieces], axis=axis)


def _at(ufunc: np.ufunc, *args: Any) -> Any:
    raise NoRuleError(
        f"np.{ufunc.__name__}.at has no rule for tensors: it writes into an array. "
        "Add with ops.scatter(x, index=…)"
    )


METHODS: dict[str, Function] = {
    "reduce": _reduce, "accumulate": _accumulate, "outer": _outer, "reduceat": _reduceat,
    "at": _at,
}  # fmt: skip
