"""Products by loops of our own, for shapes in which BLAS spends its time on other things than sums.

Each entry is a sum in the order of k, or of pieces of k as OpenBLAS cuts them for its caches; which
of them, if any, has BLAS' bits is a matter of its kernels, and found by trial (proof.py).
"""

from __future__ import annotations

import ctypes
from functools import cache

from backproplab.arrays import Array
from backproplab.autograd.engines.native.door import Loop
from backproplab.autograd.engines.native.records import library

WHOLE = 2**62
ADDS, ADDS_ZERO = 1, 2  # as in vectors.c: a sum that underflows to -0 becomes +0
EIGHT = 8  # rows that a product takes at a time; rows of a sum by BLAS, 1ᵀ x, that are one piece
# Largest piece of k, the unit of its halves, and how a sum ends: sums that are not cut; then
# OpenBLAS 0.3's kernels for AVX-512 and AVX2 in float32 and float64; its vectors times matrices.
CUTS = (
    (WHOLE, 1, 0),
    (WHOLE, 1, ADDS_ZERO),
    *((most, unit, 0) for most, unit in ((448, 16), (384, 16), (320, 16), (384, 8), (256, 4))),
    (EIGHT, EIGHT, 0),
)
WIDEST = 1024  # bytes of a row of b: the rows of longer ones do not share the L1 cache
NARROW, NEAR = 256, 2**15  # bytes of a row of b, and of b, which stay in the L1 cache as they are
MOST = 2**22  # multiplications: BLAS packs b for larger products, which pays if it is no such b
MANY = 1024  # rows of a sum from which it is worth playing in strips
TURNED = 256  # rows of a for which it pays to turn b, so that its rows lie side by side


def own_loops(a: Array, b: Array, out: Array) -> list[Loop]:
    """Loops for ``out = a @ b``, (M, K), (K, N), in the order in which they are to be tried."""
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    beside = b.strides[-1] == out.strides[-1] == out.itemsize
    steps = (stride for x in (a, b, out) for stride in x.strides)
    if not beside or out.dtype.char not in "fd" or any(step % out.itemsize for step in steps):
        return []
    found = [Loop(library().loop(f"outer_{out.itemsize}"))] if inner == 1 else []
    width = columns * out.itemsize
    fits = width <= NARROW or inner * width <= NEAR or rows * inner * columns <= MOST
    if width > WIDEST or not fits or not level() or not inner:
        return found
    loop = library().loop(f"product_{out.itemsize}_v{level()}")
    least = 0 if rows == 1 else 9
    cuts = [_numbers(cut) for cut in CUTS if least <= cut[0] < inner or cut[0] == WHOLE]
    return [*[Loop(loop, ctypes.addressof(own), None, own) for own in cuts], *found]


def adds(loop: Loop, inner: int) -> Loop | None:
    """The loop that adds to what is there, if this one adds up pieces of eight, and many: to begin
    with -0, to which a sum is added without a change, is to begin with nothing."""
    if inner < MANY or loop.owner is not _numbers((EIGHT, EIGHT, 0)):
        return None
    own = _numbers((EIGHT, EIGHT, ADDS))
    return Loop(loop.address, ctypes.addressof(own), None, own)


def turns(a: Array, b: Array, out: Array) -> bool:
    """Whether to turn b first: the columns of a matrix lie side by side, and a has many rows."""
    columns = b.flags.f_contiguous and not b.flags.c_contiguous
    return bool(columns and out.ndim == b.ndim == 2 and a.shape[-2] >= TURNED)


def has_one_way(a: Array, b: Array, out: Array) -> bool:
    """Whether np.dot and np.matmul hand these matrices to the same function of BLAS, and no loop of
    ours: then there is nothing to try."""
    plain = all(x.ndim == 2 and min(x.shape) > 1 and x.flags.forc for x in (a, b, out))
    large = plain and a.shape[0] * a.shape[1] * b.shape[1] > MOST
    return bool(large and not turns(a, b, out) and not own_loops(a, b, out))


@cache
def level() -> int:
    """Which loops this machine runs: 4 with AVX-512, 3 with AVX2, 0 none."""
    return int(library().loaded.level())


@cache
def _numbers(cut: tuple[int, int, int]) -> ctypes.Array[ctypes.c_ssize_t]:
    return (ctypes.c_ssize_t * 3)(*cut)
