"""NumPy's sums, products, extremes and running sums, with all of their arguments."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd import ops
from backproplab.autograd.like_numpy.signatures import parameters, present
from backproplab.autograd.like_numpy.table import (
    RULES,
    Function,
    NoRuleError,
    of_op,
    plain,
    rule,
    used,
    without,
)
from backproplab.autograd.primitive import FUNCTIONS, lift, shape_of
from backproplab.autograd.tensor import Tensor

NOT = np._NoValue


def summary(function: Function, op: Function, nothing: Any = None, join: Any = None) -> Function:
    """The rule of a reduction, with dtype=, where= and initial=.

    nothing: the entry that changes no result, for what ``where`` leaves out.
    join: the op of two arrays that takes ``initial`` into the result.
    """
    first, *names = (p.name for p in parameters(function))

    def call(*args: Any, **kwargs: Any) -> Any:
        if not kwargs and len(args) == 1:
            return op(*args)
        a = args[0] if args else kwargs.pop(first)
        if len(args) > len(names) + 1:
            raise TypeError(f"{function.__name__}: {len(args)} arguments are too many")
        given = dict(zip(names, args[1:], strict=False)) | kwargs
        kind, hit = given.pop("dtype", None), given.pop("where", NOT)
        start = given.pop("initial", NOT)
        x = a if kind is None else ops.cast(a, dtype=kind)
        if hit is not NOT and hit is not True:
            _fits(hit, x)
            if nothing is None and start is NOT:
                raise ValueError(f"{function.__name__} with where= needs initial=")
            x = ops.where(hit, x, _in_type_of(x, start) if nothing is None else nothing)
        if start is not NOT and nothing is None and not np.size(plain(x)):
            raise NoRuleError(f"np.{function.__name__}: initial= of no entries has no rule")
        y = op(x, **_settings(given))
        return y if start is NOT or start is None else join(y, _in_type_of(y, start))

    return call


def _in_type_of(y: Any, x: Any) -> Any:
    """x in the type of y, as a reduction takes its initial value."""
    (y,) = lift(y)
    return ops.cast(x, dtype=y.dtype) if isinstance(x, Tensor) else np.asarray(x).astype(y.dtype)


def _fits(where: Any, x: Any) -> None:
    """ValueError unless ``where`` broadcasts to the shape of x."""
    if np.broadcast_shapes(shape_of(plain(where)), shape_of(x)) != shape_of(x):
        raise ValueError(f"where= of shape {shape_of(where)} does not fit {shape_of(x)}")


def _settings(given: dict[str, Any]) -> dict[str, Any]:
    said = used(given)
    return {key: value for key, value in said.items() if key != "keepdims" or value}


of_op(np.count_nonzero, np.ptp)
RULES |= {
    np.sum: summary(np.sum, ops.sum, 0, ops.add),
    np.prod: summary(np.prod, ops.prod, 1, ops.multiply),
    np.max: summary(np.max, ops.max, None, ops.maximum),
    np.min: summary(np.min, ops.min, None, ops.minimum),
    np.all: summary(np.all, ops.all, True),
    np.any: summary(np.any, ops.any, False),
    np.cumsum: summary(np.cumsum, ops.cumsum),
    np.cumprod: summary(np.cumprod, ops.cumprod),
}
RULES |= {np.amax: RULES[np.max], np.amin: RULES[np.min]}


def _counted(x: Tensor, hit: Any, axis: Any, keepdims: bool) -> Any:
    whole = np.broadcast_to(True if hit is NOT else plain(hit), x.shape)
    return np.sum(whole, axis=_axes(axis, x.ndim), keepdims=keepdims, dtype=x.dtype)


def _axes(axis: Any, ndim: int) -> Any:
    return tuple(range(ndim)) if axis is None else axis


def _yes(keepdims: Any) -> bool:
    return keepdims is not NOT and bool(keepdims)


def _floats(a: Any, dtype: Any) -> Tensor:
    (x,) = lift(a)
    if dtype is not None:
        return ops.cast(x, dtype=dtype)
    return x if x.dtype.kind == "f" else ops.cast(x, dtype=np.float64)


def _place(name: str) -> Function:
    """The rule of argmax and argmin."""

    def call(a: Any, axis: int | None = None, out: Any = None, *, keepdims: Any = NOT) -> Tensor:
        without(name, out=out)
        (x,) = lift(a)
        y = FUNCTIONS[name](x, axis=axis)
        if not _yes(keepdims):
            return y
        return ops.reshape(y, shape=[1] * x.ndim) if axis is None else ops.expand_dims(y, axis=axis)

    return call


RULES |= {np.argmax: _place("argmax"), np.argmin: _place("argmin")}


@rule(np.mean)
def _mean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT, *,
    where: Any = NOT,
) -> Tensor:  # fmt: skip
    without("mean", out=out)
    if dtype is None and (where is NOT or where is True):
        return ops.mean(a, axis=axis, keepdims=_yes(keepdims))
    x = _floats(a, dtype)
    _fits(True if where is NOT else where, x)
    kept = x if where is NOT else ops.where(where, x, 0)
    total = ops.sum(kept, axis=axis, keepdims=_yes(keepdims))
    return total / _counted(x, where, axis, _yes(keepdims))


@rule(np.var)
def _var(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = NOT, *, where: Any = NOT, mean: Any = NOT, correction: Any = NOT,
) -> Tensor:  # fmt: skip
    without("var", out=out)
    if correction is not NOT and ddof:
        raise ValueError("ddof and correction are two names of one argument")
    ddof, x, kept = ddof if correction is NOT else correction, _floats(a, None), _yes(keepdims)
    where = NOT if where is True else where
    _fits(True if where is NOT else where, x)
    if where is NOT and mean is NOT and dtype is None:
        return ops.var(x, axis=axis, ddof=ddof, keepdims=kept)
    center = _mean(x, axis, dtype, keepdims=True, where=where) if mean is NOT else mean
    squares = ops.square(x - center)
    squares = squares if dtype is None else ops.cast(squares, dtype=dtype)
    squares = squares if where is NOT else ops.where(where, squares, 0)
    count = np.maximum(_counted(squares, where, axis, kept) - ddof, 0)
    return ops.sum(squares, axis=axis, keepdims=kept) / count


@rule(np.std)
def _std(*args: Any, **settings: Any) -> Tensor:
    variance = _var(*args, **settings)
    return _root(variance)


def _root(x: Tensor) -> Tensor:
    """√x with derivative 0 at 0."""
    none = ops.equal(x, 0)
    return ops.where(none, 0.0, ops.sqrt(ops.where(none, 1.0, x)))


def _running(name: str) -> Function:
    """NumPy's cumulative_sum and cumulative_prod: one axis, and a first entry on request."""
    scan, start = FUNCTIONS["cumsum" if name.endswith("sum") else "cumprod"], int(name[-1] == "d")

    def call(
        x: Any, /, *, axis: int | None = None, dtype: Any = None, out: Any = None,
        include_initial: bool = False,
    ) -> Tensor:  # fmt: skip
        without(name, out=out)
        (x,) = lift(x if dtype is None else ops.cast(x, dtype=dtype))
        if axis is None:
            if x.ndim != 1:
                raise ValueError(f"{name} of {x.ndim} axes needs axis=")
            axis = 0
        y = scan(x, axis=axis)
        if not include_initial:
            return y
        first = np.full([1 if i == axis % x.ndim else n for i, n in enumerate(y.shape)], start)
        return ops.concatenate([first.astype(x.dtype), y], axis=axis)

    return call


RULES |= {f: _running(f.__name__) for f in present("cumulative_sum", "cumulative_prod")}


# --- without the NaNs


def _filled(a: Any, value: float) -> tuple[Tensor, Any]:
    (x,) = lift(a)
    hole = np.isnan(x.value)
    return (ops.where(hole, x.dtype.type(value), x) if hole.any() else x), hole


def _without_nan(function: Function, value: float) -> Function:
    summed = RULES[function]
    return lambda a, *args, **settings: summed(_filled(a, value)[0], *args, **settings)


RULES |= {
    np.nansum: _without_nan(np.sum, 0.0),
    np.nanprod: _without_nan(np.prod, 1.0),
    np.nancumsum: _without_nan(np.cumsum, 0.0),
    np.nancumprod: _without_nan(np.cumprod, 1.0),
}


def _extreme_without_nan(function: Function, value: float) -> Function:
    found = RULES[function]

    def call(
        a: Any, axis: Any = None, out: Any = None, keepdims: Any = NOT, initial: Any = NOT,
        where: Any = NOT,
    ) -> Tensor:  # fmt: skip
        without(function.__name__, out=out)
        if initial is not NOT or where is not NOT:
            raise NoRuleError(f"np.nan{function.__name__}: initial= and where= have no rule")
        x, hole = _filled(a, value)
        nothing = np.all(hole, axis=_axes(axis, x.ndim), keepdims=_yes(keepdims))
        return ops.where(nothing, np.nan, found(x, axis=axis, keepdims=_yes(keepdims)))

    return call


RULES |= {
    np.nanmax: _extreme_without_nan(np.max, -np.inf),
    np.nanmin: _extreme_without_nan(np.min, np.inf),
}


@rule(np.nanmean)
def _nanmean(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, keepdims: Any = NOT, *,
    where: Any = NOT,
) -> Tensor:  # fmt: skip
    return _mean(a, axis, dtype, out, keepdims, where=_numbers(a, where))


@rule(np.nanvar)
def _nanvar(
    a: Any, axis: Any = None, dtype: Any = None, out: Any = None, ddof: Any = 0,
    keepdims: Any = NOT, *, where: Any = NOT, mean: Any = NOT, correction: Any = NOT,
) -> Tensor:  # fmt: skip
    without("nanvar", mean=None if mean is NOT else mean)
    if correction is not NOT and ddof:
        raise ValueError("ddof and correction can't be provided simultaneously.")
    hit, ddof = _numbers(a, where), ddof if correction is NOT else correction
    (x,) = lift(a)
    free = _counted(x, hit, axis, _yes(keepdims)) - ddof
    y = _var(a, axis, dtype, out, ddof, keepdims, where=hit)
    return ops.where(free > 0, y, np.nan)


@rule(np.nanstd)
def _nanstd(*args: Any, **settings: Any) -> Tensor:
    return _root(_nanvar(*args, **settings))


def _numbers(a: Any, where: Any) -> Any:
    """Where a is a number, and ``where`` holds."""
    hit = ~np.isnan(plain(a))
    return hit if where is NOT else hit & plain(where)
