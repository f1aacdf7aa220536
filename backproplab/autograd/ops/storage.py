"""Arrays from a shape, and writing to an array.

A step uses these ops to create arrays, so that a recorder knows them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import elementwise, into
from backproplab.autograd.primitive import composition, primitive
from backproplab.autograd.samples import reals, sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _fill(x: Any, fill_value: Any) -> dict[str, Any]:
    if np.iscomplexobj(fill_value):
        raise GraphError(f"full_like: fill_value must be real, not complex: {fill_value}")
    return {"fill_value": fill_value}


full_like = primitive(
    "full_like",
    into(np.full_like),
    vjp=[None],
    samples=reals((3, 4), fill_value=2.0),
    settings=_fill,
    doc="An array of ``fill_value`` in the shape and type of x; a constant to a gradient.",
    shape_only=True,
)


@composition
def ones_like(x: Any) -> Tensor:
    """Ones in the shape and type of x; a constant to a gradient."""
    return full_like(x, fill_value=1)


@composition
def zeros_like(x: Any) -> Tensor:
    """Zeros in the shape and type of x; a constant to a gradient."""
    return full_like(x, fill_value=0)


def _assign(target: Array, value: Array, out: Array | None = None) -> Array:
    np.copyto(target, value)
    return target


assign = primitive(
    "assign",
    _assign,
    vjp=[None, None],
    samples=sample(lambda rng: (rng.standard_normal((3, 4)), rng.standard_normal((1, 4)))),
    doc="Writes b over a: the only op that changes an input, for running statistics.",
    view=True,
    effect=True,
    lowering=elementwise.assign,
)
