"""Random arrays as ops, so that each run of a recorded step draws new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import elementwise, into
from backproplab.autograd.primitive import primitive
from backproplab.autograd.samples import reals


def _dropout_mask(x: Array, rate: Any, generator: Any) -> Array:
    kept = generator.random(x.shape, dtype=np.float32) >= rate
    return np.multiply(kept, 1 / (1 - rate), dtype=x.dtype)


dropout_mask = primitive(
    "dropout_mask",
    into(_dropout_mask),
    effect=True,
    lowering=elementwise.dropout_mask,
    vjp=[None],
    samples=reals((3, 4), rate=0.5, generator=np.random.default_rng(0)),
    doc="0 with probability ``rate``, else 1 / (1 - rate), in the shape and type of x. For a "
    "population: a column of rates, and ``Streams`` with a generator for each member.",
)


def _normal_noise(x: Array, generator: Any, out: Array | None = None) -> Array:
    drawn = np.empty(x.shape, x.dtype) if out is None else out
    generator.standard_normal(dtype=x.dtype.type, out=drawn)
    return drawn


normal_noise = primitive(
    "normal_noise",
    _normal_noise,
    effect=True,
    vjp=[None],
    samples=reals((3, 4), generator=np.random.default_rng(0)),
    doc="Independent standard normal numbers, in the shape and type of x. For a population: "
    "``Streams`` with a generator for each member.",
)
