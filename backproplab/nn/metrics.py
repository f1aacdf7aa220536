"""Metrics: what people read beside the loss, by task. Plain NumPy over a whole split."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.measures import Goal, measure
from backproplab.nn.losses import Loss
from backproplab.task import Task

Function = Callable[[Loss, Array, Array, Array | None], Any]


@dataclass(frozen=True)
class Metric:
    """One measure of a network's outputs.

    function: ``(loss, outputs, targets, weights=None)`` -> (…): outputs (…, n, units), targets as
        the data hold them, what each example counts (…, n) as scikit-learn's ``sample_weight``;
        NaN where the metric is undefined.
    tasks: the kinds of task that it is reported for.
    undefined: why it has no value for these targets, whatever the outputs; empty if it has one.
    """

    name: str
    goal: Goal | None
    tasks: tuple[str, ...]
    function: Function
    undefined: Callable[[Array], str]


METRICS: dict[str, Metric] = {}


def _without_examples(targets: Array) -> str:
    return "" if len(targets) else "there are no examples"


def metric(
    name: str,
    goal: Goal | None,
    tasks: Sequence[str],
    function: Function,
    label: str = "",
    undefined: Callable[[Array], str] = _without_examples,
) -> None:
    """Declare a metric: from then on runs of these tasks report it, and its measure is known."""

    def defined(loss: Loss, outputs: Array, targets: Array, weights: Array | None = None) -> Any:
        if not outputs.shape[-2]:
            return np.full(outputs.shape[:-2], np.nan)
        return function(loss, outputs, targets, weights)

    made = Metric(name, goal, tuple(tasks), defined, undefined)
    METRICS[measure(name, goal, label).name] = made


def metrics_of(task: Task) -> tuple[Metric, ...]:
    """The metrics that are reported for the task."""
    return tuple(metric for metric in METRICS.values() if task.kind in metric.tasks)


def _accuracy(loss: Loss, outputs: Array, targets: Array, weights: Array | None) -> Any:
    """The share of examples whose class is decided right."""
    return _mean(loss.decide(outputs) == targets, weights)


def _mae(loss: Loss, outputs: Array, targets: Array, weights: Array | None) -> Any:
    """Mean |y - t|."""
    errors = np.abs(outputs - targets, dtype=np.float64)
    if weights is None:
        return np.mean(errors, axis=(-2, -1))
    return _mean(errors.mean(axis=-1), weights)


def _r2(loss: Loss, outputs: Array, targets: Array, weights: Array | None) -> Any:
    """1 - Σ(y - t)² / Σ(t - t̄)²: 1 is perfect, 0 is the mean's; NaN where all targets are equal."""
    truth = targets.astype(np.float64)
    each = np.ones(truth.shape[:-1]) if weights is None else weights.astype(np.float64)
    part = each[..., None]
    center = truth.mean(axis=-2, keepdims=True)
    if weights is not None:
        center = np.sum(part * truth, axis=-2, keepdims=True) / part.sum(axis=-2, keepdims=True)
    residual = np.sum(part * (outputs - truth) ** 2, axis=(-2, -1))
    scatter = np.sum(part * (truth - center) ** 2, axis=(-2, -1))
    spread = np.any(truth != truth[..., :1, :], axis=(-2, -1)) & (scatter > 0)
    return 1 - np.divide(residual, scatter, out=np.full_like(residual, np.nan), where=spread)


def _mean(values: Array, weights: Array | None) -> Any:
    """The mean over the examples, the last axis."""
    if weights is None:
        return np.mean(values, axis=-1)
    return np.sum(values * weights, axis=-1, dtype=np.float64) / np.sum(
        weights, axis=-1, dtype=np.float64
    )


def _without_spread(targets: Array) -> str:
    if len(targets) < 2:
        return "there is one example" if len(targets) else _without_examples(targets)
    return "" if np.any(targets != targets[:1]) else f"all {len(targets)} targets are equal"


metric("accuracy", "max", ["classification"], _accuracy)
metric("mae", "min", ["regression"], _mae, "mean absolute error")
metric("r2", "max", ["regression"], _r2, "R²", _without_spread)
