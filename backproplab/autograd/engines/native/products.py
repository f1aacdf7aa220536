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
ADDS_ZERO = 2  # as in products.c: a sum that underflows to -0 becomes +0
# Largest piece of k, the unit of its halves, and how a sum ends: sums that are not cut; then
# OpenBLAS 0.3's kernels for AVX-512 and AVX2 in float32 and float64; its vectors times matrices.
CUTS = (
    (WHOLE, 1, 0),
    (WHOLE, 1, ADDS_ZERO),
    *((most, unit, 0) for most, unit in ((448, 16), (384, 16), (320, 16), (384, 8), (256, 4))),
    (8, 8, 0),
)
WIDEST = 1024  # bytes of a row of b: the rows of longer ones do not share the L1 cache
MOST = 2**22  # multiplications: BLAS packs b for larger products, which pays then


def own_loops(a: Array, b: Array, out: Array) -> list[Loop]:
    """Loops for ``out = a @ b``, (M, K), (K, N), in the order in which they are to be tried."""
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    beside = b.strides[-1] == out.strides[-1] == out.itemsize
    steps = (stride for x in (a, b, out) for stride in x.strides)
    if not beside or out.dtype.char not in "fd" or any(step % out.itemsize for step in steps):
        return []
    found = [Loop(library().loop(f"outer_{out.itemsize}"))] if inner == 1 else []
    fits = columns * out.itemsize <= WIDEST and rows * inner * columns <= MOST
    if not fits or not level() or not inner:
        return found
    loop = library().loop(f"product_{out.itemsize}_v{level()}")
    least = 0 if rows == 1 else 9
    cuts = [_numbers(cut) for cut in CUTS if least <= cut[0] < inner or cut[0] == WHOLE]
    return [*[Loop(loop, ctypes.addressof(own), None, own) for own in cuts], *found]


@cache
def level() -> int:
    """Which loops this machine runs: 4 with AVX-512, 3 with AVX2, 0 none."""
    return int(library().loaded.level())


@cache
def _numbers(cut: tuple[int, int, int]) -> ctypes.Array[ctypes.c_ssize_t]:
    return (ctypes.c_ssize_t * 3)(*cut)
