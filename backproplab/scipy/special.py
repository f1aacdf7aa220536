"""scipy.special on tensors."""

from __future__ import annotations

from math import log, pi
from typing import Any

import numpy as np

from backproplab.autograd import Tensor, ops
from backproplab.scipy.others import scipys

OF_OPS = (
    "beta", "betainc", "betaln", "dawsn", "digamma", "entr", "erf", "erfc", "erfcinv", "erfcx",
    "erfinv", "exp10", "exp2", "expm1", "gamma", "gammainc", "gammaincc", "gammaln", "gammasgn",
    "i0", "i0e", "i1", "i1e", "iv", "ive", "j0", "j1", "jv", "kv", "log1p", "log_ndtr",
    "loggamma", "logit", "ndtr", "ndtri", "polygamma", "rel_entr", "rgamma", "sinc", "stdtr",
    "xlog1py", "xlogy", "y0", "y1", "yn",
)  # fmt: skip
OTHER_NAMES = {"expit": "sigmoid", "psi": "digamma", "jn": "jv", "log_expit": "log_sigmoid"}
__all__ = [*OF_OPS, *OTHER_NAMES, "log_softmax", "logsumexp", "multigammaln", "softmax"]  # noqa: PLE0604


def __getattr__(name: str) -> Any:
    if name in OTHER_NAMES or name in OF_OPS:
        return getattr(ops, OTHER_NAMES.get(name, name))
    return scipys("special", name)


def logsumexp(
    a: Any, axis: Any = None, b: Any = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """ln Σ b eᵃ over ``axis``; with ``return_sign`` ln |Σ b eᵃ| and the sign of the sum."""
    if b is None and not return_sign:
        return ops.logsumexp(a, axis=axis, keepdims=keepdims)
    a = ops.positive(a)
    top = ops.stop_gradient(ops.max(a, axis=axis, keepdims=True))
    top = np.where(np.isfinite(top.value), top.value, 0)
    scaled = ops.exp(a - top) * (1.0 if b is None else b)
    total = ops.sum(scaled, axis=axis, keepdims=keepdims)
    shift = top if keepdims else np.squeeze(top, axis if axis is not None else tuple(range(a.ndim)))
    if return_sign:
        return ops.log(ops.absolute(total)) + shift, ops.sign(total)
    return ops.log(total) + shift


def softmax(x: Any, axis: Any = None) -> Tensor:
    """eˣ / Σ eˣ over ``axis`` (None: all axes)."""
    return ops.softmax(x, axis=axis)


def log_softmax(x: Any, axis: Any = None) -> Tensor:
    """ln softmax(x) over ``axis`` (None: all axes)."""
    return ops.log_softmax(x, axis=axis)


def multigammaln(a: Any, d: int) -> Tensor:
    """ln Γ_d(a), the multivariate gamma function of dimension d."""
    result: Any = 0.25 * d * (d - 1) * log(pi)
    for i in range(d):
        result = result + ops.gammaln(a - 0.5 * i)
    return result
