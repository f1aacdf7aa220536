"""Whether the player gives NumPy's bits for one call: tried with other numbers, on this machine.

Elementwise loops are NumPy's own, walked as NumPy walks them. In a product and in a sum the order
of the additions matters, which BLAS and NumPy choose by shape and layout: each shape and layout is
tried once in a process before it is played.
"""

from __future__ import annotations

from collections.abc import Callable
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
Player = Callable[[partial[Any]], Callable[[], None]]


def is_equal(call: partial[Any], player: Player, loop: Any) -> bool:
    """Whether what ``player(call)`` returns gives the bits of the call itself.

    loop: the one that makes it, as the same call may be made by several.
    """
    key = loop, *_key(call)
    if key not in TRIED:
        TRIED[key] = _equal(call, player)
    return TRIED[key]


def _equal(call: partial[Any], player: Player) -> bool:
    """One sum in another order may be the same by chance: few results are tried more often."""
    arrays = list({id(x): x for x in arrays_of(call)}.values())
    tried = [False] * min(COMPARED // arrays[-1].size + 1, MOST)
    if max(x.size for x in arrays) < SMALL:
        tried.append(True)
    *given, out = arrays
    inputs, results = {id(x): twin(x) for x in given}, [twin(out) for _ in range(2)]
    first, second = (_on(call, inputs | {id(out): result}) for result in results)
    play = None
    for trial, odd in enumerate(tried):
        for number, x in enumerate(inputs.values()):
            _fill(x, 8 * trial + number, odd)
        for result in results:
            result.fill(7)
        with np.errstate(all="ignore"):
            first()  # raises what is wrong with the call
            play = play or player(second)
            play()
        if results[0].tobytes() != results[1].tobytes():
            return False
    return True


def twin(x: Array) -> Array:
    """An array of the same layout, at the same place in a cache line."""
    low, high = byte_bounds(x)
    memory = np.empty(high - low + 2 * LINE, np.uint8)
    start = (low - memory.ctypes.data) % LINE
    block = memory[start : start + high - low]
    inside = x.__array_interface__["data"][0] - low
    return np.ndarray(x.shape, x.dtype, block.data, inside, x.strides)


def _fill(x: Array, number: int, odd: bool) -> None:
    """Other numbers for each ``number``; odd: one in eight of them is no ordinary one."""
    start = 97 * number % COUNT
    numbers = _numbers(x.dtype, odd)[start : start + COUNT]
    if not x.flags.c_contiguous:
        x[...] = np.resize(numbers, x.shape)
        return
    flat, whole = x.reshape(-1), x.size - x.size % COUNT
    flat[:whole].reshape(-1, COUNT)[...] = numbers  # without a large array in between
    flat[whole:] = numbers[: x.size - whole]


@cache
def _numbers(dtype: np.dtype[Any], odd: bool) -> Array:
    """Normal numbers; odd: one in eight of them is ±0, ±infinity, NaN or denormal."""
    chance = np.random.default_rng(0)
    numbers = chance.standard_normal(COUNT).astype(dtype)
    if odd:
        others = np.array([*ODD, np.finfo(dtype).smallest_subnormal], dtype)
        where = chance.permutation(COUNT)[: COUNT // 8]
        numbers[where] = chance.choice(others, len(where))
    return np.tile(numbers, 2)


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
