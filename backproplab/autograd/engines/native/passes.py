"""Passes over windows: the calls of a rule that one loop of our own makes at once, with their bits.

The calls are the test of the loop, and what is played where it does not fit. Each layout is tried
once in a process: whether -0 or 0 is the larger of the two, say, is NumPy's affair.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Loop, Unplayable
from backproplab.autograd.engines.native.proof import LINE, _fill, twin
from backproplab.autograd.engines.native.records import library
from backproplab.autograd.engines.native.translate import Part, address_of, copy, has_lines, walk
from backproplab.autograd.lowering import Pass, sliding
from backproplab.autograd.windows import Sizes, Windows

TRIALS = 4
TRIED: dict[Any, bool] = {}
Player = Callable[[Sequence[Part], Any], Callable[[], None]]


def one_pass(call: Pass, player: Player) -> list[Part]:
    """The parts that make the calls at once; empty if none do, or if they have other bits."""
    arrays = [*call.arrays, call.out]
    if len({x.dtype for x in arrays}) > 1 or call.out.dtype.char not in "fd" or not call.out.size:
        return []
    if any(np.may_share_memory(x, call.out) for x in call.arrays):
        return []
    try:
        parts = _parts(call)
    except Unplayable:
        return []
    key = call.rule, tuple(map(_form, arrays)), tuple(call.settings.values())
    if key not in TRIED:
        TRIED[key] = _is_equal(call, player)
    return parts if TRIED[key] else []


def _parts(call: Pass) -> list[Part]:
    return PASSES[call.rule](*call.arrays, out=call.out, **call.settings)


def _form(x: Array) -> Any:
    return x.shape, x.strides, x.dtype, address_of(x) % LINE


def _is_equal(call: Pass, player: Player) -> bool:
    """Whether the pass has the bits of the calls; numbers are rounded, so that many are equal."""
    want, got = (
        Pass(call.rule, [twin(x) for x in call.arrays], twin(call.out), call.settings)
        for _ in range(2)
    )
    play = player(_parts(got), got)
    for trial in range(TRIALS):
        for own in (want, got):
            for number, x in enumerate([*own.arrays, own.out]):
                _fill(x, 8 * trial + number, odd=trial > 0)
                if trial % 2:
                    np.round(x, out=x)
        with np.errstate(all="ignore"):
            want()
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
    return [_in_rows("largest", [a, b, out]) for a, b in pairs]


def at_first(g: Array, x: Array, top: Array, out: Array, windows: Windows) -> list[Part]:
    """The calls of ``place_at_first``, for windows along one axis that do not overlap."""
    axes = [a for a, n in enumerate(windows.size) if n > 1] or [0]
    if len(axes) > 1 or not windows.apart:
        raise Unplayable("windows over several axes, or that overlap")
    axis, places = axes[0], windows.size[axes[0]]
    over = [y.strides[axis - windows.rank - 1] * windows.dilation[axis] for y in (x, out)]
    (_, entries), (_, to) = (next(windows.views(y)) for y in (x, out))
    whole = places * entries.size == x.size
    views = [g, entries, top, to]
    return [*([] if whole else copy(out, 0)), _in_rows("at_first", views, (places,), over)]


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
    return [Part(loop, views, (images, *pairs, channels), (0,))]


def _in_rows(
    name: str, views: Sequence[Array], lengths: Sequence[int] = (), strides: Sequence[int] = ()
) -> Part:
    """A loop that walks the last three axes itself, of which the last lies side by side."""
    walked = walk(views)
    if not has_lines(walked):
        raise Unplayable("channels with gaps")
    walked = [x if x.ndim > 2 else x[None] for x in walked]
    inside = [x.strides[axis] for axis in (-3, -2) for x in walked]
    loop = Loop(library().loop(f"{name}_{views[-1].itemsize}"))
    own = [x[..., 0, 0, 0] for x in walked]
    return Part(loop, own, (*walked[0].shape[-3:], *lengths), (*inside, *strides))


PASSES: dict[Any, Callable[..., list[Part]]] = {
    sliding.window_max.__wrapped__: largest,  # type: ignore[attr-defined]
    sliding.place_at_first.__wrapped__: at_first,  # type: ignore[attr-defined]
    sliding.fold.__wrapped__: fold,  # type: ignore[attr-defined]
}
