"""Four ways to write a cross-entropy: three that leave the numbers, and the one that does not.

naive: e^z / Σ e^z, or 1 / (1 + e^-z), then the logarithm: e^z overflows, and log meets 0.
shifted: the softmax of z - max z, or the stable sigmoid, then the logarithm: log still meets 0.
clipped: the shifted probabilities limited to [ε, 1 - ε]: finite, but beyond them without gradient.
fused: the logarithm and the softmax in one formula, log Σ e^z - z: finite for every finite z, and
its gradient is p - t.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops

Form = Literal["naive", "shifted", "clipped", "fused"]


def softmax_cross_entropy(z: Tensor, labels: Tensor, form: Form, epsilon: float) -> Tensor:
    """-ln p[label] of each example; z (…, batch, classes), labels (batch,).

    Labels may be rows t (batch, classes) of real numbers instead: Σ -t ln p.
    """
    if labels.dtype.kind == "f":
        return ops.sum(labels * _surprise(z, labels, form, epsilon), axis=-1)
    if form == "fused":
        return ops.softmax_cross_entropy(z, labels)
    p = _softmax(z, form)
    hot = ops.one_hot(labels, classes=z.shape[-1], dtype=z.dtype)
    chosen = ops.sum(ops.where(ops.greater(hot, 0), p, 0.0), axis=-1)  # 0 times NaN were NaN
    return -ops.log(_clipped(chosen, epsilon) if form == "clipped" else chosen)


def _surprise(z: Tensor, t: Tensor, form: Form, epsilon: float) -> Tensor:
    """-ln p of each class; unless fused, 0 of one that plays no part, as 0 times NaN were NaN."""
    if form == "fused":
        return ops.logsumexp(z, axis=-1, keepdims=True) - z
    p = ops.where(ops.greater(t, 0), _softmax(z, form), 1.0)
    return -ops.log(_clipped(p, epsilon) if form == "clipped" else p)


def _softmax(z: Tensor, form: Form) -> Tensor:
    if form != "naive":
        return ops.softmax(z, axis=-1)
    e = ops.exp(z)
    return e / ops.sum(e, axis=-1, keepdims=True)


def sigmoid_cross_entropy(z: Tensor, targets: Tensor, form: Form, epsilon: float) -> Tensor:
    """-t ln p - (1 - t) ln(1 - p) of each output; targets of the shape of z."""
    if form == "fused":
        return ops.sigmoid_cross_entropy(z, targets)
    p = 1 / (1 + ops.exp(-z)) if form == "naive" else ops.sigmoid(z)
    if form == "clipped":
        p = _clipped(p, epsilon)
    return -(targets * ops.log(p) + (1 - targets) * ops.log(1 - p))


def _clipped(p: Tensor, epsilon: float) -> Tensor:
    return ops.clip(p, epsilon, 1 - epsilon)


def clipped_slope(slope: Array, chosen: Array, form: Form, epsilon: float) -> Array:
    """p - t as it is, but 0 where the clip holds the probability."""
    if form != "clipped":
        return slope
    return np.where((chosen < epsilon) | (chosen > 1 - epsilon), 0.0, slope).astype(slope.dtype)


def softmax_slope(p: Array, t: Array, form: Form, epsilon: float) -> Array:
    """∂(Σ -t ln p)/∂z = p Σ t - t, of the classes whose probability the clip does not hold."""
    free = (p >= epsilon) & (p <= 1 - epsilon) if form == "clipped" else np.ones_like(p, bool)
    t = (t * free).astype(p.dtype)
    return p * t.sum(axis=-1, keepdims=True) - t
