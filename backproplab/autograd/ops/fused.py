"""Losses on logits. They are ops of their own because separate ops overflow and are slower.

Their vjp rules are written in ops, so they have derivatives of any order.
"""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.lowering import into, logits, stepwise
from backproplab.autograd.ops.exponential import sigmoid
from backproplab.autograd.ops.logits import kind, softmax
from backproplab.autograd.ops.shapes import expand_dims
from backproplab.autograd.primitive import primitive
from backproplab.autograd.samples import sample
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError


def _empty_cross_entropy(logits: Array, labels: Array) -> Array:
    if labels.ndim >= logits.ndim:
        raise GraphError(f"labels of shape {labels.shape} for logits of shape {logits.shape}")
    if labels.dtype.kind not in "iu":
        raise GraphError(f"labels are whole numbers, not {labels.dtype}")
    return np.empty(np.broadcast_shapes(logits.shape[:-1], labels.shape), kind(logits))


def _slope(logits: Tensor, labels: Tensor) -> Tensor:
    target = one_hot(labels, classes=logits.shape[-1], dtype=logits.dtype)
    return softmax(logits, axis=-1) - target


one_hot = primitive(
    "one_hot",
    stepwise(
        logits.one_hot, lambda labels, classes, dtype: np.empty((*labels.shape, classes), dtype)
    ),
    lowering=logits.one_hot,
    vjp=[None],
    samples=sample(lambda rng: (rng.integers(0, 4, 5),), classes=4, dtype=np.float64),
    doc="Rows (…, classes) with 1 at the label, else 0. GraphError for a label outside classes.",
)
softmax_cross_entropy = primitive(
    "softmax_cross_entropy",
    np.errstate(divide="ignore")(  # ln 0 of an all -inf row is the right -inf
        stepwise(logits.softmax_cross_entropy, _empty_cross_entropy)
    ),
    lowering=logits.softmax_cross_entropy,
    vjp=[lambda g, y, logits, labels: expand_dims(g, axis=-1) * _slope(logits, labels), None],
    samples=[
        sample(lambda rng: (rng.standard_normal((5, 4)), rng.integers(0, 4, 5))),
        sample(lambda rng: (rng.standard_normal((2, 5, 7)), rng.integers(0, 7, (2, 5)))),
    ],
    doc="-ln softmax(logits)[label], one number per example; gradient softmax - one_hot.",
)


def _binary_cross_entropy(x: Array, z: Array) -> Array:
    loss: Array = np.maximum(x, 0) - x * z + np.log1p(np.exp(-np.abs(x)))
    return loss


sigmoid_cross_entropy = primitive(
    "sigmoid_cross_entropy",
    into(_binary_cross_entropy),
    vjp=[lambda g, y, x, z: g * (sigmoid(x) - z), lambda g, y, x, z: -g * x],
    samples=sample(lambda rng: (rng.standard_normal((5, 4)), rng.random((5, 4)))),
    doc="-z ln σ(x) - (1-z) ln(1-σ(x)) = max(x, 0) - x z + ln(1 + exp(-|x|)).",
)
