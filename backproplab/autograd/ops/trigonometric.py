"""Circular and hyperbolic functions and their inverses."""

from __future__ import annotations

from math import pi
from typing import Any

import numpy as np

from backproplab.autograd.ops.elementwise import absolute, equal, less, nan_where, where
from backproplab.autograd.ops.exponential import sqrt, square
from backproplab.autograd.primitive import Op, composition, primitive
from backproplab.autograd.samples import reals, uniform
from backproplab.autograd.tensor import Tensor

WITHIN_1 = uniform((3, 4), low=-0.9, high=0.9)
ABOVE_1 = uniform((3, 4), low=1.1, high=3.0)

sin: Op = primitive(
    "sin", np.sin, vjp=[lambda g, y, x: g * cos(x)], samples=reals((3, 4)), doc="sin x."
)
cos: Op = primitive(
    "cos", np.cos, vjp=[lambda g, y, x: -g * sin(x)], samples=reals((3, 4)), doc="cos x."
)
tan = primitive(
    "tan",
    np.tan,
    vjp=[lambda g, y, x: g * (1 + square(y))],
    samples=uniform((3, 4), low=-1.2, high=1.2),
    doc="tan x.",
)
arcsin = primitive(
    "arcsin",
    np.arcsin,
    vjp=[lambda g, y, x: g / sqrt((1 - x) * (1 + x))],
    samples=WITHIN_1,
    doc="The angle in [-π/2, π/2] whose sine is x.",
)
arccos = primitive(
    "arccos",
    np.arccos,
    vjp=[lambda g, y, x: -g / sqrt((1 - x) * (1 + x))],
    samples=WITHIN_1,
    doc="The angle in [0, π] whose cosine is x.",
)
arctan = primitive(
    "arctan",
    np.arctan,
    vjp=[lambda g, y, x: g / (1 + square(x))],
    samples=reals((3, 4)),
    doc="The angle in (-π/2, π/2) whose tangent is x.",
)
arctan2 = primitive(
    "arctan2",
    np.arctan2,
    vjp=[
        lambda g, y, a, b: g * (b / hypot(a, b) / hypot(a, b)),  # a² may overflow
        lambda g, y, a, b: -g * (a / hypot(a, b) / hypot(a, b)),
    ],
    samples=[reals((3, 4), (3, 4)), reals((3, 4), (1, 4))],
    doc="The angle of the point (b, a), in (-π, π].",
)
hypot: Op = primitive(
    "hypot",
    np.hypot,
    vjp=[
        lambda g, y, a, b: g * (a / where(equal(y, 0), 1.0, y)),
        lambda g, y, a, b: g * (b / where(equal(y, 0), 1.0, y)),
    ],
    samples=[reals((3, 4), (3, 4)), reals((3, 4), (1, 4))],
    doc="√(a² + b²), without overflow; derivative 0 at 0.",
)
sinh: Op = primitive(
    "sinh", np.sinh, vjp=[lambda g, y, x: g * cosh(x)], samples=reals((3, 4)), doc="sinh x."
)
cosh: Op = primitive(
    "cosh", np.cosh, vjp=[lambda g, y, x: g * sinh(x)], samples=reals((3, 4)), doc="cosh x."
)
tanh = primitive(
    "tanh", np.tanh, vjp=[lambda g, y, x: g * (1 - y * y)], samples=reals((3, 4)), doc="tanh x."
)
arcsinh = primitive(
    "arcsinh",
    np.arcsinh,
    vjp=[lambda g, y, x: g / hypot(x, 1.0)],
    samples=reals((3, 4)),
    doc="The number whose sinh is x.",
)
arccosh = primitive(
    "arccosh",
    np.arccosh,
    vjp=[lambda g, y, x: g / (sqrt(x - 1) * sqrt(x + 1))],
    samples=ABOVE_1,
    doc="The number ≥ 0 whose cosh is x.",
)
arctanh = primitive(
    "arctanh",
    np.arctanh,
    vjp=[lambda g, y, x: nan_where(g / ((1 - x) * (1 + x)), y)],
    samples=WITHIN_1,
    doc="The number whose tanh is x.",
)


@composition
def deg2rad(x: Any) -> Tensor:
    """Degrees as radians."""
    return x * (pi / 180)


@composition
def rad2deg(x: Any) -> Tensor:
    """Radians as degrees."""
    return x * (180 / pi)


@composition
def sinc(x: Any) -> Tensor:
    """sin(πx) / (πx); near 0 by its series, so that derivatives up to order 8 are right there."""
    t = pi * x
    near = less(absolute(t), 0.1)
    s = square(where(near, t, 0.0))
    series = 1.0 + s * (-1 / 6 + s * (1 / 120 + s * (-1 / 5040 + s / 362880)))
    far = where(near, 1.0, t)
    return where(near, series, sin(far) / far)
