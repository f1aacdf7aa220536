"""The nonlinearities of networks: primitives if stability requires it, else compositions.

Convention at the kink: relu'(0) = leaky_relu'(0) = the left derivative, so relu'(0) = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import elementwise, stepwise
from backproplab.autograd.ops.elementwise import (
    absolute,
    ceil,
    clip,
    greater,
    less_equal,
    minimum,
    sign,
    where,
)
from backproplab.autograd.ops.exponential import exp, expm1, log, sigmoid, square
from backproplab.autograd.ops.trigonometric import tanh
from backproplab.autograd.primitive import Op, composition, primitive
from backproplab.autograd.samples import reals, sample
from backproplab.autograd.tensor import Tensor


def _erfc(x: Array, out: Array | None = None) -> Array:
    from scipy.special import erfc

    result: Array = erfc(x, out=out)
    return result


def _erf(x: Array, out: Array | None = None) -> Array:
    from scipy.special import erf

    result: Array = erf(x, out=out)
    return result


relu = primitive(
    "relu",
    lambda x, out=None: np.maximum(x, 0, out=out),
    in_place=True,
    lowering=elementwise.relu,
    vjp=[lambda g, y, x: relu_gradient(y, g)],  # of y, so that y may take the place of x
    samples=reals((3, 4)),
    doc="max(x, 0); derivative 0 at 0.",
)
relu_gradient: Op = primitive(
    "relu_gradient",
    stepwise(elementwise.relu_gradient, lambda y, g: np.empty(np.broadcast(y, g).shape, g.dtype)),
    in_place=True,
    lowering=elementwise.relu_gradient,
    vjp=[None, lambda u, out, y, g: relu_gradient(y, u)],
    samples=sample(lambda rng: (rng.uniform(-1, 2, (3, 4)).clip(0), rng.standard_normal((3, 4)))),
    doc="g where y > 0, 0 where y = 0, NaN where y is NaN; for the y ≥ 0 of relu.",
)
softplus = primitive(
    "softplus",
    lambda x, out=None: np.logaddexp(x, 0, out=out),
    in_place=True,
    vjp=[lambda g, y, x: g * sigmoid(x)],
    samples=reals((3, 4)),
    doc="ln(1 + eˣ), without overflow.",
)
erf = primitive(
    "erf",
    _erf,
    in_place=True,
    vjp=[lambda g, y, x: g * (2 / np.sqrt(np.pi).item() * exp(-square(x)))],
    samples=reals((3, 4)),
    doc="The error function, 2/√π ∫₀ˣ exp(-t²) dt.",
)


erfc = primitive(
    "erfc",
    _erfc,
    in_place=True,
    vjp=[lambda g, y, x: g * (-2 / np.sqrt(np.pi).item() * exp(-square(x)))],
    samples=reals((3, 4)),
    doc="1 - erf(x), exact for large x.",
)


@composition
def leaky_relu(x: Any, *, alpha: float = 0.3) -> Tensor:
    """x where x > 0, else α x."""
    slope = where(less_equal(x, 0), alpha, ceil(minimum(x, 1)))  # α, 1 or NaN
    return x * slope


@composition
def elu(x: Any, *, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else α (eˣ - 1). Clevert et al. 2015, arXiv 1511.07289."""
    return where(greater(x, 0), x, alpha * expm1(minimum(x, 0)))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@composition
def selu(x: Any) -> Tensor:
    """λ elu(x, α) with the fixed-point constants of Klambauer et al. 2017, arXiv 1706.02515."""
    return SELU_SCALE * elu(x, alpha=SELU_ALPHA)


@composition
def gelu(x: Any) -> Tensor:
    """x Φ(x), Φ the normal distribution function. Hendrycks and Gimpel 2016, arXiv 1606.08415."""
    return 0.5 * x * (1 + erf(x * np.sqrt(0.5).item()))


@composition
def silu(x: Any) -> Tensor:
    """x sigmoid(x), also called swish."""
    return x * sigmoid(x)


@composition
def softsign(x: Any) -> Tensor:
    """x / (1 + |x|)."""
    return x / (1 + absolute(x))


@composition
def log_sigmoid(x: Any) -> Tensor:
    """ln sigmoid(x), without ln 0."""
    return -softplus(-x)


@composition
def logit(p: Any) -> Tensor:
    """ln(p / (1 - p)): the inverse of sigmoid."""
    return log(p) - log(1 - p)


@composition
def celu(x: Any, *, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else α (exp(x/α) - 1). Barron 2017, arXiv 1704.07483."""
    return where(greater(x, 0), x, alpha * expm1(minimum(x, 0) / alpha))


@composition
def mish(x: Any) -> Tensor:
    """x tanh(softplus(x)). Misra 2019, arXiv 1908.08681."""
    return x * tanh(softplus(x))


@composition
def relu6(x: Any) -> Tensor:
    """min(max(x, 0), 6)."""
    return minimum(relu(x), 6)


@composition
def hard_tanh(x: Any) -> Tensor:
    """x clipped to [-1, 1]."""
    return clip(x, -1, 1)


@composition
def hard_sigmoid(x: Any) -> Tensor:
    """(x + 3) / 6 clipped to [0, 1]."""
    return clip(x / 6 + 0.5, 0, 1)


@composition
def hard_silu(x: Any) -> Tensor:
    """x hard_sigmoid(x). Howard et al. 2019, arXiv 1905.02244."""
    return x * hard_sigmoid(x)


@composition
def soft_shrink(x: Any, *, threshold: float = 0.5) -> Tensor:
    """x moved towards 0 by the threshold; 0 if |x| is smaller."""
    return sign(x) * relu(absolute(x) - threshold)


@composition
def hard_shrink(x: Any, *, threshold: float = 0.5) -> Tensor:
    """x if |x| > threshold, else 0."""
    size = absolute(x)
    return x * where(less_equal(size, threshold), 0.0, ceil(minimum(size, 1)))  # 0, 1 or NaN


@composition
def tanh_shrink(x: Any) -> Tensor:
    """x - tanh x."""
    return x - tanh(x)
