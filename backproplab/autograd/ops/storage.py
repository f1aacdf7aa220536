"""Making arrays from a shape, and writing to one: what a step does besides computing.

An array that a step makes for itself comes from here, so that a recorder knows of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.lowering import elementwise, into
from backproplab.autograd.primitive import composition, primitive
from backproplab.autograd.samples import reals, sample
from backproplab.autograd.tensor import Array, Tensor

full_like = primitive(
    "full_like",
    into(np.full_like),
    vjp=[None],
    samples=reals((3, 4), fill_value=2.0),
    doc="``fill_value`` everywhere, in the shape and type of x; a constant to a gradient.",
    shape_only=True,
)


@composition
def ones_like(x: Any) -> Tensor:
    """1 everywhere, in the shape and type of x; a constant to a gradient."""
    return full_like(x, fill_value=1)


@composition
def zeros_like(x: Any) -> Tensor:
    """0 everywhere, in the shape and type of x; a constant to a gradient."""
    return full_like(x, fill_value=0)


def _assign(target: Array, value: Array, out: Array | None = None) -> Array:
    np.copyto(target, value)
    return target


assign = primitive(
    "assign",
    _assign,
    vjp=[None, None],
    samples=sample(lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((1, 4)))),
    doc="Write b over a. The one op that changes an input: for statistics that no gradient moves.",
    view=True,
    effect=True,
    lowering=elementwise.assign,
)
