"""Losses, which training minimizes. Each gives one number per example; the loop takes the mean.

A loss also defines the number of outputs that it needs for a task, the encoding of the targets,
and the class that outputs predict.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.autograd import Tensor, ops
from backproplab.errors import DataError
from backproplab.nn.class_weights import ClassWeights, unknown, weights_of
from backproplab.nn.forms import (
    Form,
    clipped_slope,
    sigmoid_cross_entropy,
    softmax_cross_entropy,
    softmax_slope,
)
from backproplab.spec import Family, Fraction, Off, Positive
from backproplab.task import Task


class Loss(Family):
    """A function from outputs (…, batch, units) and encoded targets to losses (…, batch).

    on_logits: with classes, it has a softmax or a sigmoid of its own.
    """

    on_logits: ClassVar[bool] = False

    def problem(self, task: Task) -> str:
        """Why this loss does not fit the task; empty if it does."""
        return ""

    def resolve(self, task: Task) -> Loss:
        """The loss to use for the task: itself, unless it is ``auto``."""
        return self

    def units(self, task: Task) -> int:
        """The number of outputs that the network needs."""
        return task.outputs

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        """The targets in the form that the loss takes: classes as one-hot rows."""
        if task.kind == "regression":
            return targets.astype(dtype, copy=False)
        return np.equal(targets[:, None], np.arange(task.outputs)).astype(dtype)

    def rows(self, targets: Array, task: Task) -> tuple[Array, Array, Array]:
        """The targets for examples that do not count alike: (rows, counts, base) in float64.

        rows: (n, k), which the loss takes as well.  counts: (n,), what each example counts by its
        class.  base: (n,), of which the mean divides the sum of the losses.
        """
        rows, ones = self.encode(targets, task, np.float64), np.ones(len(targets))
        return rows, ones, ones

    def parted(self, encoded: Array) -> tuple[Array, Array | None]:
        """The rows of the targets, and what each counts in the loss; None if all count alike."""
        return encoded, None

    def sample_weights(self, encoded: Array) -> Array | None:
        """What each example counts in metrics, (…, batch); None if all count alike."""
        return None

    def decide(self, outputs: Array) -> Array:
        """The predicted classes (…, batch): the first with the largest output.

        If an output is NaN, the class is unspecified.
        """
        if outputs.shape[-1] == 2:  # several times as fast as argmax
            return (outputs[..., 1] > outputs[..., 0]).astype(np.int64)
        return np.argmax(outputs, axis=-1)

    def probabilities(self, outputs: Array) -> Array:
        """How sure outputs are of each class, (…, batch, classes), from 0 to 1."""
        return np.clip(outputs, 0, 1)

    def slope(self, outputs: Array, targets: Array) -> Array:
        """∂loss/∂outputs of each example, written by hand, of the shape of ``outputs``."""
        raise NotImplementedError

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        raise NotImplementedError


class CrossEntropy(Loss):
    """A loss on logits with a form; the fused one is stable for any z, the others show why it is.

    form: naive, shifted, clipped or fused: see nn/forms.py.
    epsilon: what clipped keeps probabilities away from 0 and 1.
    class_weights: what examples of a class count, by its name (1 where it is left out), or
        balanced: n / (classes · examples of the class), of the training examples.
    label_smoothing: ε, the share of each target that is spread evenly over all classes. The loss
        with weights w is that of PyTorch's CrossEntropyLoss: Σ_k w_k t_k (-ln p_k) of each example,
        t = (1 - ε) one-hot + ε/classes, divided by the mean of the examples' w.
    """

    form: Form = "fused"
    epsilon: Annotated[float, Field(gt=0, lt=0.5)] = 1e-7
    class_weights: ClassWeights = None
    label_smoothing: Annotated[Fraction | None, Off()] = None

    on_logits = True

    def __hash__(self) -> int:
        return hash(repr(self))  # a mapping has none

    def problem(self, task: Task) -> str:
        if task.kind == "classification":
            return unknown(self.class_weights, task)
        return "needs classes, the data are a regression"

    def rows(self, targets: Array, task: Task) -> tuple[Array, Array, Array]:
        """The smoothed and weighted shares of the classes, whose sum is what an example counts."""
        hot = np.equal(targets[:, None], np.arange(task.outputs))
        weights, spread = weights_of(self.class_weights, task), self.label_smoothing or 0.0
        shares = weights * ((1 - spread) * hot + spread / task.outputs)
        counts = shares.sum(axis=-1)
        return shares / counts[:, None], counts, weights[targets]

    def by_sigmoid(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """The sum over the outputs of a sigmoid's cross-entropy each."""
        losses = sigmoid_cross_entropy(outputs, targets, self.form, self.epsilon)
        return ops.sum(losses, axis=-1)

    def sigmoid_slope(self, outputs: Array, targets: Array) -> Array:
        """σ(z) - t, 0 where the clip holds."""
        p = ops.sigmoid(Tensor(outputs)).value
        return clipped_slope(_distance(outputs, targets), p, self.form, self.epsilon)


class Auto(CrossEntropy, name="auto"):
    """The task's usual loss: softmax or (two classes) binary cross-entropy, mse for regression."""

    def problem(self, task: Task) -> str:
        if task.kind == "classification":
            return super().problem(task)
        for name in ("form", "class_weights", "label_smoothing"):
            if (value := getattr(self, name)) != type(self).model_fields[name].default:
                return f"{name}: {value} needs classes, the data are a regression"
        return ""

    def resolve(self, task: Task) -> Loss:
        if self.problem(task):
            return self
        if task.kind == "regression":
            return MeanSquaredError()
        kind = BinaryCrossEntropy if task.outputs == 2 else SoftmaxCrossEntropy
        return kind(**dict(self))


class SoftmaxCrossEntropy(CrossEntropy, name="softmax_cross_entropy"):
    """-ln softmax(z)[label], on logits."""

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        """The labels, checked once here, because a replayed step does not check them."""
        if len(targets) and not 0 <= targets.min() <= targets.max() < task.outputs:
            raise DataError(f"labels from {targets.min()} to {targets.max()}, the data are {task}")
        return targets

    def probabilities(self, outputs: Array) -> Array:
        return ops.softmax(Tensor(outputs), axis=-1).value

    def slope(self, outputs: Array, targets: Array) -> Array:
        """p - t: softmax and logarithm as one output, t one-hot, or the rows as they are."""
        if targets.dtype.kind == "f":
            return softmax_slope(self.probabilities(outputs), targets, self.form, self.epsilon)
        hot = np.equal(targets[..., None], np.arange(outputs.shape[-1]))
        p = self.probabilities(outputs)
        chosen = np.sum(p * hot, axis=-1, keepdims=True)
        return clipped_slope(p - hot, chosen, self.form, self.epsilon)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return softmax_cross_entropy(outputs, targets, self.form, self.epsilon)


class BinaryCrossEntropy(CrossEntropy, name="binary_cross_entropy"):
    """-t ln σ(z) - (1 - t) ln(1 - σ(z)) on one logit."""

    def problem(self, task: Task) -> str:
        if task.kind == "classification" and task.outputs == 2:
            return super().problem(task)
        return f"needs two classes, the data are {task}; use softmax_cross_entropy"

    def rows(self, targets: Array, task: Task) -> tuple[Array, Array, Array]:
        """The share of the second class, which is 1 less that of the first."""
        shares, counts, base = super().rows(targets, task)
        return shares[:, 1:], counts, base

    def units(self, task: Task) -> int:
        return 1

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        return targets[:, None].astype(dtype)

    def decide(self, outputs: Array) -> Array:
        return (outputs[..., 0] > 0).astype(np.int64)

    def probabilities(self, outputs: Array) -> Array:
        return np.concatenate([ops.sigmoid(Tensor(z)).value for z in (-outputs, outputs)], axis=-1)

    def slope(self, outputs: Array, targets: Array) -> Array:
        return self.sigmoid_slope(outputs, targets)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.by_sigmoid(outputs, targets)


class SigmoidCrossEntropy(CrossEntropy, name="sigmoid_cross_entropy"):
    """Σ over the classes k of -t_k ln σ(z_k) - (1 - t_k) ln(1 - σ(z_k)), t one-hot: a sigmoid each.

    With the derivative σ(z) - t; Nielsen 2015, "Neural Networks and Deep Learning", chapter 3.
    Smoothed, t is (1 - ε) one-hot + ε/2, as in Keras' BinaryCrossentropy.
    """

    def rows(self, targets: Array, task: Task) -> tuple[Array, Array, Array]:
        counts = weights_of(self.class_weights, task)[targets]
        hot, spread = targets[:, None] == np.arange(task.outputs), self.label_smoothing or 0.0
        return (1 - spread) * hot + spread / 2, counts, counts

    def probabilities(self, outputs: Array) -> Array:
        return ops.sigmoid(Tensor(outputs)).value

    def slope(self, outputs: Array, targets: Array) -> Array:
        return self.sigmoid_slope(outputs, targets)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return self.by_sigmoid(outputs, targets)


class MeanSquaredError(Loss, name="mse"):
    """Mean over the outputs of (y - t)²."""

    def slope(self, outputs: Array, targets: Array) -> Array:
        return 2 * (outputs - targets) / outputs.shape[-1]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ops.mean(ops.square(outputs - targets), axis=-1)


class HalfMeanSquaredError(Loss, name="half_mse"):
    """Mean over the outputs of (y - t)² / 2, the quadratic cost; two classes as one output's 0, 1.

    Nielsen 2015, "Neural Networks and Deep Learning", chapter 1. The class is 1 above 0.5.
    """

    def units(self, task: Task) -> int:
        return 1 if _is_binary(task) else task.outputs

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        if _is_binary(task):
            return targets[:, None].astype(dtype)
        return super().encode(targets, task, dtype)

    def decide(self, outputs: Array) -> Array:
        if outputs.shape[-1] == 1:
            return (outputs[..., 0] > 0.5).astype(np.int64)
        return super().decide(outputs)

    def probabilities(self, outputs: Array) -> Array:
        if outputs.shape[-1] == 1:
            outputs = np.concatenate([1 - outputs, outputs], axis=-1)
        return super().probabilities(outputs)

    def slope(self, outputs: Array, targets: Array) -> Array:
        return (outputs - targets) / outputs.shape[-1]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * ops.mean(ops.square(outputs - targets), axis=-1)


class CenteredHalfMeanSquaredError(Loss, name="centered_half_mse"):
    """Mean over the outputs of (y - t)² / 2, with t = 1 - 1/n for the right one of n classes, else
    -1/n: neural-tangents' targets, whose mean is 0."""

    def encode(self, targets: Array, task: Task, dtype: Any) -> Array:
        encoded = super().encode(targets, task, np.float64)
        shift = 1 / task.outputs if task.kind == "classification" else 0.0
        return (encoded - shift).astype(dtype)

    def probabilities(self, outputs: Array) -> Array:
        return super().probabilities(outputs + 1 / outputs.shape[-1])

    def slope(self, outputs: Array, targets: Array) -> Array:
        return (outputs - targets) / outputs.shape[-1]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return 0.5 * ops.mean(ops.square(outputs - targets), axis=-1)


class MeanAbsoluteError(Loss, name="mae"):
    """Mean over the outputs of |y - t|."""

    def slope(self, outputs: Array, targets: Array) -> Array:
        return np.sign(outputs - targets) / outputs.shape[-1]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return ops.mean(ops.absolute(outputs - targets), axis=-1)


class Huber(Loss, name="huber"):
    """e²/2 where |e| ≤ delta, else delta (|e| - delta/2); mean over the outputs. Huber 1964."""

    delta: Positive = 1.0

    def slope(self, outputs: Array, targets: Array) -> Array:
        return np.clip(outputs - targets, -self.delta, self.delta) / outputs.shape[-1]

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        size = ops.absolute(outputs - targets)
        near = ops.minimum(size, self.delta)  # e²/2 and delta|e| - delta²/2 in one formula
        return ops.mean(near * (size - 0.5 * near), axis=-1)


def _is_binary(task: Task) -> bool:
    return task.kind == "classification" and task.outputs == 2


def _distance(outputs: Array, targets: Array) -> Array:
    """σ(z) - t: sigmoid and logarithm as one output."""
    distance: Array = ops.sigmoid(Tensor(outputs)).value - targets
    return distance
