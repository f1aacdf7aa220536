"""Metrics: what people read beside the loss, by task. Plain NumPy over a whole split."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.nn.losses import Loss
from backproplab.task import Task


@dataclass(frozen=True)
class Metric:
    """``function(loss, outputs, targets)`` -> (…): outputs (…, n, units), targets as the data
    hold them; ``goal`` says which way is better."""

    name: str
    goal: Literal["min", "max"]
    function: Callable[[Loss, Array, Array], Any]


def _accuracy(loss: Loss, outputs: Array, targets: Array) -> Any:
    """The share of examples whose class is decided right."""
    return np.mean(loss.decide(outputs) == targets, axis=-1)


def _mae(loss: Loss, outputs: Array, targets: Array) -> Any:
    """Mean |y - t|."""
    return np.mean(np.abs(outputs - targets, dtype=np.float64), axis=(-2, -1))


def _r2(loss: Loss, outputs: Array, targets: Array) -> Any:
    """1 - Σ(y - t)² / Σ(t - t̄)²: 1 is perfect, 0 is the mean's."""
    truth = targets.astype(np.float64)
    residual = np.sum((outputs - truth) ** 2, axis=(-2, -1))
    spread = np.sum((truth - truth.mean(axis=-2, keepdims=True)) ** 2, axis=(-2, -1))
    unexplained = np.divide(residual, spread, out=np.ones_like(residual), where=spread > 0)
    return 1 - unexplained


METRICS = {
    "classification": (Metric("accuracy", "max", _accuracy),),
    "regression": (Metric("mae", "min", _mae), Metric("r2", "max", _r2)),
}


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The metrics that are reported for the task."""
    return METRICS[task.kind]
