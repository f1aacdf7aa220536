"""Whether roots made of multiplications are the nearest numbers on this machine.

``kernels/adam.h`` begins with the processor's estimate of 1/√s, whose relative error is below 2⁻¹⁴,
the only thing that is not the same on each. One step of Newton's method brings y within 1.2 units
of the last place of √s and h within 2⁻²³ of 1/(2√s). Then s - y² is exact, and y + (s - y²) h,
before it is rounded, is off √s by less than 2⁻²² units. So only an s whose root lies as near to
the middle between two numbers can go wrong: those below, times a power of 4, and they are tried.
"""

from __future__ import annotations

import ctypes
from functools import cache

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.native.products import level
from backproplab.autograd.engines.native.records import library

# The bits of each float32 s in [1, 4) whose root is within 2⁻²¹ units of the middle of two numbers
HARD = (
    0x3F800001, 0x3F800003, 0x3F800005, 0x3F925859, 0x3FA97BEF, 0x3FB0C6C3, 0x3FCB41E9, 0x3FF028AB,
    0x3FFC114A, 0x402A177F, 0x4041BC4E, 0x40551DBF, 0x405AE03B, 0x406E9372, 0x407FFFFB, 0x407FFFFD,
    0x407FFFFF,
)  # fmt: skip


@cache
def are_exact() -> bool:
    """Whether there are such roots, and the hard ones are right."""
    if level() < 4:
        return False
    numbers = np.resize(np.array(HARD, np.uint32), 32).view(np.float32)
    return bool(np.array_equal(roots_of(numbers), np.sqrt(numbers)))


def roots_of(numbers: Array) -> Array:
    """The roots of 16 k numbers by the loop of ``kernels/adam.h``."""
    found = np.empty_like(numbers)
    data = (ctypes.c_void_p * 2)(numbers.ctypes.data, found.ctypes.data)
    length = ctypes.c_ssize_t(numbers.size)
    library().loaded.roots_4_v4(None, data, ctypes.byref(length), None, None)
    return found
