"""A class against all others at every threshold: ROC, precision and recall.

Numbers are those of scikit-learn's ``roc_curve`` and ``precision_recall_curve``, with each
example counted by its weight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array


@dataclass(frozen=True, eq=False)
class Thresholds:
    """Sums over the examples whose score is at least a threshold, which falls: from none to all.

    right: those of the class (thresholds,).  wrong: the others.
    """

    right: Array
    wrong: Array

    @classmethod
    def of(cls, is_class: Array, scores: Array, weights: Array) -> Thresholds:
        """is_class, scores, weights: of each example (n,). Equal scores share a threshold."""
        order = np.argsort(-scores, kind="stable")
        ends = np.flatnonzero(np.diff(scores[order], append=-np.inf))
        sums = [np.cumsum((weights * part)[order])[ends] for part in (is_class, ~is_class)]
        right, wrong = (np.concatenate([[0.0], each]) for each in sums)
        return cls(right, wrong)

    @property
    def recall(self) -> Array:
        """The share of the class that is found: the true positive rate; NaN if there is none."""
        return _shares(self.right)

    @property
    def false_rate(self) -> Array:
        """The share of the others that is taken for the class: the false positive rate."""
        return _shares(self.wrong)

    @property
    def precision(self) -> Array:
        """The share that is right of what is taken for the class; 1 where nothing is."""
        taken = self.right + self.wrong
        return np.divide(self.right, taken, out=np.ones_like(taken), where=taken > 0)

    @property
    def area(self) -> float:
        """Under the ROC curve: how often an example of the class has a higher score than another
        one, ties counted half (Mann-Whitney); NaN without either."""
        return float(np.trapezoid(self.recall, self.false_rate))

    @property
    def average_precision(self) -> float:
        """Σ (recallᵢ - recallᵢ₋₁) precisionᵢ, without interpolation; NaN without the class."""
        return float(np.sum(np.diff(self.recall) * self.precision[1:]))

    @property
    def share(self) -> float:
        """Of the class in all: the precision of guessing."""
        return float(self.right[-1] / (self.right[-1] + self.wrong[-1]))


def _shares(sums: Array) -> Array:
    return sums / sums[-1] if sums[-1] > 0 else np.full_like(sums, np.nan)
