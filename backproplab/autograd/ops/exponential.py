"""Powers, roots, exponentials and logarithms."""

from __future__ import annotations

from math import log as ln

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import elementwise
from backproplab.autograd.ops.elementwise import equal, greater, logical_and, nan_where, where
from backproplab.autograd.primitive import Op, composition, primitive
from backproplab.autograd.samples import positives, reals, uniform
from backproplab.autograd.tensor import Tensor

square = primitive(
    "square", np.square, vjp=[lambda g, y, x: g * (2 * x)], samples=reals((3, 4)), doc="x²."
)
sqrt = primitive(
    "sqrt", np.sqrt, vjp=[lambda g, y, x: 0.5 * g / y], samples=positives((3, 4)), doc="√x."
)
cbrt = primitive(
    "cbrt",
    np.cbrt,
    vjp=[lambda g, y, x: g / (3 * square(y))],
    samples=reals((3, 4)),
    doc="The cube root of x, of either sign.",
)
reciprocal = primitive(
    "reciprocal",
    np.reciprocal,
    vjp=[lambda g, y, x: -g * square(y)],
    samples=reals((3, 4)),
    doc="1 / x.",
)
exp = primitive("exp", np.exp, vjp=[lambda g, y, x: g * y], samples=reals((3, 4)), doc="eˣ.")
exp2 = primitive(
    "exp2", np.exp2, vjp=[lambda g, y, x: g * (ln(2) * y)], samples=reals((3, 4)), doc="2ˣ."
)
expm1 = primitive(
    "expm1",
    np.expm1,
    vjp=[lambda g, y, x: g * (y + 1)],
    samples=reals((3, 4)),
    doc="eˣ - 1, exact for small x.",
)
log = primitive(
    "log",
    np.log,
    vjp=[lambda g, y, x: nan_where(g / x, y)],
    samples=positives((3, 4)),
    doc="ln x.",
)
log2 = primitive(
    "log2",
    np.log2,
    vjp=[lambda g, y, x: nan_where(g / (ln(2) * x), y)],
    samples=positives((3, 4)),
    doc="The logarithm of x to base 2.",
)
log10 = primitive(
    "log10",
    np.log10,
    vjp=[lambda g, y, x: nan_where(g / (ln(10) * x), y)],
    samples=positives((3, 4)),
    doc="The logarithm of x to base 10.",
)
log1p = primitive(
    "log1p",
    np.log1p,
    vjp=[lambda g, y, x: nan_where(g / (1 + x), y)],
    samples=uniform((3, 4), low=-0.8, high=2.0),
    doc="ln(1 + x), exact for small x.",
)


def _sigmoid(x: Array, out: Array | None = None) -> Array:
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the right 0
        y = np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(y, 1, out=out), out=out)


sigmoid = primitive(
    "sigmoid",
    _sigmoid,
    in_place=True,
    lowering=elementwise.sigmoid,
    vjp=[lambda g, y, x: g * (y * (1 - y))],
    samples=reals((3, 4)),
    doc="1 / (1 + e⁻ˣ), without overflow.",
)
logaddexp = primitive(
    "logaddexp",
    np.logaddexp,
    vjp=[  # not exp(a - y): the digits that this needs are rounded off in y
        lambda g, y, a, b: g * sigmoid(a - b),
        lambda g, y, a, b: g * sigmoid(b - a),
    ],
    samples=[reals((3, 4), (3, 4)), reals((3, 4), (1, 4))],
    doc="ln(eᵃ + eᵇ), without overflow.",
)
logaddexp2 = primitive(
    "logaddexp2",
    np.logaddexp2,
    vjp=[
        lambda g, y, a, b: g * sigmoid(ln(2) * (a - b)),
        lambda g, y, a, b: g * sigmoid(ln(2) * (b - a)),
    ],
    samples=reals((3, 4), (3, 4)),
    doc="log₂(2ᵃ + 2ᵇ), without overflow.",
)


def _base_not_0(a: Tensor, b: Tensor) -> Tensor:
    """a; 1 where a = b = 0, as 0 · 0⁻¹ is not the derivative of a⁰."""
    return where(logical_and(equal(a, 0), equal(b, 0)), 1.0, a)


def _log_of_base(a: Tensor, b: Tensor) -> Tensor:
    """ln a; 0 where aᵇ = 0 for this b and all near it."""
    return log(where(logical_and(equal(a, 0), greater(b, 0)), 1.0, a))


power: Op = primitive(
    "power",
    np.power,
    vjp=[
        lambda g, y, a, b: g * b * power(_base_not_0(a, b), b - 1),
        lambda g, y, a, b: g * (y * _log_of_base(a, b)),
    ],
    samples=[positives((3, 4), (3, 4)), positives((3, 4), (1, 4))],
    doc="aᵇ. The derivative by b is aᵇ ln a: NaN where a < 0; where a = 0, it is 0 if b > 0, else "
    "-∞. The derivative by a is 0 where b = 0.",
)


@composition
def float_power(a: Tensor, b: Tensor) -> Tensor:
    """aᵇ, in floats even for whole numbers."""
    return power(1.0 * a, b)
