"""Metrics: what people read beside the loss, by task. Plain NumPy over a whole split."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.catalogs import catalog, import_packages
from backproplab.errors import did_you_mean
from backproplab.measures import Goal, measure
from backproplab.nn.losses import Loss
from backproplab.task import Task

Function = Callable[..., Any]


@dataclass(frozen=True)
class Metric:
    """One measure of a network's outputs.

    function: ``(loss, outputs, targets, weights=None)`` -> (…): outputs (…, n, units), targets as
        the data hold them, what each example counts (…, n) as scikit-learn's ``sample_weight``;
        NaN where the metric is undefined.
    tasks: the kinds of task that it is reported for.
    undefined: why it has no value for these targets, whatever the outputs; empty if it has one.
    standard: whether it is reported without being asked for.
    """

    name: str
    goal: Goal | None
    tasks: tuple[str, ...]
    function: Function
    undefined: Callable[[Array], str]
    standard: bool


METRICS: dict[str, Metric] = catalog()


def _without_examples(targets: Array) -> str:
    return "" if len(targets) else "there are no examples"


def metric(
    name: str,
    goal: Goal | None,
    tasks: Sequence[str],
    function: Function,
    label: str = "",
    undefined: Callable[[Array], str] = _without_examples,
    standard: bool = False,
) -> None:
    """Declare a metric: from then on a config can name it, and its measure is known.

    function: as of ``Metric``; one without ``weights`` has all examples count alike.
    standard: all runs of these tasks report it.
    """
    key = measure(name, goal, label).name
    weighs = len(inspect.signature(function).parameters) > 3

    def defined(loss: Loss, outputs: Array, targets: Array, weights: Array | None = None) -> Any:
        if not outputs.shape[-2]:
            return np.full(outputs.shape[:-2], np.nan)
        return function(loss, outputs, targets, *([weights] if weighs else []))

    defined.__module__ = getattr(function, "__module__", None) or __name__  # whose version counts
    made = Metric(name, goal, tuple(tasks), defined, undefined, standard)
    METRICS[key] = made


def metrics_of(task: Task, asked: Sequence[str] = ()) -> tuple[Metric, ...]:
    """The metrics that are reported for the task: the standard ones, and those asked for."""
    own = [metric for metric in METRICS.values() if metric.standard and task.kind in metric.tasks]
    return tuple(dict.fromkeys([*own, *(METRICS[name] for name in asked)]))


def _known(name: str) -> str:
    if name not in METRICS:
        import_packages()
    if name in METRICS:
        return name
    what = f"'{name[:80]}' is not known; one of {', '.join(METRICS)}"
    raise PydanticCustomError(
        "metric", "{what}", {"what": what, "hint": did_you_mean(name[:80], METRICS)}
    )


MetricName = Annotated[str, AfterValidator(_known)]


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


def _f1_macro(loss: Loss, outputs: Array, targets: Array, weights: Array | None) -> Any:
    """The mean over classes of 2 right / (taken for it + of it), of those that occur in either."""
    decided = loss.decide(outputs)
    each = 1 if weights is None else weights[..., None, :].astype(np.float64)
    targets = np.broadcast_to(targets, decided.shape)
    of_class = np.arange(max(decided.max(), targets.max()) + 1)[:, None]
    said, true = (x[..., None, :] == of_class for x in (decided, targets))  # (…, classes, n)
    right = np.sum((said & true) * each, axis=-1)
    both = np.sum(said * each, axis=-1) + np.sum(true * each, axis=-1)
    share = np.divide(2.0 * right, both, out=np.zeros(both.shape), where=both > 0)
    return np.sum(share, axis=-1) / np.sum(both > 0, axis=-1)


metric("accuracy", "max", ["classification"], _accuracy, standard=True)
metric("mae", "min", ["regression"], _mae, "mean absolute error", standard=True)
metric("r2", "max", ["regression"], _r2, "R²", _without_spread, standard=True)
metric("f1_macro", "max", ["classification"], _f1_macro, "F1, mean of the classes")
