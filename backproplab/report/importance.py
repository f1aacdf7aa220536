"""How much of the metric's variation each key explains.

η²_H = (H - k + 1) / (n - k), the effect size of Kruskal and Wallis's H (Tomczak and Tomczak, 2014):
the share of the variance of the metric's ranks that lies between the k groups of trials with the
same value, less what groups of chance would show. It needs neither numbers nor a straight line.
This file must not know how it is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.report.comparison import Comparison, Trial
from backproplab.status import Status

FEWEST_TRIALS, FEWEST_KEYS = 8, 2
GROUPS = 5  # of a number with more values than that


def importances(comparison: Comparison) -> list[tuple[str, float]]:
    """(key, its share from 0 to 1), largest first; none where there are too few trials or keys.

    Finished trials count: completed ones by their mean, diverged ones as the worst.
    """
    finished = [trial for trial in comparison.trials if _finished(trial)]
    if len(finished) < FEWEST_TRIALS or len(comparison.keys) < FEWEST_KEYS:
        return []
    scores = np.array([_score(trial) for trial in finished])
    found = [
        (key, rank_share(groups_of([trial.values[key] for trial in finished]), scores))
        for key in comparison.keys
    ]
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _finished(trial: Trial) -> bool:
    statuses = {record.info.status for record in trial.records}
    return statuses <= {Status.COMPLETED, Status.DIVERGED}


def _score(trial: Trial) -> float:
    mean = trial.mean(trial.metric.name)
    return np.inf if mean is None else trial.metric.sign * mean


def rank_share(groups: Sequence[int], scores: Array) -> float:
    """η²_H of ``scores`` by ``groups``, not below 0; ties share their mean rank."""
    labels, n = np.asarray(groups), len(scores)
    k = len(np.unique(labels))
    order, counts = np.unique(scores, return_inverse=True, return_counts=True)[1:]
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    total = np.sum((ranks - ranks.mean()) ** 2)
    if k < 2 or k >= n or total == 0:
        return 0.0
    parts = [ranks[labels == label] for label in np.unique(labels)]
    between = sum(len(part) * (part.mean() - ranks.mean()) ** 2 for part in parts)
    return float(max(0.0, ((n - 1) * between / total - k + 1) / (n - k)))


def groups_of(values: Sequence[Any]) -> list[int]:
    """The group of each value: equal values, or for many numbers, neighbours of equal counts."""
    texts = [repr(value) for value in values]
    names = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    numbers = all(isinstance(value, int | float) for value in values)
    if len(names) <= GROUPS or not numbers:
        return [names[text] for text in texts]
    edges = np.quantile(np.array(values), np.linspace(0, 1, GROUPS + 1)[1:-1])
    return [int(group) for group in np.searchsorted(edges, np.array(values))]
