"""The differentiable functions, with NumPy's names and meanings.

Each file of this folder declares ops and compositions, which are found by name, ``ops.tanh``.
Inside the package they are imported from the file that declares them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backproplab.autograd.ops import (  # noqa: F401  # imported to be declared
    activations,
    convolution,
    elementwise,
    exponential,
    factorizations,
    fused,
    indexing,
    linalg,
    logits,
    lookup,
    normalization,
    pooling,
    random,
    reductions,
    shapes,
    sorting,
    special,
    statistics,
    storage,
    summation,
    trigonometric,
    windows,
)
from backproplab.autograd.primitive import FUNCTIONS
from backproplab.errors import did_you_mean


def __getattr__(name: str) -> Callable[..., Any]:
    if name not in FUNCTIONS:
        raise AttributeError(f"no op {name!r}; {did_you_mean(name, FUNCTIONS)}")
    return FUNCTIONS[name]


def __dir__() -> list[str]:
    return sorted(FUNCTIONS)
