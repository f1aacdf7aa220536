"""Passes: the calls of a rule that one loop of our own makes at once, with their bits.

The calls are the test of the loop, and what is played where it does not fit. Each layout is tried
once in a process: whether -0 or 0 is the larger of the two, say, is NumPy's affair.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import LINE, Array
from backproplab.autograd.engines.native.door import Loop, Unplayable, loop_of
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.proof import _fill, twin
from backproplab.autograd.engines.native.records import library
from backproplab.autograd.engines.native.translate import copy, has_lines, walk
from backproplab.autograd.lowering import Pass, elementwise, sliding
from backproplab.autograd.lowering import logits as logits_
from backproplab.autograd.windows import Sizes, Windows
from backproplab.errors import GraphError

TRIALS = 4
ENTRIES = 1024  # whose exponentials are taken in one call, as in logits.c
TRIED: dict[Any, bool] = {}
Player = Callable[[Sequence[Part], Any], Callable[[], None]]


def one_pass(call: Pass, player: Player) -> list[Part]:
    """The parts that make the calls at once; empty if none do, or if they have other bits."""
    arrays, out = [*call.arrays, call.out], call.out
    numbers = {x.dtype for x in arrays if x.dtype.kind != "i"}
    if len(numbers) > 1 or out.dtype.char not in "fd" or not out.size:
        return []
    same = [address_of(x) == address_of(out) and _form(x) == _form(out) for x in call.arrays]
    apart = [x for x, own in zip(call.arrays, same, strict=True) if not own]
    if any(np.may_share_memory(x, out) for x in apart) or (any(same) and call.rule not in IN_PLACE):
        return []
    try:
        parts = _parts(call)
    except Unplayable:
        return []
    key = call.rule, *map(_form, arrays), *same, *call.settings.values()
    if key not in TRIED:
        TRIED[key] = _is_equal(call, player)
    return parts if TRIED[key] else []


def _parts(call: Pass) -> list[Part]:
    return PASSES[call.rule](*call.arrays, out=call.out, **call.settings)


def _form(x: Array) -> Any:
    return x.shape, x.strides, x.dtype, address_of(x) % LINE


def _twins(call: Pass) -> Pass:
    """The call on arrays of its own, of which two are one where they are in the call."""
    own = {address_of(x): twin(x) for x in [*call.arrays, call.out]}
    arrays = [own[address_of(x)] for x in call.arrays]
    return Pass(call.rule, arrays, own[address_of(call.out)], call.settings)


def _is_equal(call: Pass, player: Player) -> bool:
    """Whether the pass has the bits of the calls; numbers are rounded, so that many are equal, and
    integers, such as labels, are those of the call."""
    want, got = _twins(call), _twins(call)
    play = player(_parts(got), got)
    for trial in range(TRIALS):
        for own in (want, got):
            for number, (x, given) in enumerate(zip(own.arrays, call.arrays, strict=True)):
                if x.dtype.kind == "i":
                    np.copyto(x, given)
                    continue
                _fill(x, 8 * trial + number, odd=trial > 0)
                if trial % 2:
                    np.round(x, out=x)
        try:
            with np.errstate(all="ignore"):
                want()
        except GraphError:  # labels that are no classes, as nothing is computed yet
            return False
        play()
        if want.out.tobytes() != got.out.tobytes():
            return False
    return True


def largest(x: Array, out: Array, windows: Windows) -> list[Part]:
    """The calls of ``window_max``: the larger of two, place by place."""
    first, *others = [view for _, view in windows.views(x)]
    if not others:
        raise Unplayable("windows of one entry")
    pairs = zip([first, *[out] * (len(others) - 1)], others, strict=True)
    return [_in_lines("largest", [a, b, out]) for a, b in pairs]


def at_first(g: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Part]:
    """The calls of ``place_at_first``, for windows along one axis that do not overlap."""
    axes = [a for a, n in enumerate(windows.size) if n > 1] or [0]
    if len(axes) > 1 or not windows.apart:
        raise Unplayable("windows over several axes, or that overlap")
    axis, places = axes[0], windows.size[axes[0]]
    over = [y.strides[axis - windows.rank - 1] * windows.dilation[axis] for y in (x, out)]
    (_, entries), (_, to) = (next(windows.views(y)) for y in (x, out))
    whole = places * entries.size == x.size
    part = _in_lines("at_first", [g, entries, top, to], (places,), over)
    part = part._replace(arrays=[g, x, top, out])
    return [part] if whole else [*copy(out, 0), part._replace(rows=None)]


def fold(x: Array, out: Array, windows: Windows, spatial: Sizes) -> list[Part]:
    """The calls of ``fold``, for arrays without gaps."""
    if windows.rank > 2 or not x.flags.c_contiguous or not out.flags.c_contiguous:
        raise Unplayable("more axes, or arrays with gaps")
    channels, counts = out.shape[-1], windows.counts(spatial)
    fields = spatial, counts, windows.size, windows.stride, windows.dilation
    pairs = [n for field in fields for n in ((1,) * (2 - windows.rank) + tuple(field))]
    images = out.size // (prod(spatial) * channels)
    loop = Loop(library().loop(f"fold_{out.itemsize}"))
    views = [y.reshape(-1)[0, ...] for y in (x, out)]
    rows = (0, 1, x.nbytes // images, out.nbytes // images)
    return [Part(loop, views, (images, *pairs, channels), (0,), arrays=[x, out], rows=rows)]


def softmax(x: Array, out: Array, axis: tuple[int, ...]) -> list[Part]:
    """The calls of ``softmax`` along the last axis, for arrays without gaps."""
    if axis != (-1,):
        raise Unplayable("another axis")
    lengths = out.size // out.shape[-1], out.shape[-1]
    return [_by_numpy("softmax", [x, out], lengths)]


def softmax_cross_entropy(logits: Array, labels: Array, out: Array) -> list[Part]:
    """The calls of ``softmax_cross_entropy``, where labels are the same for each member."""
    alike = out.shape[out.ndim - labels.ndim :] == labels.shape
    if logits.shape[:-1] != out.shape or not alike:
        raise Unplayable("logits or labels that are broadcast")
    space = np.empty(max(ENTRIES, logits.shape[-1]), out.dtype)
    lengths = out.size, logits.shape[-1], labels.size
    part = _by_numpy("cross_entropy", [logits, labels, out, space], lengths)
    return [part._replace(written=(2, 3), ends=True)]


def one_hot(labels: Array, out: Array, classes: int, dtype: Any) -> list[Part]:
    """The calls of ``one_hot``."""
    part = _by_numpy("one_hot", [labels, out], (labels.size, classes))
    return [part._replace(ends=True)]


def _by_numpy(name: str, arrays: Sequence[Array], lengths: tuple[int, ...]) -> Part:
    """A loop on arrays without gaps, which takes exponentials and logarithms by NumPy's loops."""
    if not all(x.flags.c_contiguous for x in arrays):
        raise Unplayable("arrays with gaps")
    if any(x.dtype != np.int64 for x in arrays if x.dtype.kind == "i"):
        raise Unplayable("labels of another type")
    dtype = arrays[-1].dtype
    types, beside = (dtype, dtype), (dtype.itemsize, dtype.itemsize)
    loops = [loop_of(ufunc, types, beside) for ufunc in (np.exp, np.log)]
    functions = (ctypes.c_void_p * 6)(*[address for loop in loops for address in loop[:3]])
    loop = Loop(library().loop(f"{name}_{dtype.itemsize}"), ctypes.addressof(functions))
    views = [x.reshape(-1)[0, ...] for x in arrays]
    return Part(loop, views, lengths, (0,), kept=(functions, loops), arrays=arrays)


def relu(x: Array, out: Array) -> list[Part]:
    """The call of ``relu``, whose loop is slow where one operand is a number."""
    return [_in_lines("relu", [x, out])]


def relu_gradient(y: Array, g: Array, out: Array) -> list[Part]:
    """The calls of ``relu_gradient``."""
    return [_in_lines("relu_gradient", [y, g, out])]


def gradient(y: Array, g: Array, out: Array, name: str) -> list[Part]:
    """The calls of ``tanh_gradient`` and ``sigmoid_gradient``."""
    return [_in_lines(name, [y, g, out])]


def _in_lines(
    name: str, views: Sequence[Array], lengths: Sequence[int] = (), strides: Sequence[int] = ()
) -> Part:
    """A loop that walks the last three axes itself, of which the last lies side by side."""
    walked = walk(views)
    walked = [x[(None,) * (3 - x.ndim)] for x in walked]
    if not has_lines(walked):
        raise Unplayable("channels with gaps")
    inside = [x.strides[axis] for axis in (-3, -2) for x in walked]
    loop = Loop(library().loop(f"{name}_{views[-1].itemsize}"))
    own, shape = [x[..., 0, 0, 0] for x in walked], walked[0].shape[-3:]
    first = next((axis for axis in range(2) if shape[axis] > 1), 2)
    rows = () if own[0].ndim else (first, 1, *[x.strides[first - 3] for x in walked])
    return Part(loop, own, (*shape, *lengths), (*inside, *strides), arrays=walked, rows=rows)


GRADIENTS = {
    rule.__wrapped__: partial(gradient, name=rule.__name__)  # type: ignore[attr-defined]
    for rule in (elementwise.tanh_gradient, elementwise.sigmoid_gradient)
}
PASSES: dict[Any, Callable[..., list[Part]]] = {
    sliding.window_max.__wrapped__: largest,  # type: ignore[attr-defined]
    sliding.place_at_first.__wrapped__: at_first,  # type: ignore[attr-defined]
    sliding.fold.__wrapped__: fold,  # type: ignore[attr-defined]
    logits_.softmax.__wrapped__: softmax,  # type: ignore[attr-defined]
    logits_.softmax_cross_entropy.__wrapped__: softmax_cross_entropy,  # type: ignore[attr-defined]
    logits_.one_hot.__wrapped__: one_hot,  # type: ignore[attr-defined]
    elementwise.relu.__wrapped__: relu,  # type: ignore[attr-defined]
    elementwise.relu_gradient.__wrapped__: relu_gradient,  # type: ignore[attr-defined]
    **GRADIENTS,
}
IN_PLACE = {
    *GRADIENTS,
    logits_.softmax.__wrapped__,  # type: ignore[attr-defined]
    elementwise.relu.__wrapped__,  # type: ignore[attr-defined]
    elementwise.relu_gradient.__wrapped__,  # type: ignore[attr-defined]
}
