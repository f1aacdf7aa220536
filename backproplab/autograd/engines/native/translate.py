"""A NumPy call on fixed arrays as parts for the player: loops, addresses, lengths, strides.

How an op becomes NumPy calls is its lowering; here each call becomes what NumPy would do inside
it, so the bits are NumPy's. A call that is not understood is Unplayable.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native import checks
from backproplab.autograd.engines.native.door import Loop, Unplayable, loop_of, types_of
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.products import (
    EIGHT,
    adds,
    has_copies,
    is_thin,
    level,
    own_loops,
    shares,
    turns,
)
from backproplab.autograd.engines.native.records import AXES, OPERANDS, Rows, library
from backproplab.autograd.engines.native.strips import ENTRIES
from backproplab.autograd.lowering import logits

IDENTITIES = {np.add: 0, np.multiply: 1}
PRODUCTS = (np.dot, np.matmul)
ROUNDED = (np.add, np.subtract, np.multiply, np.divide)  # alike in a row of any length
SHORT = 512  # entries of a row: for longer ones NumPy's loop, begun anew for each, is as fast
WITHOUT_IDENTITY = (np.maximum, np.minimum)
CASTS = {
    ("?", "f"): "copy_bool_float32",
    ("?", "d"): "copy_bool_float64",
    ("f", "d"): "copy_float32_float64",
    ("d", "f"): "copy_float64_float32",
    ("l", "f"): "copy_int64_float32",
    ("l", "d"): "copy_int64_float64",
}


def translate(call: Callable[[], Any], skipped: int = 0) -> list[Part]:
    """The parts of a call. Raises Unplayable.

    skipped: of our own loops for a product or a sum, those not to use.
    """
    if not isinstance(call, partial):
        raise Unplayable("not a call of a function on arrays")
    function, arguments, settings = call.func, call.args, call.keywords
    owner = getattr(function, "__self__", None)
    if function in PRODUCTS:
        return product(*arguments, **settings | {"skipped": skipped})
    if function in PLAYED:
        return PLAYED[function](*arguments, **settings)
    if isinstance(function, np.ufunc) and function.signature is None:
        return elementwise(function, *arguments, **settings)
    if isinstance(owner, np.ufunc) and function == owner.reduce:
        return reduction(owner, *arguments, **settings | {"skipped": skipped})
    if isinstance(owner, np.ndarray) and function == owner.fill:
        return copy(owner, *arguments)
    if isinstance(owner, np.ndarray) and function == owner.take:
        return take(owner, *arguments)
    raise Unplayable(f"{getattr(function, '__qualname__', function)} is not one of NumPy's loops")


def elementwise(
    ufunc: np.ufunc, *given: Any, out: Array | None = None, dtype: Any = None
) -> list[Part]:
    """``ufunc(*given, out)`` or ``ufunc(*given, out=out)``."""
    *inputs, wanted = given if out is None else (*given, out)
    if len(inputs) != ufunc.nin or ufunc.nout != 1:
        raise Unplayable(f"{ufunc.__name__} has more than one result")
    forms = [type(x) if type(x) in (int, float) else np.asarray(x).dtype for x in inputs]
    types = types_of(ufunc, (*forms, wanted.dtype), dtype)
    parts: list[Part] = []
    operands = [_of_type(x, kind, parts) for x, kind in zip(inputs, types, strict=False)]
    _check_overlap(wanted, operands)
    made = wanted if wanted.dtype == types[-1] else np.empty(wanted.shape, types[-1])
    views = walk([*operands, made])
    own = _in_rows(f"{ufunc.__name__}_rows", views) if ufunc in ROUNDED else None
    plain = Part(loop_of(ufunc, types, _inner(views)), views, arrays=views, rows=())
    parts.append(own or plain)
    return parts if made is wanted else [*parts, *copy(wanted, made)]


def _in_rows(name: str, views: Sequence[Array], own: str = "") -> Part | None:
    """One of our own loops for many short rows, for which NumPy's begins anew for each."""
    *_, last = views
    size, kind = last.itemsize, last.dtype
    if kind.char not in "fd" or last.ndim < 2 or last.shape[-1] > SHORT:
        return None
    ends = [x.strides[-1] for x in views]
    if any(x.dtype != kind for x in views) or ends[-1] != size or {*ends} - {0, size}:
        return None
    loop = Loop(library().loop(f"{name}_{size}{own}"))
    strides = [x.strides[-2] for x in views]
    corners, lengths = [x[..., 0, 0] for x in views], last.shape[-2:]
    rows = () if last.ndim > 2 else (0, 1, *strides)
    return Part(loop, corners, lengths, (*strides, *ends), ways=1, arrays=views, rows=rows)


def reduction(
    ufunc: np.ufunc, x: Array, axis: Any, out: Array, keepdims: bool = False, skipped: int = 0
) -> list[Part]:
    """``ufunc.reduce(x, axis, out=out)``, which begins with the identity or the first entries."""
    types = (x.dtype, x.dtype, x.dtype)
    if out.dtype != x.dtype or not x.size or x.dtype.char not in "fd":
        raise Unplayable("a reduction to another type, or of nothing")
    axes = tuple(a % x.ndim for a in ((axis,) if isinstance(axis, int) else axis))
    kept = out if keepdims else np.expand_dims(out, axes)
    _check_overlap(out, [x], alike=False)
    if ufunc in IDENTITIES:
        parts = copy(kept, IDENTITIES[ufunc])
    elif ufunc in WITHOUT_IDENTITY:
        parts = copy(kept, x[tuple(slice(1) if a in axes else slice(None) for a in range(x.ndim))])
    else:
        raise Unplayable(f"{ufunc.__name__} is not reduced")
    entries, total = walk([x, kept], reduces=True)
    if ufunc in WITHOUT_IDENTITY:
        total, entries = _without_first(total, entries)
    views = [total, entries, total]
    if entries.size:
        added = ufunc is np.add and total.ndim > 1 and not (total.strides[-2] or skipped)
        own = _in_rows("sum_rows", views, f"_v{level()}") if added and level() else None
        rows = () if total.ndim > 1 else None  # else the loop itself sums, in an order of its own
        plain = Part(loop_of(ufunc, types, _inner(views)), views, arrays=views, rows=rows)
        parts.append(own or plain)
    return parts


def product(a: Array, b: Array, out: Array, skipped: int = 0) -> list[Part]:
    """``np.matmul(a, b, out)``, and np.dot where it means the same."""
    a, b = np.asarray(a), np.asarray(b)
    if not a.ndim or not b.ndim or a.dtype != b.dtype or a.dtype != out.dtype or not out.size:
        raise Unplayable("a product of two types, or with a number")
    _check_overlap(out, [a, b], alike=False)
    if np.may_share_memory(a, b):
        raise Unplayable("a product of an array with itself, for which BLAS has another way")
    if b.ndim == 1:
        b, out = b[:, None], out[..., None]
    if a.ndim == 1:
        a, out = a[None], out[..., None, :]
    if turns(a, b, out) and len(own_loops(a, turned := np.empty(b.shape, b.dtype), out)) > skipped:
        return [*copy(turned, b), *product(a, turned, out, skipped)]
    lead = out.shape[:-2]
    if (*a.shape[-2:], b.shape[-1]) != (out.shape[-2], b.shape[-2], out.shape[-1]):
        raise Unplayable("a product of other shapes")
    a, b = (np.broadcast_to(x, (*lead, *x.shape[-2:])) for x in (a, b))
    views = [x[..., 0, 0] for x in (a, b, out)]
    sides = tuple(stride for x in (a, b, out) for stride in x.strides[-2:])
    sizes = (1, a.shape[-2], a.shape[-1], b.shape[-1])
    own = own_loops(a, b, out)[skipped:]
    loop = own[0] if own else loop_of(np.matmul, (a.dtype,) * 3, None)
    rows: tuple[int, ...] | None = () if lead else None
    if own and not lead:
        rows = 1, EIGHT, a.strides[-2], 0, out.strides[-2]
    threads: tuple[int, ...] = ()
    if has_copies(loop):
        rows, threads = None, shares(a, b, out)
    arrays, steps = [a, b, out], (0, 0, 0, *sides)
    part = Part(loop, views, sizes, steps, None, len(own), arrays, rows=rows, shares=threads)
    if rows and len(out) == 1 and (sums := adds(loop, a.shape[-1])):
        along = (2, EIGHT, a.strides[-1], b.strides[-2], 0)
        return [*copy(out, 0.0), part._replace(loop=sums, rows=along)]
    return [part._replace(signed=is_thin(a, b))]


def copy(to: Array, given: Any, casting: str = "", where: Array | None = None) -> list[Part]:
    """``np.copyto(to, given)``, also with a mask."""
    if not isinstance(given, np.ndarray):
        given = np.asarray(given).astype(to.dtype)
    _check_overlap(to, [given])
    if not to.size:
        return []
    name = f"copy_{to.itemsize}"
    if given.dtype != to.dtype:
        name = CASTS.get((given.dtype.char, to.dtype.char), "")
    if to.itemsize not in (1, 4, 8) or not name:
        raise Unplayable(f"a copy of {given.dtype} to {to.dtype}")
    if where is None:
        views = in_lines(walk([given, to]))
        if given.dtype == to.dtype and has_lines(views):
            return [_rows(views)]
    elif where.dtype == bool and given.dtype == to.dtype:
        name = f"copy_masked_{to.itemsize}"
        given_view, mask, to_view = walk([given, where, to])
        views = [given_view, to_view, mask]
        return [Part(Loop(library().loop(name)), views, arrays=[*views, to_view])]
    else:
        raise Unplayable("a masked copy to another type")
    return [Part(Loop(library().loop(name)), views, arrays=views, rows=())]


def has_lines(views: Sequence[Array]) -> bool:
    """Whether there are rows, and the entries of each lie side by side."""
    return all(x.ndim > 1 and x.strides[-1] == x.itemsize for x in views)


def in_lines(views: Sequence[Array]) -> list[Array]:
    """The views with the longest axis last along which the entries of all lie side by side, if
    there is one; for loops that may walk in any order."""
    axes = range(views[0].ndim)
    lines = [a for a in axes if all(x.strides[a] == x.itemsize for x in views)]
    if not lines:
        return list(views)
    last = max(lines, key=lambda a: views[0].shape[a])
    return [np.moveaxis(x, last, -1) for x in views]


def _rows(views: Sequence[Array]) -> Part:
    """A copy row by row."""
    given, to = views
    lengths = given.shape[-2], given.shape[-1] * given.itemsize
    loop = Loop(library().loop("copy_rows"))
    steps, corners = (given.strides[-2], to.strides[-2]), [x[..., 0, 0] for x in views]
    rows = () if to.ndim > 2 else (0, 1, *steps)
    return Part(loop, corners, lengths, steps, arrays=views, rows=rows)


def take(x: Array, rows: Array, axis: int | None, out: Array, mode: str) -> list[Part]:
    """``x.take(rows, axis, out, "wrap")`` of entries of a vector, or of rows of a block."""
    plain = x.flags.c_contiguous and out.flags.c_contiguous and rows.flags.c_contiguous
    along = axis == 0 or (axis is None and x.ndim == 1)
    if mode != "wrap" or not (plain and along) or rows.dtype != np.intp or x.dtype != out.dtype:
        raise Unplayable("what is taken does not lie in rows")
    if not len(x) or not out.size or out.shape != (*rows.shape, *x.shape[1:]):
        raise Unplayable("nothing is taken, or into another shape")
    _check_overlap(out, [x, rows], alike=False)
    bytes_ = x.nbytes // len(x)
    name = f"take_{bytes_}" if bytes_ in (4, 8) else "take_rows"
    source = Rows(address_of(x), len(x), bytes_)
    views = [rows.reshape(-1), out.reshape(rows.size, -1)[:, 0]]
    loop = Loop(library().loop(name), ctypes.addressof(source))
    return [Part(loop, views, kept=(source, x), arrays=[x, rows, out])]


def check_each(labels: Array, hit: Array) -> list[Part]:
    flat = hit.reshape(-1)
    loop = Loop(library().loop("check_count"), labels.size)
    return [Part(loop, [flat], arrays=[flat], written=(), ends=True)]


def check_range(labels: Array, classes: int) -> list[Part]:
    if labels.dtype != np.int64:
        raise Unplayable("labels of another type")
    loop, views = Loop(library().loop("check_range"), classes), walk([labels])
    return [Part(loop, views, arrays=views, written=(), ends=True)]


def require_finite(x: Array) -> list[Part]:
    if not x.flags.c_contiguous or x.dtype.char not in "fd":
        raise Unplayable("numbers that do not lie side by side")
    own, flat = f"_v{level()}" if level() else "", x.reshape(-1)
    loop = Loop(library().loop(f"check_finite_{x.itemsize}{own}"))
    corner, sizes, steps, by = flat[..., 0], (x.size,), (x.itemsize,), (0, ENTRIES, x.itemsize)
    return [Part(loop, [corner], sizes, steps, arrays=[flat], written=(), shares=by, ends=True)]


PLAYED: dict[Any, Callable[..., list[Part]]] = {
    np.copyto: copy,
    logits.check_each: check_each,
    logits.check_range: check_range,
    checks.require_finite: require_finite,
}


def walk(operands: Sequence[Array], reduces: bool = False) -> list[Array]:
    """The operands broadcast, with axes in the order in which NumPy walks them and merged as it
    merges them; the last operand is written."""
    if not all(x.flags.aligned and x.dtype.isnative for x in operands):
        raise Unplayable("an array that NumPy would copy before")
    writes = ["readwrite"] if reduces else ["writeonly", "no_broadcast"]
    access = [*[["readonly"]] * (len(operands) - 1), writes]
    flags = ["external_loop", "zerosize_ok", *["reduce_ok"] * reduces]
    try:
        walk = np.nditer(operands, flags, access, order="K")  # type: ignore[call-overload]
    except ValueError as error:
        raise Unplayable(str(error)) from None
    views: list[Array] = list(walk.itviews)
    if len(operands) > OPERANDS or views[0].ndim > AXES:
        raise Unplayable("too many operands or axes")
    return views


def _inner(views: Sequence[Array]) -> tuple[int, ...]:
    """Bytes from one entry to the next in the innermost loop."""
    return tuple(x.strides[-1] if x.ndim else 0 for x in views)


def _of_type(x: Any, kind: np.dtype[Any], parts: list[Part]) -> Array:
    """The operand in the type of the loop; ``parts`` gets the cast of an array."""
    if isinstance(x, np.ndarray):
        if x.dtype == kind:
            return x
        made = np.empty(x.shape, kind)
        parts.extend(copy(made, x))
        return made
    return np.asarray(x).astype(kind)


def _without_first(total: Array, entries: Array) -> tuple[Array, Array]:
    """Both without the first entry along the reduced axis, which has already been copied."""
    along = [a for a, n in enumerate(total.shape) if n > 1 and total.strides[a] == 0]
    if len(along) > 1:
        raise Unplayable("a maximum over several axes that do not merge")
    rest = tuple(slice(1 if a in along else 0, None) for a in range(total.ndim))
    return (total[rest], entries[rest]) if along else (total[:0], entries[:0])


def _check_overlap(out: Array, operands: Sequence[Array], alike: bool = True) -> None:
    """Raise Unplayable where NumPy would compute from a copy of an operand, or refuse to write.

    alike: an operand may be the output itself.
    """
    if not out.flags.writeable:
        raise Unplayable("the output is read-only")
    for x in operands:
        if not np.may_share_memory(out, x):
            continue
        same = (address_of(x), x.shape, x.strides, x.dtype)
        if not alike or same != (address_of(out), out.shape, out.strides, out.dtype):
            raise Unplayable("the output overlaps an input")
