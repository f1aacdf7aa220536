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

from backproplab.arrays import LINE, Array
from backproplab.autograd.engines.native.products import threads_of_blas

SMALL = 2**16  # entries; larger products are BLAS' only way, and denormals would take long
COMPARED, MOST = 256, 32  # results to compare, and trials at most
COUNT = 4099  # a prime: rows of an array begin at different numbers
UPPER_EIGHTH = 1.15  # of normal numbers
TINY = 0.65  # power of the smallest normal number: two such factors underflow
SELDOM = 8  # every eighth row of a factor is not 0
ODD = (0.0, -0.0, np.inf, -np.inf, np.nan)
FAINT = {"f": 1e-30, "d": 1e-200}  # whose square is 0
TRIED: dict[Any, int | None] = {}
Player = Callable[[partial[Any]], Callable[[], None]]


def first_equal(
    call: partial[Any], players: Sequence[Player], loop: int, signed: bool = False
) -> int | None:
    """The number of the first player whose ``player(call)()`` gives the bits of the call itself.

    loop: the first player's address, as the same call may be made by others.
    signed: the sign of NaN is tried, too, where both factors of a product have one.
    """
    key = loop, threads_of_blas(), *_key(call)
    if key not in TRIED:
        trial = _Trial(call, signed)
        equal = (number for number, player in enumerate(players) if trial.passed(player))
        TRIED[key] = next(equal, None)
    return TRIED[key]


class _Trial:
    """A call on arrays of its own, and what NumPy makes of the numbers that are in them.

    Of a crew's product, whose members are computed alike, there are two members.
    """

    def __init__(self, call: partial[Any], signed: bool) -> None:
        arrays = list({id(x): x for x in arrays_of(call)}.values())
        crew = len(arrays) == 3 and all(x.ndim > 2 for x in arrays)
        *given, out = arrays
        some = slice(2 if crew else None)
        self.inputs = {id(x): twin(x[some] if crew else x) for x in given}
        self.results = [twin(out[some] if crew else out) for _ in range(2)]
        self.signed = signed
        self.calls = [_on(call, self.inputs | {id(out): result}) for result in self.results]
        self.number = -1  # of the numbers at hand
        self.is_large = max(x.size for x in (*self.inputs.values(), self.results[0])) >= SMALL

    def passed(self, player: Player) -> bool:
        """One sum in another order may be the same by chance: few results are tried more often."""
        trials = min(COMPARED // self.results[0].size + 1, MOST)
        kinds = ["plain"] * trials
        if not self.is_large:
            kinds += ["odd", *["tiny"] * (len(self.inputs) > 1), *["signed"] * trials * self.signed]
        play = None
        for number, kind in enumerate(kinds):
            self._fill(number, kind)
            play = play or player(self.calls[1])
            self.results[1].fill(7)
            play()
            if self.results[0].tobytes() != self.results[1].tobytes():
                return False
        return True

    def _fill(self, number: int, kind: str) -> None:
        if number == self.number:
            return
        self.number = number
        for k, x in enumerate(self.inputs.values()):
            _fill(x, 8 * number + k, kind == "odd")
            if kind == "tiny":
                _shrink(x, first=k == 0)
            if kind == "signed":
                _sign(x, 8 * number + k)
        if len(self.inputs) == 2 and self.is_large:
            _underflow(*self.inputs.values())
        self.results[0].fill(7)
        with np.errstate(all="ignore"):
            self.calls[0]()  # raises what is wrong with the call


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


def _shrink(x: Array, first: bool) -> None:
    """Make the numbers of a product's factor so small that all products underflow, to 0 or -0.

    That takes processors long: in the first factor most rows become 0.
    """
    x[...] = x * np.finfo(x.dtype).smallest_normal ** TINY
    if first and x.ndim > 1:
        others = np.arange(x.shape[-2])[::-1] % SELDOM > 0  # the last row remains
        x[..., others, :] = 0


def _sign(x: Array, number: int) -> None:
    """Make one of eight entries NaN, of either sign."""
    draws = np.empty((2, *x.shape), x.dtype)
    for k, own in enumerate(draws):
        _fill(own, number + 2 * k + 2, odd=False)
    x[...] = np.where(draws[0] > UPPER_EIGHTH, np.copysign(x.dtype.type(np.nan), draws[1]), x)


def _underflow(a: Array, b: Array) -> None:
    """The first sum of ``a @ b`` underflows: to -0, or BLAS adds it to 0."""
    if b.ndim > 1 and b.shape[-1] > 1:
        b[..., 0], b[..., -1, 0] = 0, FAINT[b.dtype.char]
        np.atleast_2d(a)[..., 0, -1] = -FAINT[a.dtype.char]


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
