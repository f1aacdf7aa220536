"""How much of the metric's variation each key explains, alone and together with another key.

η²_H = (H - k + 1) / (n - k), the effect size of Kruskal and Wallis's H (Tomczak and Tomczak, 2014):
the share of the variance of the metric's ranks between the k groups of trials with the same value,
minus the share expected by chance. Keys need not be numeric, or the relation linear. A key whose
effect depends on another key may explain nothing alone; so the effect within groups of trials that
are equal in all other keys is found, too. This file must not know how it is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.report.comparison import Comparison, RankedTrial
from backproplab.status import Status

FEWEST_TRIALS, FEWEST_KEYS = 8, 2
GROUPS = 5  # number of groups for a numeric key with more values
CHANCE = 2.5  # standard deviations
VISIBLE = 0.005  # a share below this would be shown as 0 %


@dataclass(frozen=True)
class Within:
    """The effect of a key among trials that are equal in all other keys.

    ratios: for each such group the worst value divided by the best; differences if a value is not
    positive. is_ratio: which. lost: the number of groups in which some trial diverged.
    best: the value that is best in most groups, as a label, and in how many.
    """

    ratios: tuple[float, ...]
    is_ratio: bool
    lost: int
    best: tuple[str, int]
    groups: int

    @property
    def middle(self) -> float:
        return median(self.ratios)


@dataclass(frozen=True)
class Importance:
    """alone: η² of the key. partner, together: the other key with which it explains most, and how
    much more both explain than that key alone. within: of a grid only."""

    key: str
    alone: float
    partner: str = ""
    together: float = 0.0
    within: Within | None = None

    @property
    def share(self) -> float:
        """By which keys are ordered."""
        return max(self.alone, self.together)


def importances(comparison: Comparison) -> list[tuple[str, float]]:
    """(key, its share from 0 to 1), largest first; empty if there are too few trials or keys."""
    return [(found.key, found.share) for found in effects(comparison)]


def effects(comparison: Comparison) -> list[Importance]:
    """Of each key, the most important first; empty if there are too few trials or keys.

    Only finished trials count: completed ones by their mean, diverged ones as the worst.
    """
    finished = [trial for trial in comparison.trials if _finished(trial)]
    if len(finished) < FEWEST_TRIALS or len(comparison.keys) < FEWEST_KEYS:
        return []
    scores = np.array([_score(trial) for trial in finished])
    groups = {key: groups_of([t.values[key] for t in finished]) for key in comparison.keys}
    alone = {key: rank_share(found, scores) for key, found in groups.items()}
    found = []
    for key in comparison.keys:
        more = {
            other: added_share(_joint(groups[key], groups[other]), groups[other], scores)
            for other in comparison.keys
            if other != key
        }
        partner = max(more, key=more.__getitem__)
        within = _within(comparison, key, finished)
        found.append(Importance(key, alone[key], partner, more[partner], within))
    return sorted(found, key=lambda item: (-item.share, item.key))


def _joint(first: Sequence[int], second: Sequence[int]) -> list[int]:
    """The group of each trial by two keys."""
    names = {pair: at for at, pair in enumerate(dict.fromkeys(zip(first, second, strict=True)))}
    return [names[pair] for pair in zip(first, second, strict=True)]


def _within(comparison: Comparison, key: str, trials: Sequence[RankedTrial]) -> Within | None:
    """None if fewer than two groups of trials differ in this key only: then it is no grid."""
    blocks = [block for block in _blocks(comparison, key, trials) if len(block) > 1]
    name, sign = comparison.metric.name, comparison.metric.sign
    known = []
    for block in blocks:
        means = {repr(t.values[key]): m for t in block if (m := t.mean(name)) is not None}
        if len(means) > 1:
            known.append(means)
    if len(known) < 2:
        return None
    is_ratio = all(mean > 0 for means in known for mean in means.values())
    spans = [(min(means.values()), max(means.values())) for means in known]
    winners = [min(means, key=lambda value: sign * means[value]) for means in known]
    best = max(dict.fromkeys(winners), key=winners.count)
    lost = sum(any(Status.DIVERGED in trial.status for trial in block) for block in blocks)
    return Within(
        tuple(high / low if is_ratio else high - low for low, high in spans),
        is_ratio,
        lost,
        (comparison.labels[key][best], winners.count(best)),
        len(blocks),
    )


def _blocks(
    comparison: Comparison, key: str, trials: Sequence[RankedTrial]
) -> Iterator[list[RankedTrial]]:
    """Trials that are equal in all keys but this one."""
    found: dict[str, list[RankedTrial]] = {}
    for trial in trials:
        others = [trial.values[other] for other in comparison.keys if other != key]
        found.setdefault(repr(others), []).append(trial)
    yield from found.values()


def _finished(trial: RankedTrial) -> bool:
    statuses = {record.info.status for record in trial.records}
    return statuses <= {Status.COMPLETED, Status.DIVERGED}


def _score(trial: RankedTrial) -> float:
    mean = trial.mean(trial.metric.name)
    return np.inf if mean is None else trial.metric.sign * mean


def rank_share(groups: Sequence[int], scores: Array) -> float:
    """η²_H of ``scores`` by ``groups``, not below 0; ties share their mean rank."""
    h, k, n = *kruskal_h(groups, scores), len(scores)
    return float(max(0.0, (h - k + 1) / (n - k))) if 2 <= k < n else 0.0


def kruskal_h(groups: Sequence[int], scores: Array) -> tuple[float, int]:
    """(Kruskal and Wallis's H with the correction for ties, the number of groups)."""
    labels, n = np.asarray(groups), len(scores)
    order, counts = np.unique(scores, return_inverse=True, return_counts=True)[1:]
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[order]
    total = np.sum((ranks - ranks.mean()) ** 2)
    parts = [ranks[labels == label] for label in np.unique(labels)]
    between = sum(len(part) * (part.mean() - ranks.mean()) ** 2 for part in parts)
    return (float((n - 1) * between / total) if total else 0.0), len(parts)


def added_share(joint: Sequence[int], other: Sequence[int], scores: Array) -> float:
    """How much more two keys explain than the other alone; 0 if chance could do it.

    Under chance H grows by about d with a variance of 2 d, for d more groups.
    """
    (both, more), (alone, fewer) = kruskal_h(joint, scores), kruskal_h(other, scores)
    d = more - fewer
    if d < 1 or both - alone <= d + CHANCE * math.sqrt(2 * d):
        return 0.0
    return max(0.0, rank_share(joint, scores) - rank_share(other, scores))


def groups_of(values: Sequence[Any]) -> list[int]:
    """The group of each value: equal values, or, for many numbers, quantile ranges."""
    texts = [repr(value) for value in values]
    names = {text: at for at, text in enumerate(dict.fromkeys(texts))}
    numbers = all(isinstance(value, int | float) for value in values)
    if len(names) <= GROUPS or not numbers:
        return [names[text] for text in texts]
    edges = np.quantile(np.array(values), np.linspace(0, 1, GROUPS + 1)[1:-1])
    return [int(group) for group in np.searchsorted(edges, np.array(values))]
