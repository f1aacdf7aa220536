"""NumPy's functions that move entries and change none: joining, cutting, turning, choosing.

Such a function is called on the *places* of the entries, whole numbers in the shape of the arrays,
and the entries are taken from the places that it returns. So every argument has NumPy's meaning,
and the gradient of an entry goes back to its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import ops
from backproplab.autograd.like_numpy.signatures import parameters, present
from backproplab.autograd.like_numpy.table import (
    RULES,
    Function,
    NoRuleError,
    of_op,
    plain,
    rule,
    tracked_in,
    used,
    without,
)
from backproplab.autograd.primitive import lift
from backproplab.autograd.tensor import Tensor

NOWHERE = 0  # the place of a zero that NumPy puts between the entries


class Places:
    """The places of the entries of several arrays, counted from 1 over all of them."""

    def __init__(self) -> None:
        self.arrays: list[Any] = []
        self.count = 1

    def of(self, x: Any) -> Any:
        """The places of an array, or of each array in a list."""
        if isinstance(x, list | tuple):
            return [self.of(part) for part in x]
        x = x if isinstance(x, Tensor) else np.asarray(x)
        places = np.arange(self.count, self.count + x.size).reshape(x.shape)
        self.arrays.append(x)
        self.count += x.size
        return places

    def entries(self, places: Any) -> Any:
        """The entries at these places, or at those of each array of a sequence."""
        if isinstance(places, list | tuple):
            return type(places)([self.entries(part) for part in places])
        flat = [ops.ravel(x) for x in self.arrays]
        if len(flat) == 1 and places.size and places.min() > NOWHERE:
            return ops.take(flat[0], index=(places - 1,))
        zero = np.zeros(1, np.result_type(*[x.dtype for x in flat]))
        return ops.take(ops.concatenate([zero, *flat]), index=(places,))


def moving(function: Function, *data: str) -> Function:
    """The rule of a function that moves the entries of its arguments named ``data``."""
    names = [p.name for p in parameters(function)]

    def call(*args: Any, **kwargs: Any) -> Any:
        if len(args) > len(names):
            raise TypeError(f"{function.__name__} takes {len(names)} arguments, got {len(args)}")
        given = dict(zip(names, args, strict=False)) | kwargs
        without(function.__name__, out=given.pop("out", None))
        places = Places()
        moved = {name: places.of(given[name]) for name in data if name in given}
        return places.entries(function(**plain(given) | moved))

    return call


RULES |= {
    function: moving(function, *data)
    for function, *data in (
        (np.block, "arrays"), (np.choose, "choices"),
        (np.column_stack, "tup"), (np.compress, "a"), (np.delete, "arr"), (np.diagflat, "v"),
        (np.dsplit, "ary"), (np.dstack, "tup"), (np.extract, "arr"), (np.hsplit, "ary"),
        (np.lib.stride_tricks.sliding_window_view, "x"), (np.resize, "a"), (np.rollaxis, "a"),
        (np.rot90, "m"), (np.fliplr, "m"), (np.flipud, "m"), (np.vsplit, "ary"),
        (np.fft.fftshift, "x"), (np.fft.ifftshift, "x"),
    )
}  # fmt: skip
RULES |= {function: moving(function, "x") for function in present("unstack")}
of_op(np.ravel, np.transpose, np.swapaxes, np.moveaxis, np.expand_dims, np.squeeze,
      np.broadcast_to, np.flip, np.roll, np.tril, np.triu, np.diagonal, np.diag,
      np.take_along_axis, np.split, np.array_split, np.tile)  # fmt: skip


@rule(np.reshape)
def _reshape(
    a: Any, shape: Any = None, order: Any = "C", *, newshape: Any = None, copy: Any = None
) -> Tensor:
    if order != "C":
        used({"order": order})
    return ops.reshape(a, shape=newshape if shape is None else shape)  # its name in NumPy 2.0


@rule(np.concatenate)
def _concatenate(arrays: Any, axis: int | None = 0, out: Any = None, **words: Any) -> Tensor:
    without("concatenate", out=out, dtype=words.get("dtype"))
    return ops.concatenate(arrays, axis=axis)


@rule(np.hstack)
def _hstack(tup: Any, **words: Any) -> Tensor:
    without("hstack", dtype=words.get("dtype"))
    return ops.hstack(tup)


@rule(np.vstack)
def _vstack(tup: Any, **words: Any) -> Tensor:
    without("vstack", dtype=words.get("dtype"))
    return ops.vstack(tup)


@rule(np.append)
def _append(arr: Any, values: Any, axis: int | None = None) -> Tensor:
    return ops.concatenate([arr, values], axis=axis)


@rule(np.repeat)
def _repeat(a: Any, repeats: Any, axis: int | None = None) -> Tensor:
    if np.ndim(plain(repeats)):
        return _REPEAT(a, repeats, axis)
    return ops.repeat(a, repeats=plain(repeats), axis=axis)


_REPEAT = moving(np.repeat, "a")


@rule(np.stack)
def _stack(arrays: Any, axis: int = 0, out: Any = None, **words: Any) -> Tensor:
    without("stack", out=out, dtype=words.get("dtype"))
    return ops.stack(arrays, axis=axis)


@rule(np.insert)
def _insert(arr: Any, obj: Any, values: Any, axis: int | None = None) -> Tensor:
    (x,) = lift(arr)
    return ops.cast(_INSERT(x, obj, values, axis), dtype=x.dtype)


_INSERT = moving(np.insert, "arr", "values")


@rule(np.take)
def _take(
    a: Any, indices: Any, axis: int | None = None, out: Any = None, mode: str = "raise"
) -> Tensor:
    without("take", out=out)
    (x,), places = lift(a), np.asarray(plain(indices))
    if axis is None:
        x, axis = ops.ravel(x), 0
    axis = np.lib.array_utils.normalize_axis_index(axis, x.ndim)
    at = np.take(np.arange(x.shape[axis]), places, mode=mode)  # type: ignore[call-overload]
    return ops.take(x, index=(*[slice(None)] * axis, at))


@rule(np.where)
def _where(condition: Any, x: Any = None, y: Any = None) -> Any:
    if x is None and y is None:
        return np.where(plain(condition))
    if x is None or y is None:
        raise ValueError("either both or neither of x and y should be given")
    return ops.where(condition, x, y)


@rule(np.select)
def _select(condlist: Any, choicelist: Any, default: Any = 0) -> Tensor:
    if not len(condlist) or len(condlist) != len(choicelist):
        raise ValueError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        if np.asarray(plain(condition)).dtype != bool:
            raise TypeError("select: a condition is an array of booleans")
        result = ops.where(condition, choice, result)
    return result


@rule(np.piecewise)
def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kw: Any) -> Tensor:
    (x,) = lift(x)
    flags = plain(condlist)
    several = not (np.isscalar(flags) or (not isinstance(flags[0], list | np.ndarray) and x.ndim))
    conditions = np.asarray(flags if several else [flags], bool)
    if conditions.shape[1:] != x.shape:
        raise NoRuleError(f"np.piecewise: conditions have the shape of x, {x.shape}")
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise ValueError(f"piecewise: {len(funclist)} functions for {len(conditions)} conditions")
    pieces = [*funclist, *[0.0] * (len(conditions) + 1 - len(funclist))]
    result: Any = ops.zeros_like(x)
    for hit, piece in zip(
        [~conditions.any(axis=0), *conditions], [pieces[-1], *pieces], strict=False
    ):
        places = np.nonzero(np.broadcast_to(hit, x.shape))
        if not callable(piece):
            result = ops.where(hit, piece, result)
        elif places[0].size if x.ndim else hit:
            values = piece(ops.take(x, index=places) if x.ndim else x, *args, **kw)
            result = ops.where(hit, _put(values, places, x.shape), result)
    return ops.cast(result, dtype=x.dtype)


def _put(values: Any, places: tuple[Array, ...], shape: tuple[int, ...]) -> Tensor:
    """An array with the values at these places, in their order, and zeros elsewhere."""
    at = np.full(shape, NOWHERE)
    at[places] = np.arange(1, 1 + at[places].size)
    values = ops.broadcast_to(values, shape=(at[places].size,)) if shape else values
    return ops.take(ops.concatenate([np.zeros(1), ops.ravel(values)]), index=(at,))


@rule(np.pad)
def _pad(array: Any, pad_width: Any, mode: Any = "constant", **words: Any) -> Tensor:
    if mode == "constant":
        filler = words.get("constant_values", 0)
        if isinstance(filler, Tensor) or np.ndim(plain(filler)) or isinstance(pad_width, dict):
            around = np.pad(np.zeros(np.shape(plain(array))), pad_width, **words)
            return _PAD(array, pad_width) + around
        return ops.pad(array, pad_width=pad_width, constant_values=filler)
    if mode in ("edge", "reflect", "symmetric", "wrap") and words.get("reflect_type") != "odd":
        return _PAD(array, pad_width, mode, **words)
    raise NoRuleError(
        f"np.pad: mode {mode!r} {words or ''} has no rule; those that move entries do"
    )


_PAD = moving(np.pad, "array")


@rule(np.partition)
def _partition(a: Any, kth: Any, axis: int | None = -1, **words: Any) -> Tensor:
    (x,) = lift(a)
    x, axis = (ops.ravel(x), -1) if axis is None else (x, axis)
    return ops.take_along_axis(x, np.argpartition(x.value, kth, axis), axis=axis)


@rule(np.sort)
def _sort(a: Any, axis: int | None = -1, **words: Any) -> Tensor:
    return ops.sort(a, axis=axis)


@rule(np.broadcast_arrays)
def _broadcast_arrays(*args: Any, subok: bool = False) -> tuple[Any, ...]:
    shape = np.broadcast_shapes(*[np.shape(plain(x)) for x in args])
    return tuple(
        ops.broadcast_to(x, shape=shape) if isinstance(x, Tensor) else np.broadcast_to(x, shape)
        for x in args
    )


@rule(np.meshgrid)
def _meshgrid(*xi: Any, copy: bool = True, sparse: bool = False, indexing: str = "xy") -> Any:
    places = Places()
    numbered = [places.of(x) for x in xi]
    return places.entries(np.meshgrid(*numbered, sparse=sparse, indexing=indexing))  # type: ignore[call-overload]


def _of_each(function: Function) -> Function:
    """The rule of a function that gives several arrays more axes, each by itself."""

    def call(*arys: Any) -> Any:
        _as_array(arys)
        new = [ops.reshape(x, shape=function(np.empty(np.shape(plain(x)))).shape) for x in arys]
        return new[0] if len(new) == 1 else tuple(new)

    return call


RULES |= {
    function: _of_each(function) for function in (np.atleast_1d, np.atleast_2d, np.atleast_3d)
}


@rule(np.matrix_transpose, np.linalg.matrix_transpose)
def _matrix_transpose(x: Any, /) -> Tensor:
    return ops.swapaxes(x, axis1=-1, axis2=-2)


@rule(np.copy, np.ascontiguousarray, np.asfortranarray)
def _copy(a: Any, *words: Any, **settings: Any) -> Tensor:
    _as_array(a)
    return ops.positive(a)


@rule(np.real, np.real_if_close)
def _real(val: Any, tol: float = 100) -> Tensor:
    return ops.positive(val)


def _as_array(x: Any) -> None:
    """These functions are called to get an array: of an untracked tensor, NumPy's own."""
    if not tracked_in(x):
        raise NoRuleError("an untracked tensor is an array")


@rule(np.imag)
def _imag(val: Any) -> Tensor:
    return ops.zeros_like(val)


@rule(np.astype)
def _astype(x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    y = ops.cast(x, dtype=dtype)
    return y if y.dtype.kind == "f" else ops.stop_gradient(y)


@rule(np.unique)
def _unique(ar: Any, *args: Any, **words: Any) -> Any:
    """The entries at the first places of each number; the other results are constants."""
    names = ("return_index", "return_inverse", "return_counts", "axis")
    given = dict(zip(names, args, strict=False)) | words
    found = np.unique(plain(ar), **given | {"return_index": True})
    axis = given.get("axis")
    source, at = (ops.ravel(ar), 0) if axis is None else (lift(ar)[0], axis % np.ndim(plain(ar)))
    values = ops.take(source, index=(*[slice(None)] * at, found[1]))
    rest = found[1:] if given.get("return_index") else found[2:]
    return (values, *rest) if rest else values


@rule(np.unique_values)
def _unique_values(x: Any, /) -> Tensor:
    return _unique(x, equal_nan=False)


@rule(np.union1d)
def _union1d(ar1: Any, ar2: Any) -> Tensor:
    return _unique(ops.concatenate([ops.ravel(ar1), ops.ravel(ar2)]))


@rule(np.setdiff1d)
def _setdiff1d(ar1: Any, ar2: Any, assume_unique: bool = False) -> Tensor:
    first = ops.ravel(ar1) if assume_unique else _unique(ar1)
    return ops.take(first, index=(~np.isin(first.value, plain(ar2)),))
