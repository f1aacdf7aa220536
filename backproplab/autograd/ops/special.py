"""The special functions of SciPy: gamma, beta, error and Bessel functions.

Each has SciPy's name and value. Derivatives exist by the argument, and by a parameter where it is
an elementary expression of functions of this file. SciPy is imported when a function is called.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from math import log as ln
from math import pi
from math import sqrt as root
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into
from backproplab.autograd.ops.elementwise import equal, less, nan_where, sign, where
from backproplab.autograd.ops.exponential import exp, log, log1p, square
from backproplab.autograd.ops.trigonometric import cos
from backproplab.autograd.primitive import Op, Rule, composition, primitive
from backproplab.autograd.samples import Sample, reals, sample, uniform
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


@cache
def _scipys(name: str) -> Callable[..., Array]:
    from scipy import special

    function: Callable[..., Array] = getattr(special, name)
    return function


def _called(name: str, *arrays: Array) -> Array:
    return _scipys(name)(*arrays)


def _special(name: str, doc: str, samples: Sample | list[Sample], *vjp: Rule | None) -> Op:
    return primitive(name, into(partial(_called, name)), vjp=vjp, samples=samples, doc=doc)


def _bessel(name: str, doc: str, rule: Rule, scipys: str = "") -> Op:
    """A function of an order, which is a constant to a gradient, and x; in the type of x."""
    forward = lambda n, x: _called(scipys or name, n, x).astype(np.result_type(x, np.float16))
    return primitive(name, into(forward), vjp=[None, rule], samples=ORDER, doc=doc)


ABOVE = uniform((3, 4), low=0.4, high=4.0)
ORDER = sample(lambda rng: (rng.integers(0, 3, (3, 4)), rng.uniform(0.4, 4.0, (3, 4))))
PARTS = uniform((3, 4), (3, 4), low=0.4, high=4.0)


def _polygamma(n: Array, x: Array) -> Array:
    """SciPy's, and for -1000 < x < 0, where it has NaN, by ψₙ(x) = ψₙ(x + 1) - (-1)ⁿ n! / xⁿ⁺¹."""
    kind = np.result_type(x, np.float16)
    if x.size and not (x < 0).any():
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(_called("polygamma", n, x), kind)
    right, sign = np.array(x, copy=True), np.where(n % 2, -1.0, 1.0)
    steps = np.zeros(np.broadcast(n, x).shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        while (low := (right < 0) & (right > -1000)).any():
            steps = steps + np.where(low, 1 / np.where(low, right, 1.0) ** (n + 1), 0.0)
            right = np.where(low, right + 1, right)
        y = _called("polygamma", n, right) - sign * _called("gamma", n + 1.0) * steps
    return np.asarray(y, kind)


polygamma: Op = primitive(
    "polygamma",
    into(_polygamma),
    vjp=[None, lambda g, y, n, x: g * polygamma(n + 1, x)],
    samples=sample(lambda rng: (rng.integers(0, 3, (3, 4)), rng.uniform(0.4, 4.0, (3, 4)))),
    doc="The derivative number n + 1 of ln Γ.",
)
digamma: Op = _special(
    "digamma", "The derivative of ln Γ.", ABOVE, lambda g, y, x: nan_where(g * polygamma(1, x), y)
)
gammaln: Op = _special("gammaln", "ln |Γ(x)|.", ABOVE, lambda g, y, x: g * digamma(x))
loggamma: Op = _special(
    "loggamma", "ln Γ(x) for x > 0.", ABOVE, lambda g, y, x: nan_where(g * digamma(x), y)
)
gamma: Op = _special("gamma", "Γ(x).", ABOVE, lambda g, y, x: g * (y * digamma(x)))
rgamma: Op = _special("rgamma", "1 / Γ(x).", ABOVE, lambda g, y, x: g * _rgamma_slope(y, x))
gammasgn = _special("gammasgn", "The sign of Γ(x); a constant to a gradient.", ABOVE, None)
gammainc: Op = _special(
    "gammainc", "The lower regularized incomplete gamma function P(a, x).", PARTS,
    None, lambda g, y, a, x: g * exp(_log_gamma_density(a, x)),
)  # fmt: skip
gammaincc: Op = _special(
    "gammaincc", "The upper regularized incomplete gamma function 1 - P(a, x).", PARTS,
    None, lambda g, y, a, x: -g * exp(_log_gamma_density(a, x)),
)  # fmt: skip
betainc: Op = _special(
    "betainc", "The regularized incomplete beta function I_x(a, b).",
    sample(lambda rng: (*rng.uniform(0.5, 3, (2, 3, 4)), rng.uniform(0.1, 0.9, (3, 4)))),
    None, None,
    lambda g, y, a, b, x: g * exp(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)),
)  # fmt: skip
xlogy: Op = _special(
    "xlogy", "a ln b; 0 where a = 0.", PARTS,
    lambda g, y, a, b: g * where(equal(a, 0), 0.0, log(where(equal(a, 0), 1.0, b))),
    lambda g, y, a, b: g * where(equal(a, 0), 0.0, a / where(equal(a, 0), 1.0, b)),
)  # fmt: skip
xlog1py: Op = _special(
    "xlog1py", "a ln(1 + b); 0 where a = 0.", PARTS,
    lambda g, y, a, b: g * where(equal(a, 0), 0.0, log1p(where(equal(a, 0), 1.0, b))),
    lambda g, y, a, b: g * where(equal(a, 0), 0.0, a / where(equal(a, 0), 1.0, 1 + b)),
)  # fmt: skip
entr: Op = _special("entr", "-x ln x; 0 at 0.", ABOVE, lambda g, y, x: -g * (log(x) + 1))

erfinv: Op = _special(
    "erfinv", "The number whose erf is x.", uniform((3, 4), low=-0.9, high=0.9),
    lambda g, y, x: g * (root(pi) / 2 * exp(square(y))),
)  # fmt: skip
erfcinv: Op = _special(
    "erfcinv", "The number whose erfc is x.", uniform((3, 4), low=0.2, high=1.8),
    lambda g, y, x: -g * (root(pi) / 2 * exp(square(y))),
)  # fmt: skip
erfcx: Op = _special(
    "erfcx", "exp(x²) erfc(x), without overflow.", reals((3, 4)),
    lambda g, y, x: g * (2 * x * y - 2 / root(pi)),
)  # fmt: skip
dawsn: Op = _special(
    "dawsn", "Dawson's integral.", reals((3, 4)), lambda g, y, x: g * (1 - 2 * x * y)
)
ndtr: Op = _special(
    "ndtr", "The distribution function of the normal distribution.", reals((3, 4)),
    lambda g, y, x: g * (exp(-0.5 * square(x)) / root(2 * pi)),
)  # fmt: skip
log_ndtr: Op = _special(
    "log_ndtr", "ln ndtr(x), exact far below 0.", reals((3, 4)),
    lambda g, y, x: g * (root(2 / pi) / erfcx(x * -root(0.5))),
)  # fmt: skip
ndtri: Op = _special(
    "ndtri", "The inverse of ndtr.", uniform((3, 4), low=0.1, high=0.9),
    lambda g, y, x: g * (root(2 * pi) * exp(0.5 * square(y))),
)  # fmt: skip

stdtr: Op = _special(
    "stdtr", "The distribution function of Student's t with n degrees of freedom.", PARTS,
    None, lambda g, y, n, x: g * exp(_log_t_density(x, n)),
)  # fmt: skip

j0: Op = _special("j0", "Bessel's J₀.", ABOVE, lambda g, y, x: -g * j1(x))
j1: Op = _special("j1", "Bessel's J₁.", ABOVE, lambda g, y, x: g * (0.5 * (j0(x) - jv(2, x))))
y0: Op = _special("y0", "Bessel's Y₀.", ABOVE, lambda g, y, x: -g * y1(x))
y1: Op = _special("y1", "Bessel's Y₁.", ABOVE, lambda g, y, x: g * (0.5 * (y0(x) - yn(2, x))))
jv: Op = _bessel(
    "jv", "Bessel's J of order n.",
    lambda g, y, n, x: g * (0.5 * (jv(n - 1, x) - jv(n + 1, x))),
)  # fmt: skip
yn: Op = _bessel(
    "yn", "Bessel's Y of order n.",
    lambda g, y, n, x: g * (0.5 * (yn(n - 1, x) - yn(n + 1, x))), scipys="yv",
)  # fmt: skip
iv: Op = _bessel(
    "iv", "The modified Bessel function I of order n.",
    lambda g, y, n, x: g * (0.5 * (iv(n - 1, x) + iv(n + 1, x))),
)  # fmt: skip
ive: Op = _bessel(
    "ive", "iv(n, x) exp(-|x|), without overflow.",
    lambda g, y, n, x: g * (0.5 * (ive(n - 1, x) + ive(n + 1, x)) - sign(x) * y),
)  # fmt: skip
kv: Op = _bessel(
    "kv", "The modified Bessel function K of order n.",
    lambda g, y, n, x: -g * (0.5 * (kv(n - 1, x) + kv(n + 1, x))),
)  # fmt: skip
i0: Op = _special(
    "i0", "The modified Bessel function I₀.", reals((3, 4)), lambda g, y, x: g * i1(x)
)
i1: Op = _special(
    "i1", "The modified Bessel function I₁.", reals((3, 4)),
    lambda g, y, x: g * (0.5 * (i0(x) + iv(2, x))),
)  # fmt: skip
i0e: Op = _special(
    "i0e", "i0(x) exp(-|x|), without overflow.", reals((3, 4)),
    lambda g, y, x: g * (i1e(x) - sign(x) * y),
)  # fmt: skip
i1e: Op = _special(
    "i1e", "i1(x) exp(-|x|), without overflow.", reals((3, 4)),
    lambda g, y, x: g * (0.5 * (i0e(x) + ive(2, x)) - sign(x) * y),
)  # fmt: skip


@composition
def betaln(a: Any, b: Any) -> Tensor:
    """ln |B(a, b)| = ln |Γ(a) Γ(b) / Γ(a + b)|."""
    return gammaln(a) + gammaln(b) - gammaln(a + b)


@composition
def beta(a: Any, b: Any) -> Tensor:
    """B(a, b) = Γ(a) Γ(b) / Γ(a + b)."""
    return gammasgn(a) * gammasgn(b) * gammasgn(a + b) * exp(betaln(a, b))


@composition
def rel_entr(a: Any, b: Any) -> Tensor:
    """a ln(a / b); 0 where a = 0."""
    return xlogy(a, a) - xlogy(a, b)


@composition
def exp10(x: Any) -> Tensor:
    """10ˣ."""
    return exp(x * ln(10))


def _rgamma_slope(y: Tensor, x: Tensor) -> Tensor:
    """-ψ(x) / Γ(x); left of 1/2 by reflection, which is finite at 0, -1, -2, …"""
    left = less(x, 0.5)
    low, high = where(left, x, 0.0), where(left, 1.0, x)
    mirrored = cos(pi * low) * gamma(1 - low) - y * digamma(1 - low)
    return where(left, mirrored, -y * digamma(high))


def _log_t_density(x: Tensor, n: Tensor) -> Tensor:
    normal = gammaln((n + 1) / 2) - gammaln(n / 2) - 0.5 * log(n * pi)
    return normal - (n + 1) / 2 * log1p(square(x) / n)


def _log_gamma_density(a: Any, x: Tensor) -> Tensor:
    return xlogy(a - 1, x) - x - gammaln(a)


def _by_last(op: Op) -> Callable[..., Tensor]:
    """The op, which refuses a tracked parameter: only its last argument has a derivative."""

    def call(*arrays: Any) -> Tensor:
        for x in arrays[:-1]:
            if isinstance(x, Tensor) and x.tracked:
                raise GraphError(
                    f"{op.name} has a derivative by its last argument only: "
                    "write ops.stop_gradient(x) for a parameter that is a constant"
                )
        return op(*arrays)

    call.__name__, call.__doc__ = op.name, op.doc
    return composition(call)


for _op in (polygamma, gammainc, gammaincc, betainc, stdtr, jv, yn, iv, ive, kv):
    _by_last(_op)
