"""scikit-learn's MLPClassifier, `partial_fit` over the minibatches of a round."""

from __future__ import annotations

from itertools import islice

import numpy as np
from sklearn.neural_network import MLPClassifier

from benchmarks.workloads import (
    CLASSES,
    Array,
    Side,
    Workload,
    examples,
    first_weights,
    minibatches,
    stretches,
)


def prepare(work: Workload) -> Side:
    x, y = examples(work.inputs)
    model = _model(work)
    _begin(model, work)
    batches = minibatches(work)

    def step(k: int) -> None:
        for rows in stretches(islice(batches, k)):
            model.partial_fit(x[rows], y[rows])

    def weights() -> list[Array]:
        pairs = zip(model.coefs_, model.intercepts_, strict=True)
        return [weight for pair in pairs for weight in pair]

    return Side(step, weights)


def _model(work: Workload) -> MLPClassifier:
    return MLPClassifier(
        work.hidden,
        solver="adam" if work.optimizer == "adam" else "sgd",
        momentum=0.9 if work.optimizer == "momentum" else 0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        epsilon=1e-7,
        batch_size=work.batch,
        learning_rate_init=work.rate,
        shuffle=False,
    )


def _begin(model: MLPClassifier, work: Workload) -> None:
    """Set our first weights; its arrays exist only after a first step, which is made on zeros."""
    zeros = np.zeros((CLASSES, work.inputs), np.float32)
    classes = np.arange(CLASSES)
    model.set_params(batch_size=CLASSES).partial_fit(zeros, classes, classes=classes)
    model.set_params(batch_size=work.batch)
    for own, first in zip(model.coefs_, first_weights(work)[::2], strict=True):
        own[...] = first
    for bias in model.intercepts_:
        bias[...] = 0


SIDES = {"scikit-learn": prepare}
