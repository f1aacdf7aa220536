"""Products by loops of our own, for shapes in which BLAS spends its time on other things than sums.

Each entry is a sum in the order of k, or of pieces of k as OpenBLAS cuts them for its caches; which
of them, if any, has BLAS' bits is a matter of its kernels, and found by trial (proof.py).
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import cache
from importlib import import_module
from math import prod

from backproplab.arrays import Array, aligned
from backproplab.autograd.engines.native.door import Loop
from backproplab.autograd.engines.native.records import library

WHOLE, LONGEST = 2**62, 448
ADDS, ADDS_ZERO = 1, 2  # as in instructions.h: a sum that underflows to -0 becomes +0
EIGHT = 8  # rows that a product takes at a time; rows of a sum by BLAS, 1ᵀ x, that are one piece
# Largest piece of k, the unit of its halves, and how a sum ends: sums that are not cut; then
# OpenBLAS 0.3's kernels for AVX-512 and AVX2 in float32 and float64; its vectors times matrices.
# Sums of pieces are added to a zero.
CUTS = (
    (WHOLE, 1, 0),
    (WHOLE, 1, ADDS_ZERO),
    *(
        (most, unit, ADDS_ZERO)
        for most, unit in ((LONGEST, 16), (384, 16), (320, 16), (384, 8), (256, 4))
    ),
    *((most, 1, ADDS_ZERO) for most in (LONGEST, 384, 320, 256)),  # with several threads
    (EIGHT, EIGHT, ADDS_ZERO),
)
WIDEST = 1024  # bytes of a row of b: the rows of longer ones do not share the L1 cache
NARROW, NEAR = 256, 2**15  # bytes of a row of b, and of b, which stay in the L1 cache as they are
MOST = 2**22  # multiplications: in larger products columns of b are copied, if it is no such b
FEW, SIDE = 32, 128  # least rows for that; bytes of a row of a copy: two vectors of AVX-512
PANELS = 4  # copies that are made together, as in packed.h
CROWD = 4  # most threads that share a product: with more it is left to BLAS
PIECE, FAR, TIMES = 2**19, 2**23, 4  # most bytes of a piece of a, and of b; times that a is read
COUNTERS = (  # of OpenBLAS in NumPy's wheels and elsewhere
    "scipy_openblas_get_num_threads64_",
    "openblas_get_num_threads64_",
    "openblas_get_num_threads",
)
NAN_OF = (4, 8)  # as in instructions.h: a sum becomes the NaN of a or of b, if both have one
LANES = (2, 3, 4)  # columns of products in which a vector is of rows
SMALL = 1024  # entries of b that our loop turns, as in instructions.h
MANY = 1024  # rows of a sum from which strips gain time
TURNED = 256  # rows of a for which it pays to turn b, so that its rows lie side by side


def own_loops(a: Array, b: Array, out: Array) -> list[Loop]:
    """Loops for ``out = a @ b``, (M, K), (K, N), in the order in which they are to be tried."""
    (rows, inner), columns = a.shape[-2:], b.shape[-1]
    if _are_dots(a, b, out):
        return [Loop(library().loop(f"dots_{out.itemsize}_v3"))]
    turned = rows > 1 and is_turned_within(b)
    copied = not turned and _has_columns(b) and _packs(a, b)  # and turned
    in_rows = b.strides[-1] == b.itemsize or turned or copied
    beside = out.strides[-1] == out.itemsize and in_rows
    steps = (stride for x in (a, b, out) for stride in x.strides)
    if not beside or out.dtype.char not in "fd" or any(step % out.itemsize for step in steps):
        return []
    outer = inner == 1 and not turned
    found = [Loop(library().loop(f"outer_{out.itemsize}"))] if outer else []
    width = columns * out.itemsize
    fits = width <= NARROW or inner * width <= NEAR or rows * inner * columns <= MOST
    near = fits and width <= WIDEST and not copied
    if not level() or not inner or not (near or _packs(a, b)):
        return found
    thin = is_thin(a, b)
    copies = PANELS * SIDE + (a.strides[-2] == a.itemsize) * rows * a.itemsize
    space = None if near else aligned((inner, copies))
    loop = library().loop(f"{'thin_product' if thin else 'product'}_{out.itemsize}_v{level()}")
    least = 0 if rows == 1 else 9
    cuts = [cut for cut in CUTS if least <= cut[0] < inner or cut[0] == WHOLE]
    if space is not None:  # BLAS adds the sums of large products to a zero
        cuts = [cut for cut in cuts if cut[2]]
    if inner > LONGEST:
        cuts.sort(key=lambda cut: cut[0] == WHOLE)
    nans = NAN_OF if thin else (0,)
    ways = [(most, unit, ends + first) for first in nans for most, unit, ends in cuts]
    return [*[_loop(loop, way, space) for way in ways], *found]


def _packs(a: Array, b: Array) -> bool:
    """Whether it pays to copy columns of b, and rows of a that lie in columns.

    BLAS is to have as many threads as share the product. What is read again for each of the copies
    is to stay in the L2 cache: a piece of a, or all of it if it is read a few times only.
    """
    rows, inner = a.shape[-2:]
    width, beside = b.shape[-1] * b.itemsize, a.strides[-1] == a.itemsize
    most = CROWD if a.ndim == 2 else 1
    if level() < 4 or rows < FEW or width < SIDE or not 1 <= threads_of_blas() <= most:
        return False
    if width <= TIMES * SIDE and (not beside or rows * inner * a.itemsize <= 4 * PIECE):
        return beside
    return rows * min(inner, LONGEST) * a.itemsize <= PIECE and b.size * b.itemsize <= FAR


def _loop(address: int, cut: tuple[int, int, int], space: Array | None) -> Loop:
    """A loop with its numbers, and the space for its copies."""
    place = 0 if space is None else space.ctypes.data
    numbers = (ctypes.c_ssize_t * 4)(*cut, place)
    return Loop(address, ctypes.addressof(numbers), None, (numbers, space))


def _are_dots(a: Array, b: Array, out: Array) -> bool:
    """Whether a row is multiplied with columns whose entries lie side by side."""
    beside = a.strides[-1] == b.strides[-2] == out.strides[-1] == out.itemsize
    apart = b.strides[-1] > out.itemsize and not b.strides[-1] % out.itemsize
    return bool(a.shape[-2] == 1 and beside and apart and out.dtype.char in "fd" and level())


def _has_columns(b: Array) -> bool:
    """Whether the columns of b lie side by side, and are no single entries."""
    return bool(b.strides[-2] == b.itemsize and b.shape[-2] > 1)


def is_thin(a: Array, b: Array) -> bool:
    """Whether b is turned by our loop, or has so few columns that vectors are of rows of a."""
    return a.shape[-2] > 1 and (is_turned_within(b) or b.shape[-1] in LANES)


def is_turned_within(b: Array) -> bool:
    """Whether our loop turns b: its columns lie side by side, and it is small."""
    beside = b.strides[-2] == b.itemsize != b.strides[-1] and b.shape[-1] > 1
    return bool(beside and b.shape[-2] * b.shape[-1] <= SMALL)


def adds(loop: Loop, inner: int) -> Loop | None:
    """The loop that adds to what is there, if this one adds up pieces of eight, and many: they are
    added to a zero in any case."""
    if inner < MANY or _cut(loop) != (EIGHT, EIGHT, ADDS_ZERO):
        return None
    return _loop(loop.address, (EIGHT, EIGHT, ADDS | ADDS_ZERO), None)


def _cut(loop: Loop) -> tuple[int, ...]:
    """How a loop of ours cuts k; empty of any other one."""
    return tuple(loop.owner[0][:3]) if isinstance(loop.owner, tuple) else ()


def has_copies(loop: Loop) -> bool:
    """Whether the loop copies columns to a place of its own, which threads cannot share."""
    return isinstance(loop.owner, tuple) and loop.owner[1] is not None


def is_for_threads(loop: Loop, lengths: Sequence[int]) -> bool:
    """Whether so large a product is ours that BLAS' threads would share it: then our threads do."""
    return has_copies(loop) and prod(lengths) > MOST


def with_own_space(loop: Loop) -> Loop:
    """The loop with another place for its copies, if it has one."""
    if not has_copies(loop):
        return loop
    numbers, space = loop.owner
    return _loop(loop.address, numbers[:3], aligned(space.shape))


def shares(a: Array, b: Array, out: Array) -> tuple[int, ...]:
    """How threads share a product whose factors are copied: by rows where these are copied, too,
    as a thread then copies its own alone, else by columns."""
    if out.ndim > 2:
        return ()
    if a.strides[-2] == a.itemsize:
        return 1, FEW, a.strides[-2], 0, out.strides[-2]
    return 3, SIDE // out.itemsize, 0, b.strides[-1], out.strides[-1]


def turns(a: Array, b: Array, out: Array) -> bool:
    """Whether to turn b first: the columns of a matrix lie side by side, and a has many rows."""
    columns = b.flags.f_contiguous and not b.flags.c_contiguous
    large = columns and out.ndim == b.ndim == 2 and not is_turned_within(b)
    return bool(large and a.shape[-2] >= TURNED and not _packs(a, b))


def has_one_way(a: Array, b: Array, out: Array) -> bool:
    """Whether np.dot and np.matmul hand these matrices to the same function of BLAS, and no loop of
    ours: then there is nothing to try."""
    plain = all(x.ndim == 2 and min(x.shape) > 1 and x.flags.forc for x in (a, b, out))
    large = plain and a.shape[0] * a.shape[1] * b.shape[1] > MOST
    return bool(large and not turns(a, b, out) and not own_loops(a, b, out))


def threads_of_blas() -> int:
    """How many threads make a large product of BLAS; 0 if it is not OpenBLAS."""
    count = _counter()
    return int(count()) if count else 0


@cache
def _counter() -> Callable[[], int] | None:
    """OpenBLAS' own function, found among the libraries that NumPy has loaded."""
    loaded = ctypes.CDLL(import_module("numpy._core._multiarray_umath").__file__)
    return next((getattr(loaded, name) for name in COUNTERS if hasattr(loaded, name)), None)


@cache
def level() -> int:
    """Which loops this machine runs: 4 with AVX-512, 3 with AVX2, 0 none."""
    return int(library().loaded.level())
