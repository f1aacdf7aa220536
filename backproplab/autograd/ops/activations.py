"""The nonlinearities of networks. Primitives where stability asks for it, compositions elsewhere.

Convention at the kink: relu'(0) = leaky_relu'(0) = the left derivative, so relu'(0) = 0.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backproplab.autograd.ops.elementwise import (
    absolute,
    exp,
    expm1,
    greater,
    minimum,
    square,
    where,
)
from backproplab.autograd.primitive import Array, composition, primitive
from backproplab.autograd.samples import reals
from backproplab.autograd.tensor import Tensor


def _sigmoid(x: Array, out: Array | None = None) -> Array:
    with np.errstate(over="ignore"):  # 1 / (1 + inf) is the right 0
        y = np.exp(np.negative(x, out=out), out=out)
    return np.reciprocal(np.add(y, 1, out=out), out=out)


def _erf(x: Array, out: Array | None = None) -> Array:
    from scipy.special import erf

    result: Array = erf(x, out=out)
    return result


tanh = primitive(
    "tanh", np.tanh, vjp=[lambda g, y, x: g * (1 - y * y)], samples=reals((3, 4)), doc="tanh x."
)
sigmoid = primitive(
    "sigmoid",
    _sigmoid,
    vjp=[lambda g, y, x: g * (y * (1 - y))],
    samples=reals((3, 4)),
    doc="1 / (1 + e⁻ˣ), without overflow.",
)
relu = primitive(
    "relu",
    lambda x, out=None: np.maximum(x, 0, out=out),
    vjp=[lambda g, y, x: g * greater(x, 0)],
    samples=reals((3, 4)),
    doc="max(x, 0); derivative 0 at 0.",
)
softplus = primitive(
    "softplus",
    lambda x, out=None: np.logaddexp(x, 0, out=out),
    vjp=[lambda g, y, x: g * sigmoid(x)],
    samples=reals((3, 4)),
    doc="ln(1 + eˣ), without overflow.",
)
erf = primitive(
    "erf",
    _erf,
    vjp=[lambda g, y, x: g * (2 / np.sqrt(np.pi).item() * exp(-square(x)))],
    samples=reals((3, 4)),
    doc="The error function, 2/√π ∫₀ˣ exp(-t²) dt.",
)


@composition
def leaky_relu(x: Any, alpha: float = 0.3) -> Tensor:
    """x where x > 0, else α x."""
    return where(greater(x, 0), x, alpha * x)


@composition
def elu(x: Any, alpha: float = 1.0) -> Tensor:
    """x where x > 0, else α (eˣ - 1). Clevert et al. 2015, arXiv 1511.07289."""
    return where(greater(x, 0), x, alpha * expm1(minimum(x, 0)))


SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


@composition
def selu(x: Any) -> Tensor:
    """λ elu(x, α) with the fixed-point constants of Klambauer et al. 2017, arXiv 1706.02515."""
    return SELU_SCALE * elu(x, SELU_ALPHA)


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
