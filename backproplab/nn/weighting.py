"""Weighted: a loss to which examples do not count alike, by their own weights or by their class.

The targets carry it all: rows of numbers, then what each example counts in the loss, then what it
counts in metrics. So a step takes any rows in any tiles, and a crew's members need not be alike.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.nn.losses import CrossEntropy, Loss
from backproplab.task import Task

COLUMNS = 2  # beside the rows


class Labeled(Protocol):
    """Examples: targets as the data hold them, and what each one counts, if they differ."""

    @property
    def targets(self) -> Array: ...

    @property
    def weights(self) -> Array | None: ...


class Weighted(Loss):
    """Σ cᵢ lossᵢ / n, where the counts cᵢ have the mean 1 over a split: Σ wᵢ lossᵢ / Σ wᵢ.

    That is the mean of scikit-learn's log_loss and PyTorch's CrossEntropyLoss over the split. A
    batch's sum is divided by the number of its examples, as in Keras, so that the mean of all
    batches' gradients is the split's; PyTorch divides by the weights of the batch.

    of: the loss of each example; it takes rows of numbers as targets.
    """

    of: Loss

    @property
    def name(self) -> str:  # type: ignore[override]  # it is the other's, with weights
        return self.of.name

    @property
    def on_logits(self) -> bool:  # type: ignore[override]
        return self.of.on_logits

    @property
    def form(self) -> str:
        return getattr(self.of, "form", "fused")

    def problem(self, task: Task) -> str:
        return self.of.problem(task)

    def units(self, task: Task) -> int:
        return self.of.units(task)

    def encode(self, targets: Array, task: Task, dtype: Any, weights: Array | None = None) -> Array:
        """(n, k + 2): the targets' rows, and two columns of weights, each with the mean 1."""
        rows, counts, base = self.of.rows(targets, task)
        own = np.ones(len(targets)) if weights is None else weights.astype(np.float64)
        columns = own * counts / _mean(own * base), own / _mean(own)
        return np.column_stack([rows, *columns]).astype(dtype)

    def parted(self, encoded: Array) -> tuple[Array, Array]:
        return encoded[..., :-COLUMNS], encoded[..., -COLUMNS]

    def masses(self, encoded: Array) -> Array:
        """The mean of what examples count, by class, (classes,)."""
        rows, counts = self.parted(encoded)
        found = np.mean(counts[:, None] * rows, axis=0)
        return found if len(found) > 1 else np.array([counts.mean() - found[0], found[0]])

    def sample_weights(self, encoded: Array) -> Array:
        return encoded[..., -1]

    def decide(self, outputs: Array) -> Array:
        return self.of.decide(outputs)

    def probabilities(self, outputs: Array) -> Array:
        return self.of.probabilities(outputs)

    def slope(self, outputs: Array, targets: Array) -> Array:
        rows, counts = self.parted(targets)
        return counts[..., None] * self.of.slope(outputs, rows)

    def __call__(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return targets[..., -COLUMNS] * self.of(outputs, targets[..., :-COLUMNS])


def weighted(loss: Loss, by_example: bool) -> Loss:
    """The loss itself, or with weights if classes or examples have some, or labels are smoothed.

    by_example: examples have weights of their own.
    """
    of_classes = isinstance(loss, CrossEntropy) and (loss.class_weights or loss.label_smoothing)
    return Weighted(of=loss) if by_example or of_classes else loss


def encoded(loss: Loss, examples: Labeled, task: Task, dtype: Any) -> Array:
    """The targets of examples as the loss takes them, their weights included."""
    if isinstance(loss, Weighted):
        return loss.encode(examples.targets, task, dtype, examples.weights)
    return loss.encode(examples.targets, task, dtype)


def _mean(weights: Array) -> float:
    return float(np.mean(weights)) if len(weights) else 1.0
