"""Whether the player gives NumPy's bits for one call: tried with other numbers, on this machine.

Elementwise loops are NumPy's own, walked as NumPy walks them. In a product and in a sum the order
of the additions matters, which BLAS and NumPy choose by shape and layout: each shape and layout is
tried once in a process before it is played.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.lib.array_utils import byte_bounds

from backproplab.arrays import Array

LINE = 64  # bytes of a cache line: loops may differ with the place in it
SMALL = 2**16  # entries; larger products are BLAS' only way, and denormals would take long
COMPARED, MOST = 256, 32  # results to compare, and trials at most
COUNT = 4099  # a prime: rows of an array begin at different numbers
ODD = (0.0, -0.0, np.inf, -np.inf, np.nan)
TRIED: dict[Any, bool] = {}


def is_equal(call: partial[Any], play: Callable[[partial[Any], bool], None], kernels: bool) -> bool:
    """Whether ``play(call, kernels)`` gives the bits of the call itself."""
    key = kernels, *_key(call)
    if key not in TRIED:
        own = lambda call: play(call, kernels)
        arrays = list({id(x): x for x in arrays_of(call)}.values())
        tried = [False] * trials(arrays)
        if max(x.size for x in arrays) < SMALL:
            tried.append(True)
        TRIED[key] = all(_equal(call, arrays, own, n, odd) for n, odd in enumerate(tried))
    return TRIED[key]


def trials(arrays: Sequence[Array]) -> int:
    """How often to try, with other numbers: one sum in another order may be the same by chance."""
    return min(COMPARED // arrays[-1].size + 1, MOST)


def _equal(
    call: partial[Any],
    arrays: Sequence[Array],
    play: Callable[[partial[Any]], None],
    trial: int,
    odd: bool,
) -> bool:
    results = []
    for run in (lambda own: own(), play):
        twins = {id(x): twin(x, 8 * trial + number, odd) for number, x in enumerate(arrays)}
        with np.errstate(all="ignore"):
            run(_on(call, twins))
        results.append([x.tobytes() for x in twins.values()])
    return results[0] == results[1]


def twin(x: Array, number: int, odd: bool) -> Array:
    """An array of the same layout, at the same place in a cache line, with other numbers.

    number: of the array; each has numbers of its own.
    """
    low, high = byte_bounds(x)
    memory = np.empty(high - low + 2 * LINE, np.uint8)
    start = (low - memory.ctypes.data) % LINE
    block = memory[start : start + high - low]
    inside = x.__array_interface__["data"][0] - low
    made: Array = np.ndarray(x.shape, x.dtype, block.data, inside, x.strides)
    made[...] = np.resize(np.roll(_numbers(x.dtype, odd), 97 * number), x.shape)
    return made


@cache
def _numbers(dtype: np.dtype[Any], odd: bool) -> Array:
    """Normal numbers; odd: one in eight of them is ±0, ±infinity, NaN or denormal."""
    chance = np.random.default_rng(0)
    numbers = chance.standard_normal(COUNT).astype(dtype)
    if odd:
        others = np.array([*ODD, np.finfo(dtype).smallest_subnormal], dtype)
        where = chance.permutation(COUNT)[: COUNT // 8]
        numbers[where] = chance.choice(others, len(where))
    return numbers


def _on(call: partial[Any], twins: dict[int, Array]) -> partial[Any]:
    arguments = [twins.get(id(x), x) for x in call.args]
    settings = {name: twins.get(id(x), x) for name, x in call.keywords.items()}
    return partial(call.func, *arguments, **settings)


def arrays_of(call: Callable[[], Any]) -> list[Array]:
    """The arrays that a call is given."""
    if not isinstance(call, partial):
        return []
    return [x for x in (*call.args, *call.keywords.values()) if isinstance(x, np.ndarray)]


def _key(call: partial[Any]) -> Any:
    def form(x: Any) -> Any:
        if not isinstance(x, np.ndarray):
            return x
        return x.shape, x.strides, x.dtype, x.__array_interface__["data"][0] % LINE

    settings = tuple((name, form(x)) for name, x in call.keywords.items())
    return call.func, tuple(map(form, call.args)), settings
