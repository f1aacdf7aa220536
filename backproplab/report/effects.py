"""What a key does while all other keys stay equal: within each group of such trials.

No single number says how important a key is: its effect may turn round with another key. This
file must not know how it is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from backproplab.report.axes import Axis
from backproplab.report.comparison import Comparison
from backproplab.report.outcomes import outcome, value_by_seed
from backproplab.report.trials import RankedTrial


@dataclass(frozen=True)
class Cost:
    """How much worse a trial is than another: a ratio of means, or a difference (positive is
    worse). low, high: the least and the most of one seed; the same if there is one."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Group:
    """Trials that are equal in all keys but one. trials: in the order of the key's axis."""

    comparison: Comparison
    key: str
    trials: tuple[RankedTrial, ...]

    @cached_property
    def measured(self) -> list[RankedTrial]:
        """Those with a number, best first."""
        name, sign = self.comparison.metric.name, self.comparison.metric.sign
        known = [(mean, trial) for trial in self.trials if (mean := trial.mean(name)) is not None]
        return [trial for _, trial in sorted(known, key=lambda pair: sign * pair[0])]

    @property
    def best(self) -> RankedTrial:
        return self.measured[0]

    @property
    def worst(self) -> RankedTrial:
        return self.measured[-1]

    def beside(self, step: int) -> RankedTrial | None:
        """The trial with the next smaller (-1) or larger (1) value than the best one."""
        at = self.trials.index(self.best) + step
        return self.trials[at] if 0 <= at < len(self.trials) else None

    @property
    def gone_from(self) -> RankedTrial | None:
        """The first trial beyond the best one that diverged or blew up."""
        beyond = self.trials[self.trials.index(self.best) + 1 :]
        return next((t for t in beyond if outcome(t).word in ("diverged", "blew up")), None)


def groups(comparison: Comparison, key: str) -> list[Group]:
    """The groups with at least two measured trials: by the other key if it is the only one and
    numeric, else the group of the best trial first."""
    found: dict[str, list[RankedTrial]] = {}
    for trial in comparison.trials:
        others = [trial.values[other] for other in comparison.keys if other != key]
        found.setdefault(repr(others), []).append(trial)
    order = list(map(repr, Axis.of(key, comparison.trials).ticks))
    place = {value: at for at, value in enumerate(order)}
    made = [
        Group(comparison, key, tuple(sorted(g, key=lambda t: place[repr(t.values[key])])))
        for g in found.values()
    ]
    made = [group for group in made if len(group.measured) > 1]
    others = [other for other in comparison.keys if other != key]
    if len(others) != 1 or not (axis := Axis.of(others[0], comparison.trials)).is_number:
        return made
    return sorted(made, key=lambda group: axis.index(group.best.values[others[0]]))


def is_ratio(comparison: Comparison) -> bool:
    """Whether costs are ratios: of a metric that is minimized and above 0."""
    means = [mean for t in comparison.trials if (mean := t.mean(t.metric.name)) is not None]
    return comparison.metric.sign > 0 and all(mean > 0 for mean in means)


def cost(trial: RankedTrial, best: RankedTrial, ratios: bool) -> Cost | None:
    """How much worse ``trial`` is than ``best``; None if one has no number."""
    name = trial.metric.name
    ours, theirs = trial.mean(name), best.mean(name)
    if ours is None or theirs is None:
        return None

    def one(a: float, b: float) -> float:
        return a / b if ratios and b else trial.metric.sign * (a - b)

    a, b = value_by_seed(trial), value_by_seed(best)
    each = [one(a[seed], b[seed]) for seed in b if seed in a] or [one(ours, theirs)]
    return Cost(one(ours, theirs), min(each), max(each))
