"""Powers, roots, exponentials and logarithms."""

from __future__ import annotations

from math import log as ln

import numpy as np

from backproplab.autograd.ops.elementwise import equal, greater, where
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
log = primitive("log", np.log, vjp=[lambda g, y, x: g / x], samples=positives((3, 4)), doc="ln x.")
log2 = primitive(
    "log2",
    np.log2,
    vjp=[lambda g, y, x: g / (ln(2) * x)],
    samples=positives((3, 4)),
    doc="The logarithm of x to base 2.",
)
log10 = primitive(
    "log10",
    np.log10,
    vjp=[lambda g, y, x: g / (ln(10) * x)],
    samples=positives((3, 4)),
    doc="The logarithm of x to base 10.",
)
log1p = primitive(
    "log1p",
    np.log1p,
    vjp=[lambda g, y, x: g / (1 + x)],
    samples=uniform((3, 4), low=-0.8, high=2.0),
    doc="ln(1 + x), exact for small x.",
)
logaddexp = primitive(
    "logaddexp",
    np.logaddexp,
    vjp=[lambda g, y, a, b: g * exp(a - y), lambda g, y, a, b: g * exp(b - y)],
    samples=[reals((3, 4), (3, 4)), reals((3, 4), (1, 4))],
    doc="ln(eᵃ + eᵇ), without overflow.",
)
logaddexp2 = primitive(
    "logaddexp2",
    np.logaddexp2,
    vjp=[lambda g, y, a, b: g * exp2(a - y), lambda g, y, a, b: g * exp2(b - y)],
    samples=reals((3, 4), (3, 4)),
    doc="log₂(2ᵃ + 2ᵇ), without overflow.",
)


def _log_where_positive(a: Tensor) -> Tensor:
    positive = greater(a, 0)
    return where(positive, log(where(positive, a, 1.0)), 0.0)


power: Op = primitive(
    "power",
    np.power,
    vjp=[
        lambda g, y, a, b: g * b * power(a, where(equal(b, 0), 1.0, b - 1)),
        lambda g, y, a, b: g * y * _log_where_positive(a),
    ],
    samples=[positives((3, 4), (3, 4)), positives((3, 4), (1, 4))],
    doc="aᵇ; the derivative by b is 0 where a ≤ 0.",
)


@composition
def float_power(a: Tensor, b: Tensor) -> Tensor:
    """aᵇ, in floats even for whole numbers."""
    return power(1.0 * a, b)
