"""Elementwise arithmetic, exponentials, comparisons and choices.

Conventions at kinks and ties: |x|' = 0 at 0; of two equal arguments of maximum or minimum the
first gets the whole gradient.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.primitive import Op, into, primitive
from backproplab.autograd.samples import positives, reals, sample, uniform
from backproplab.autograd.tensor import Tensor

PAIR = [reals((3, 4), (3, 4)), reals((3, 4), (1, 4)), reals((2, 3, 1), (2, 1, 4))]

add = primitive(
    "add",
    np.add,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: g],
    samples=PAIR,
    doc="a + b.",
)
subtract = primitive(
    "subtract",
    np.subtract,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: -g],
    samples=PAIR,
    doc="a - b.",
)
multiply = primitive(
    "multiply",
    np.multiply,
    vjp=[lambda g, y, a, b: g * b, lambda g, y, a, b: g * a],
    samples=PAIR,
    doc="a b.",
)
divide = primitive(
    "divide",
    np.divide,
    vjp=[lambda g, y, a, b: g / b, lambda g, y, a, b: -g * y / b],
    samples=PAIR,
    doc="a / b.",
)
negative = primitive(
    "negative", np.negative, vjp=[lambda g, y, x: -g], samples=reals((3, 4)), doc="-x."
)
square = primitive(
    "square", np.square, vjp=[lambda g, y, x: g * (2 * x)], samples=reals((3, 4)), doc="x²."
)
sqrt = primitive(
    "sqrt", np.sqrt, vjp=[lambda g, y, x: 0.5 * g / y], samples=positives((3, 4)), doc="√x."
)
exp = primitive("exp", np.exp, vjp=[lambda g, y, x: g * y], samples=reals((3, 4)), doc="eˣ.")
expm1 = primitive(
    "expm1",
    np.expm1,
    vjp=[lambda g, y, x: g * (y + 1)],
    samples=reals((3, 4)),
    doc="eˣ - 1, exact for small x.",
)
log = primitive("log", np.log, vjp=[lambda g, y, x: g / x], samples=positives((3, 4)), doc="ln x.")
log1p = primitive(
    "log1p",
    np.log1p,
    vjp=[lambda g, y, x: g / (1 + x)],
    samples=uniform((3, 4), low=-0.8, high=2.0),
    doc="ln(1 + x), exact for small x.",
)
sign: Op = primitive(
    "sign", np.sign, vjp=[None], samples=reals((3, 4)), doc="-1, 0 or 1; a constant to a gradient."
)
absolute = primitive(
    "absolute",
    np.absolute,
    vjp=[lambda g, y, x: g * sign(x)],
    samples=reals((3, 4)),
    doc="|x|; derivative 0 at 0.",
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


def compare(name: str, ufunc: Any, symbol: str) -> Op:
    """A comparison: a boolean array, a constant to a gradient."""
    return primitive(
        name, ufunc, vjp=[None, None], samples=reals((3, 4), (3, 4)), doc=f"a {symbol} b."
    )


greater = compare("greater", np.greater, ">")
greater_equal = compare("greater_equal", np.greater_equal, "≥")
less = compare("less", np.less, "<")
less_equal = compare("less_equal", np.less_equal, "≤")
equal: Op = compare("equal", np.equal, "=")
not_equal = compare("not_equal", np.not_equal, "≠")

where: Op = primitive(
    "where",
    into(np.where),
    vjp=[
        None,
        lambda g, y, condition, a, b: where(condition, g, 0.0),
        lambda g, y, condition, a, b: where(condition, 0.0, g),
    ],
    samples=sample(lambda rng: (rng.random((3, 4)) < 0.5, *rng.standard_normal((2, 3, 4)))),
    doc="a where the condition holds, else b.",
)


def extremum(name: str, ufunc: Any, wins: Any, wins_strictly: Any, word: str) -> Op:
    """maximum or minimum: the gradient goes to the winner, at a tie to the first."""
    return primitive(
        name,
        ufunc,
        vjp=[
            lambda g, y, a, b: where(wins(a, b), g, 0.0),
            lambda g, y, a, b: where(wins_strictly(b, a), g, 0.0),
        ],
        samples=sample(_two_distinct),
        doc=f"The {word} of a and b.",
    )


def _two_distinct(rng: np.random.Generator) -> tuple[Any, Any]:
    both = 0.1 * rng.permutation(24).reshape(2, 3, 4) - 1
    return both[0], both[1]


maximum = extremum("maximum", np.maximum, greater_equal, greater, "larger")
minimum = extremum("minimum", np.minimum, less_equal, less, "smaller")
