"""The player tried once in a process, before anything relies on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.fused import CHAINS, SCRATCH, Chain
from backproplab.autograd.engines.native.records import library
from backproplab.autograd.engines.native.tape import Tape


@cache
def missing() -> str:
    """Why there is no player in this process; empty if there is one."""
    try:
        library()
        with np.errstate(all="ignore"):
            failed = [d.__name__ for d in (np.float32, np.float64) if not _equal(d)]
    except Exception as error:  # the door is unstable by its own account
        return str(error) or type(error).__name__
    return f"a trial of the player had other bits in {failed[0]}" if failed else ""


def _equal(dtype: Any) -> bool:
    """Whether a few calls of each kind give NumPy's bits, and none is made in Python."""
    want, got = _arrays(dtype), _arrays(dtype)
    for call in _calls(*want):
        call()
    tape = Tape(_calls(*got))
    tape()
    same = all(a.tobytes() == b.tobytes() for a, b in zip(want, got, strict=True))
    return same and not tape.refusals


def _arrays(dtype: Any) -> tuple[Array, ...]:
    chance = np.random.default_rng(0)
    x, y = chance.standard_normal((2, 5, 7)).astype(dtype)
    x[0, :5] = np.nan, np.inf, -np.inf, -0.0, np.finfo(dtype).smallest_subnormal
    rows = np.array([4, 0, 2])
    square, mask = np.zeros((5, 5), dtype), np.zeros((5, 7), bool)
    return x, y, rows, square, np.zeros((3, 7), dtype), mask, np.zeros((5, 1), dtype)


def _calls(
    x: Array, y: Array, rows: Array, square: Array, some: Array, mask: Array, total: Array
) -> list[Callable[[], Any]]:
    return [
        partial(np.dot, y, x.T, square),
        partial(np.add, x, 0.5, y),
        partial(np.tanh, y, y),
        partial(np.greater, x.T, 0.25, mask.T),
        partial(np.copyto, y, x, where=mask),
        partial(np.add.reduce, y, axis=(-1,), out=total, keepdims=True),
        partial(np.subtract, y, total, y),
        partial(y.take, rows, 0, some, "wrap"),
        partial(some[:, :2].fill, -0.0),
        *[
            call
            for chain in CHAINS
            for call in _chain(chain, dict(zip("θmsg", x[1:], strict=True)))
        ],
    ]


def _chain(chain: Chain, arrays: dict[str, Array]) -> list[Callable[[], Any]]:
    """The calls of a fused chain."""
    dtype = arrays["g"].dtype
    numbers = {name: np.full((), 0.5, dtype) for name in "aber"}
    own = arrays | numbers | {SCRATCH: np.empty_like(arrays["g"])}
    return [partial(ufunc, *[own[name] for name in names]) for ufunc, names in chain.calls]
