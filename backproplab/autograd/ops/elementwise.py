"""Elementwise arithmetic, rounding, comparisons and choices.

Conventions at kinks and ties: |x|' = 0 at 0; if both arguments of maximum or minimum are equal,
the first gets the whole gradient.

Conventions of every op, at numbers where a function has no value or no derivative:

- NaN in, NaN out; and the gradient by that input is NaN, unless the derivative is the same for all
  its values (a sum), or 0 (a step function, a comparison). nan_to_num is the exception.
- outside the domain, such as the logarithm of -1, value and gradient are NaN.
- at the edge of the domain the derivative is its limit from inside, which may be infinite:
  √x and ln x at 0, and xˣ at 0 (-∞).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.lowering import elementwise, into
from backproplab.autograd.ops.shapes import summed_like
from backproplab.autograd.primitive import Op, composition, lift, primitive
from backproplab.autograd.samples import reals, sample, uniform
from backproplab.autograd.tensor import Tensor

PAIR = [reals((3, 4), (3, 4)), reals((3, 4), (1, 4)), reals((2, 3, 1), (2, 1, 4))]

add = primitive(
    "add",
    np.add,
    lowering=elementwise.add,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: g],
    samples=PAIR,
    doc="a + b.",
)
subtract = primitive(
    "subtract",
    np.subtract,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: -summed_like(g, b)],
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


def flat(name: str, ufunc: Any, doc: str) -> Op:
    """The op of a step function: its derivative is 0 where it exists."""
    return primitive(name, ufunc, vjp=[None], samples=reals((3, 4)), doc=doc)


sign = flat("sign", np.sign, "-1, 0 or 1; a constant to a gradient.")
floor = flat("floor", np.floor, "The largest whole number ≤ x; a constant to a gradient.")
ceil = flat("ceil", np.ceil, "The smallest whole number ≥ x; a constant to a gradient.")
rint = flat("rint", np.rint, "The nearest whole number, halves to even; a constant to a gradient.")
trunc = flat("trunc", np.trunc, "x without its fraction; a constant to a gradient.")
isfinite = flat("isfinite", np.isfinite, "Where x is neither infinite nor NaN.")
isnan = flat("isnan", np.isnan, "Where x is NaN.")
isinf = flat("isinf", np.isinf, "Where x is infinite.")
logical_not = flat("logical_not", np.logical_not, "Where x is zero or false.")
absolute = primitive(
    "absolute",
    np.absolute,
    vjp=[lambda g, y, x: g * sign(x)],
    samples=reals((3, 4)),
    doc="|x|; derivative 0 at 0.",
)


def compare(name: str, ufunc: Any, symbol: str) -> Op:
    """The op of a comparison: its result is boolean, and a constant to a gradient."""
    return primitive(
        name, ufunc, vjp=[None, None], samples=reals((3, 4), (3, 4)), doc=f"a {symbol} b."
    )


greater = compare("greater", np.greater, ">")
greater_equal = compare("greater_equal", np.greater_equal, "≥")
less = compare("less", np.less, "<")
less_equal = compare("less_equal", np.less_equal, "≤")
equal: Op = compare("equal", np.equal, "=")
not_equal = compare("not_equal", np.not_equal, "≠")
logical_and = compare("logical_and", np.logical_and, "and")
logical_or = compare("logical_or", np.logical_or, "or")
logical_xor = compare("logical_xor", np.logical_xor, "xor")
floor_divide = primitive(
    "floor_divide",
    np.floor_divide,
    vjp=[None, None],
    samples=reals((3, 4), (3, 4)),
    doc="⌊a / b⌋; a constant to a gradient.",
)
remainder = primitive(
    "remainder",
    np.remainder,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: -g * floor(a / b)],
    samples=uniform((3, 4), (1, 4), low=1.1, high=1.9),
    doc="a - b ⌊a / b⌋: the remainder of a division, with the sign of b.",
)


where: Op = primitive(
    "where",
    into(np.where),
    lowering=elementwise.where,
    vjp=[
        None,
        lambda g, y, condition, a, b: where(condition, g, 0.0),
        lambda g, y, condition, a, b: where(condition, 0.0, g),
    ],
    samples=sample(lambda rng: (rng.random((3, 4)) < 0.5, *rng.standard_normal((2, 3, 4)))),
    doc="a where the condition holds, else b.",
)


nan_where: Op = primitive(
    "nan_where",
    into(lambda g, y: np.where(np.isnan(y), g.dtype.type(np.nan), g)),
    in_place=True,
    lowering=elementwise.nan_where,
    vjp=[lambda u, out, g, y: nan_where(u, y), None],
    samples=PAIR,
    doc="g, but NaN where y is NaN: what is derived from a comparison with NaN is unknown.",
)


def extremum(name: str, ufunc: Any, wins: Any, wins_strictly: Any, word: str) -> Op:
    """The op maximum or minimum: the chosen argument gets the gradient, at a tie the first one."""
    return primitive(
        name,
        ufunc,
        vjp=[
            lambda g, y, a, b: nan_where(where(wins(a, b), g, 0.0), y),
            lambda g, y, a, b: nan_where(where(wins_strictly(b, a), g, 0.0), y),
        ],
        samples=sample(_two_distinct),
        doc=f"The {word} of a and b.",
    )


def _two_distinct(rng: np.random.Generator) -> tuple[Any, Any]:
    both = 0.1 * rng.permutation(24).reshape(2, 3, 4) - 1
    return both[0], both[1]


maximum = extremum("maximum", np.maximum, greater_equal, greater, "larger")
minimum = extremum("minimum", np.minimum, less_equal, less, "smaller")


@composition
def clip(
    x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None
) -> Tensor:
    """x limited to [a_min, a_max] (None: no bound); at a bound x gets the gradient.

    min, max: NumPy's other names of the bounds.
    """
    a_min, a_max = (min if a_min is None else a_min), (max if a_max is None else a_max)
    x = x if a_min is None else maximum(x, a_min)
    return x if a_max is None else minimum(x, a_max)


@composition
def positive(x: Any) -> Tensor:
    """x itself."""
    return multiply(x, True)  # a truth value stays one


@composition
def round(x: Any, *, decimals: int = 0) -> Tensor:
    """x rounded to ``decimals`` decimals, halves to even; a constant to a gradient."""
    scale = 10.0**decimals
    return rint(multiply(x, scale)) / scale if decimals else rint(x)


@composition
def nan_to_num(
    x: Any, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Tensor:
    """x with each NaN replaced by ``nan``, and infinities by ``posinf`` and ``neginf`` (None: the
    largest and the smallest finite number)."""
    kind = np.finfo(lift(x)[0].dtype)
    top = kind.max.item() if posinf is None else posinf
    bottom = kind.min.item() if neginf is None else neginf
    infinite = where(greater(x, 0), top, bottom)
    return where(isnan(x), nan, where(isinf(x), infinite, x))


fmax: Op = primitive(
    "fmax",
    np.fmax,
    vjp=[
        lambda g, y, a, b: where(logical_or(greater_equal(a, b), isnan(b)), g, 0.0),
        lambda g, y, a, b: where(logical_or(greater(b, a), isnan(a)), g, 0.0),
    ],
    samples=sample(_two_distinct),
    doc="The larger of a and b; the other one where one is NaN.",
)
fmin: Op = primitive(
    "fmin",
    np.fmin,
    vjp=[
        lambda g, y, a, b: where(logical_or(less_equal(a, b), isnan(b)), g, 0.0),
        lambda g, y, a, b: where(logical_or(less(b, a), isnan(a)), g, 0.0),
    ],
    samples=sample(_two_distinct),
    doc="The smaller of a and b; the other one where one is NaN.",
)
fmod = primitive(
    "fmod",
    np.fmod,
    vjp=[lambda g, y, a, b: g, lambda g, y, a, b: -g * trunc(a / b)],
    samples=uniform((3, 4), (1, 4), low=1.1, high=1.9),
    doc="The remainder of a / b with the sign of a.",
)
copysign: Op = primitive(
    "copysign",
    np.copysign,
    vjp=[lambda g, y, a, b: g * sign(a) * copysign(1.0, b), None],
    samples=reals((3, 4), (3, 4)),
    doc="|a| with the sign of b.",
)
heaviside = primitive(
    "heaviside",
    np.heaviside,
    vjp=[None, lambda g, y, a, b: where(equal(a, 0), g, 0.0)],
    samples=reals((3, 4), (3, 4)),
    doc="0 where a < 0, b where a = 0, 1 where a > 0.",
)
