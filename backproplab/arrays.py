"""Array: a NumPy array of any shape and type, as annotations name it; and one at a cache line."""

from math import prod
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
LINE = 64  # bytes of a cache line: a vector of numbers that crosses one takes twice as long


def aligned(shape: tuple[int, ...], dtype: Any = np.uint8) -> Array:
    """An uninitialized array that starts at a cache line."""
    nbytes = prod(shape) * np.dtype(dtype).itemsize
    raw = np.empty(nbytes + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + nbytes].view(dtype).reshape(shape)
