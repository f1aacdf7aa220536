"""The derivative as a SymPy formula, to compare with the numeric derivative and backprop's.

Only this file imports SymPy, and only when it is called. Without the extra ``symbolic`` the column
shows how to install it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from typing import Any

import numpy as np

from backproplab.autograd import Tensor
from backproplab.autograd.graph import inputs_of, nodes

INSTALL = "install SymPy: pip install 'backproplab[symbolic]'"
SIZE = 250  # most operations of a formula; its derivative may have the square of that
DIGITS = 30  # of the exact evaluation, before it is rounded to a float
PRECISE = 8  # a constant with more digits stays a float, not a fraction


@dataclass(frozen=True)
class Symbolic:
    """A derivative's formula and value at the point; or why there is no formula, and None."""

    formula: str
    value: float | None = None


def derivatives(
    root: Tensor, names: Mapping[int, str], values: Mapping[str, Any]
) -> dict[str, Symbolic]:
    """∂root/∂variable for each variable of ``values``."""
    if problem := _obstacle(root):
        return dict.fromkeys(values, Symbolic(problem))
    try:
        formula = expression(root, names)
        return {name: _derivative(formula, name, values) for name in values}
    except RecursionError:
        return dict.fromkeys(values, Symbolic("nested too deep for SymPy"))


def expression(root: Tensor, names: Mapping[int, str]) -> Any:
    """The graph as a SymPy expression of real symbols."""
    import sympy

    known: dict[str, Any] = {"pi": sympy.pi, "e": sympy.E}
    written: dict[int, Any] = {}
    for tensor in nodes(root):
        name = names.get(id(tensor), "")
        if tensor.node is not None:
            inputs = [written[id(x)] for x in tensor.node.inputs]
            written[id(tensor)] = _forms()[tensor.node.op.name](*inputs)
        elif tensor.tracked:
            written[id(tensor)] = sympy.Symbol(name, real=True)
        else:
            written[id(tensor)] = known[name] if name in known else _constant(tensor.item())
    return written[id(root)]


def _derivative(formula: Any, name: str, values: Mapping[str, float]) -> Symbolic:
    import sympy

    slope = sympy.diff(formula, sympy.Symbol(name, real=True))
    point = {sympy.Symbol(k, real=True): sympy.Float(v, DIGITS) for k, v in values.items()}
    value = slope.xreplace(point).evalf(DIGITS)  # evalf's own subs takes exponential time
    return Symbolic(sympy.sstr(slope), float(value) if value.is_Float or value.is_Integer else None)


def _obstacle(root: Tensor) -> str:
    """Why no formula can be written; "" if one can."""
    if find_spec("sympy") is None:
        return INSTALL
    sizes: dict[int, int] = {}
    for tensor in nodes(root):
        if tensor.ndim:
            return "no formula for vectors"
        if not np.isfinite(tensor.value):
            return "no finite value"
        if tensor.node is not None and tensor.node.op.name not in _forms():
            return f"no formula for {tensor.node.op.name}"
        sizes[id(tensor)] = 1 + sum(sizes[id(x)] for x in inputs_of(tensor))
    size = sizes[id(root)]  # of the formula as text, which repeats shared parts
    return f"{size:,} terms: too long to write" if size > SIZE else ""


def _constant(value: Any) -> Any:
    """3, 1/10 or 0.7071067811865476: a fraction where the digits look like one."""
    import sympy

    real = float(value)
    if 1e-6 <= abs(real) <= 1e6 and len(repr(real).strip("-").replace(".", "")) <= PRECISE:
        return sympy.Rational(repr(real))
    return sympy.Float(real) if real else sympy.Integer(0)


@cache
def _forms() -> dict[str, Callable[..., Any]]:
    """SymPy's form of each op, with the autograd's conventions at kinks and ties."""
    import sympy as s

    def where(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b  # the branch taken at the point

    def cbrt(x: Any) -> Any:
        third = s.Rational(1, 3)
        return s.Piecewise((x**third, x >= 0), (-((-x) ** third), True))

    def largest(a: Any, b: Any) -> Any:
        return s.Piecewise((a, a >= b), (b, True))

    def smallest(a: Any, b: Any) -> Any:
        return s.Piecewise((a, a <= b), (b, True))

    return {
        "add": lambda a, b: a + b, "subtract": lambda a, b: a - b,
        "multiply": lambda a, b: a * b, "divide": lambda a, b: a / b,
        "power": lambda a, b: a**b, "negative": lambda x: -x, "reciprocal": lambda x: 1 / x,
        "square": lambda x: x**2, "sqrt": s.sqrt, "cbrt": cbrt,
        "exp": s.exp, "exp2": lambda x: 2**x, "expm1": lambda x: s.exp(x) - 1,
        "log": s.log, "log2": lambda x: s.log(x, 2), "log10": lambda x: s.log(x, 10),
        "log1p": lambda x: s.log(1 + x), "logaddexp": lambda a, b: s.log(s.exp(a) + s.exp(b)),
        "logaddexp2": lambda a, b: s.log(2**a + 2**b, 2),
        "sin": s.sin, "cos": s.cos, "tan": s.tan,
        "arcsin": s.asin, "arccos": s.acos, "arctan": s.atan, "arctan2": s.atan2,
        "sinh": s.sinh, "cosh": s.cosh, "tanh": s.tanh,
        "arcsinh": s.asinh, "arccosh": s.acosh, "arctanh": s.atanh,
        "hypot": lambda a, b: s.sqrt(a**2 + b**2), "absolute": s.Abs,
        "sigmoid": lambda x: 1 / (1 + s.exp(-x)), "softplus": lambda x: s.log(1 + s.exp(x)),
        "relu": lambda x: s.Piecewise((x, x > 0), (0, True)),
        "maximum": largest, "minimum": smallest, "fmax": largest, "fmin": smallest,
        "erf": s.erf, "erfc": s.erfc, "erfinv": s.erfinv, "where": where,
        "gamma": s.gamma, "gammaln": s.loggamma, "loggamma": s.loggamma, "digamma": s.digamma,
        "rgamma": lambda x: 1 / s.gamma(x), "entr": lambda x: -x * s.log(x),
        "xlogy": lambda x, y: x * s.log(y), "xlog1py": lambda x, y: x * s.log(1 + y),
        "ndtr": lambda x: (1 + s.erf(x / s.sqrt(2))) / 2,
        "j0": lambda x: s.besselj(0, x), "j1": lambda x: s.besselj(1, x),
        "y0": lambda x: s.bessely(0, x), "y1": lambda x: s.bessely(1, x),
        "i0": lambda x: s.besseli(0, x), "i1": lambda x: s.besseli(1, x),
    }  # fmt: skip
