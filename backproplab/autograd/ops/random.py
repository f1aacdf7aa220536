"""Random arrays as ops, so that a recorded step can draw them afresh."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from backproplab.autograd.primitive import Array, into, primitive
from backproplab.autograd.samples import reals


def _dropout_mask(x: Array, rate: Any, generator: Any) -> Array:
    kept = generator.random(x.shape, dtype=np.float32) >= rate
    return np.multiply(kept, 1 / (1 - rate), dtype=x.dtype)


def _prepare_mask(x: Array, out: Array, rate: Any, generator: Any) -> list[Any]:
    drawn, kept = np.empty(x.shape, np.float32), np.empty(x.shape, bool)
    return [
        partial(generator.random, dtype=np.float32, out=drawn),
        partial(np.greater_equal, drawn, rate, kept),
        partial(np.multiply, kept, 1 / (1 - rate), out, dtype=x.dtype),
    ]


dropout_mask = primitive(
    "dropout_mask",
    into(_dropout_mask),
    effect=True,
    prepare=_prepare_mask,
    vjp=[None],
    samples=reals((3, 4), rate=0.5, generator=np.random.default_rng(0)),
    doc="0 with probability ``rate``, else 1 / (1 - rate), in the shape and type of x; of a "
    "population, with a column of rates and a generator for each member.",
)
