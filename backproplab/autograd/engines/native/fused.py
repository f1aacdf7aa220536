"""Fused chains: several calls that one loop of our own makes in one pass, with the same bits.

A chain is written as the NumPy calls that it replaces; they are its test, and what is played where
it does not fit. Each of its operations rounds as NumPy's does: it is compiled without contraction.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Loop, Unplayable
from backproplab.autograd.engines.native.part import Part, address_of
from backproplab.autograd.engines.native.proof import arrays_of
from backproplab.autograd.engines.native.records import library
from backproplab.autograd.engines.native.roots import are_exact
from backproplab.autograd.engines.native.strips import ENTRIES
from backproplab.autograd.engines.native.translate import walk

Call = Callable[[], Any]


class Chain(NamedTuple):
    """loop: its name in player.c.  calls: ufunc and names of its operands, the last one written.

    operands: names in the order in which the loop takes them: ``written`` of them are written,
    and the last ``numbers`` are numbers.  w is scratch, which the loop does not write.
    """

    loop: str
    calls: Sequence[tuple[np.ufunc, str]]
    operands: str
    written: int
    numbers: int


# θ weights, m mean of gradients or velocity, s mean of squares, g gradient, w scratch;
# numbers: a b β₁ β₂ or momentum, e ε, r rate
ADAM = Chain(
    "adam",
    [
        (np.multiply, "mam"),
        (np.add, "mgm"),
        (np.multiply, "ggw"),
        (np.multiply, "sbs"),
        (np.add, "sws"),
        (np.sqrt, "sw"),
        (np.add, "wew"),
        (np.divide, "mww"),
        (np.multiply, "wrw"),
        (np.subtract, "θwθ"),
    ],
    operands="θmsgaber",
    written=3,
    numbers=4,
)
MOMENTUM = Chain(
    "momentum",
    [(np.multiply, "mbm"), (np.multiply, "grw"), (np.subtract, "mwm"), (np.add, "θmθ")],
    operands="θmgbr",
    written=2,
    numbers=2,
)
SGD = Chain(
    "sgd",
    [(np.multiply, "grw"), (np.subtract, "θwθ")],
    operands="θgr",
    written=1,
    numbers=1,
)
CHAINS = (ADAM, MOMENTUM, SGD)
SCRATCH = "w"


def fused(calls: Sequence[Call], start: int) -> tuple[Part, int] | None:
    """The part that makes the calls from ``start`` on at once, and how many; None if none does."""
    for chain in CHAINS:
        arrays = _matched(chain, calls[start : start + len(chain.calls)])
        if not arrays or not _is_overwritten(arrays[SCRATCH], calls[start + len(chain.calls) :]):
            continue
        if part := _part(chain, arrays):
            return part, len(chain.calls)
    return None


def _matched(chain: Chain, calls: Sequence[Call]) -> dict[str, Array] | None:
    """The array of each name, if the calls are those of the chain."""
    found: dict[str, Array] = {}
    if len(calls) < len(chain.calls):
        return None
    for call, (ufunc, names) in zip(calls, chain.calls, strict=True):
        if not isinstance(call, partial) or call.func is not ufunc or call.keywords:
            return None
        if len(call.args) != len(names):
            return None
        for name, x in zip(names, call.args, strict=True):
            if not isinstance(x, np.ndarray) or not _same(found.setdefault(name, x), x):
                return None
    return found


def _is_overwritten(scratch: Array, later: Sequence[Call]) -> bool:
    """Whether the next call that touches this memory only writes to it, or none does."""
    for call in later:
        given = arrays_of(call)
        if not isinstance(call, partial) or not isinstance(call.func, np.ufunc):
            return False
        if any(np.may_share_memory(x, scratch) for x in given[:-1]):
            return False
        if np.may_share_memory(given[-1], scratch):
            return True
    return True


def _same(a: Array, b: Array) -> bool:
    return a is b or (a.__array_interface__ == b.__array_interface__ and a.dtype == b.dtype)


def _part(chain: Chain, arrays: dict[str, Array]) -> Part | None:
    """The loop on these arrays; None unless all lie side by side, apart, and have one type."""
    operands = [arrays[name] for name in chain.operands]
    vectors, written = operands[: -chain.numbers], operands[: chain.written]
    dtype = vectors[0].dtype
    if dtype.char not in "fd" or any(x.dtype != dtype for x in operands):
        return None
    if any(x.shape != vectors[0].shape for x in vectors) or not vectors[0].size:
        return None
    apart = all(x is y or not np.may_share_memory(x, y) for x in written for y in arrays.values())
    if not apart or not all(x.flags.writeable for x in written):
        return None
    try:
        *others, first = walk([*operands[1:], operands[0]])
    except Unplayable:
        return None
    views = [first, *others]
    ends = [x.strides[-1] if x.ndim else 0 for x in views]
    if ends != [dtype.itemsize] * len(vectors) + [0] * chain.numbers:
        return None
    loop = Loop(library().loop(_name(chain.loop, dtype.itemsize)))
    part = Part(loop, views, arrays=views, written=range(chain.written))
    if first.ndim > 1:
        return part
    corners = [x[..., 0] for x in views]
    own = 0, ENTRIES, *ends
    return part._replace(views=corners, lengths=first.shape, strides=tuple(ends), shares=own)


def joined(first: Part, second: Part) -> Part | None:
    """One part for both, if they are the same chain on vectors that follow each other in memory."""
    if not (first.shares and second.shares) or first.loop != second.loop:
        return None
    for x, y in zip(first.arrays, second.arrays, strict=True):
        if address_of(y) - address_of(x) != x.strides[0] * len(x):
            return None
    length = first.lengths[0] + second.lengths[0]
    views = [as_strided(x, (length,)) for x in first.arrays]
    return first._replace(lengths=(length,), arrays=views)


def _name(loop: str, size: int) -> str:
    """Adam in float32 has a loop that waits less for the divider, where its roots are exact."""
    return f"{loop}_{size}" + "_v4" * (loop == "adam" and size == 4 and are_exact())
