"""Curvature and gradient noise with a run's last weights: figures for the course, asked for.

λ is the largest eigenvalue of the Hessian. Gradient descent on a bowl converges while rate · λ < 2;
with hidden layers rate · λ near 2 is the normal state at full batch (Cohen et al. 2021, arXiv
2103.00065). The noise scale tr(Σ) / ‖G‖² predicts the batch beyond which averaging brings little
(McCandlish et al. 2018, arXiv 1812.06162).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor, grad, ops
from backproplab.diagnosis.end import End
from backproplab.learners.spectrum import spectrum

BATCHES, BATCH = 60, 8  # gradients of the noise scale


def curvature(end: End) -> float:
    """λ of the mean loss of the training examples."""
    descent = end.descent
    parts = descent.network, descent.loss, descent.parameters, end.parts.material.train
    return float(spectrum(*parts).largest[0])


def noise_scale(end: End) -> float:
    """tr(Σ) / ‖G‖² in examples, from 60 gradients of 8 training examples; ‖G‖² without its bias."""
    weights, train = _weights(end), end.parts.material.train
    chance, found = np.random.default_rng(0), []
    for _ in range(BATCHES):
        rows = chance.integers(0, len(train), BATCH)
        gradient = grad(partial(_loss, end, rows))(weights)
        found.append(np.concatenate([np.ravel(np.asarray(x)) for x in gradient.values()]))
    each = np.array(found, np.float64)
    trace = BATCH * float(each.var(axis=0, ddof=1).sum())
    size = float(np.square(each.mean(axis=0)).sum()) - trace / (BATCH * BATCHES)
    return trace / size if size > 0 else float("inf")


def summary(end: End, rate: float) -> tuple[str, dict[str, float | None]]:
    """A sentence, and its numbers."""
    with np.errstate(all="ignore"):
        largest, noise = curvature(end), noise_scale(end)
    linear = not end.hidden
    limit = "2 is where it diverges" if linear else "with hidden layers about 2 is usual"
    known = noise < len(end.parts.material.train)
    batch = f"batches beyond about {noise:,.0f} bring little" if known else "all of it is noise"
    text = f"λ is {largest:.3g}, learning rate times λ {rate * largest:.3g}: {limit}; {batch}."
    facts = {"curvature": largest, "rate": rate, "product": rate * largest}
    return text, {n: x if np.isfinite(x) else None for n, x in (facts | {"noise": noise}).items()}


def _weights(end: End) -> dict[str, Array]:
    views = end.descent.weights
    return {name: views[name] for name in end.descent.parameters.weights}


def _loss(end: End, rows: Any, weights: Mapping[str, Tensor]) -> Tensor:
    train, network = end.parts.material.train, end.descent.network
    statistics = {n: Tensor(x) for n, x in end.descent.weights.items() if n not in weights}
    outputs = network({**statistics, **weights}, Tensor(train.inputs[rows]))
    return ops.mean(end.descent.loss(outputs, Tensor(train.encoded[rows])))
