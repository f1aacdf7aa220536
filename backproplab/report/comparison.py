"""Trials and their ranks: runs grouped over seeds, the keys that differ, mean ± std of a metric.

This file must not know how a comparison is shown.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from backproplab.config.brief import briefs
from backproplab.config.experiment import Role, added_defaults, keys
from backproplab.errors import ConfigError, RunError, did_you_mean
from backproplab.measures import Goal, goal_of
from backproplab.report.differences import ABSENT, differences
from backproplab.report.gathering import Record, unrepeated
from backproplab.report.pairing import Paired, paired
from backproplab.report.trials import RankedTrial, Ranking
from backproplab.runs import best_by
from backproplab.runs.sweep_file import read_sweep

WORDS: dict[str, Goal] = {"minimize": "min", "maximize": "max", "min": "min", "max": "max"}


@dataclass(frozen=True)
class Comparison:
    """Trials, best first; keys: dotted paths that differ between them."""

    metric: Ranking
    keys: tuple[str, ...]
    trials: tuple[RankedTrial, ...]
    sweep: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def records(self) -> tuple[Record, ...]:
        return tuple(record for trial in self.trials for record in trial.records)

    @cached_property
    def sessions(self) -> list[str]:
        """The sessions of the runs, by name."""
        return sorted({record.info.session for record in self.records})

    @cached_property
    def names(self) -> list[str]:
        """The metrics that at least one run has."""
        return metric_names(self.records)

    @property
    def several_seeds(self) -> bool:
        return any(len(trial.records) > 1 for trial in self.trials)

    @cached_property
    def has_folds(self) -> bool:
        return any(record.fold is not None for record in self.records)

    @cached_property
    def repeats(self) -> str:
        """The word for the runs of a trial: ``seeds``, ``folds`` of one seed, or ``runs``."""
        if not self.has_folds:
            return "seeds"
        return "runs" if len({str(record.seed) for record in self.records}) > 1 else "folds"

    @cached_property
    def labels(self) -> dict[str, dict[str, str]]:
        """For each key that differs: a value's ``repr`` -> its label."""
        return {key: labels_of(trial.values[key] for trial in self.trials) for key in self.keys}

    def label(self, key: str, value: Any) -> str:
        """The short text of a value of a key that differs, unique among its values."""
        return self.labels[key][repr(value)]

    @cached_property
    def paired(self) -> tuple[Paired | None, ...]:
        """Each trial against the first; None for the first, and without a common seed."""
        if not self.trials or not self.trials[0].numbers(self.metric.name):
            return (None,) * len(self.trials)
        return (None, *(paired(trial, self.trials[0]) for trial in self.trials[1:]))

    @cached_property
    def pairs(self) -> dict[int, Paired | None]:
        """``paired`` by the ``id`` of the trial."""
        return {id(trial): pair for trial, pair in zip(self.trials, self.paired, strict=True)}

    @property
    def is_search(self) -> bool:
        """Whether a method chose the trials, so that hardly two of them share a value."""
        asked = self.sweep.get("sweep")
        return isinstance(asked, dict) and isinstance(asked.get("parameters"), dict)

    def rank(self, trial: RankedTrial) -> int:
        """1 for the best trial."""
        return self._ranks[id(trial)]

    @cached_property
    def _ranks(self) -> dict[int, int]:
        return {id(trial): rank for rank, trial in enumerate(self.trials, start=1)}

    @property
    def is_paired(self) -> bool:
        """Whether some trial can be compared with the first on at least two seeds."""
        return any(pair and len(pair.differences) > 1 for pair in self.paired)

    @cached_property
    def is_told_by_keys(self) -> bool:
        """Whether the keys that differ tell all trials apart, so that no name has to."""
        settings = {repr([trial.values[key] for key in self.keys]) for trial in self.trials}
        return bool(self.keys) and len(settings) == len(self.trials)


def compare(
    records: Sequence[Record],
    metric: str | None = None,
    goal: Goal | None = None,
    group_seeds: bool = True,
) -> Comparison:
    """The trials of ``records``, ranked.

    metric: by default the sweep's, else val_loss, loss, or the first that has a goal. Raises
    ConfigError if no run has it, or if neither it nor ``goal`` gives a goal.
    """
    sweep = _sweep_of(records)
    records = sorted(
        records, key=lambda record: record.sweep_position
    )  # equals in the sweep's order
    chosen = _ranking(records, metric, goal, sweep.get("metric"))
    records = [_at_best(record, chosen) for record in records]
    groups = _grouped(records) if group_seeds else [(record,) for record in records]
    read = [at for at, group in enumerate(groups) if group[0].config]
    varied = _varied(sweep)
    configs = [groups[at][0].config for at in read]
    configs = [unrepeated(config) for config in configs] if group_seeds else configs
    trees = [_without(config, keys(Role.NO_NUMBER)) for config in configs]
    found = dict(differences(trees, varied=varied))
    values = dict(zip(read, zip(*found.values(), strict=True), strict=False))
    trials = [
        RankedTrial(
            group,
            chosen,
            dict(zip(found, values.get(at, [ABSENT] * len(found)), strict=True)),
            _asked(group) if group_seeds else 0,
        )
        for at, group in enumerate(groups)
    ]
    ranked = sorted(trials, key=lambda trial: trial.rank_key)
    differing = [key for key in found if not _is_unused(key, trials)]
    return Comparison(chosen, _varied_first(differing, varied), tuple(ranked), sweep)


def _is_unused(key: str, trials: Sequence[RankedTrial]) -> bool:
    """Whether the key differs only in that baselines have no use for it."""
    values = [t.values[key] for t in trials if t.is_baseline]
    others = {repr(t.values[key]) for t in trials if not t.is_baseline}
    return bool(values) and len(others) == 1 and all(value is ABSENT for value in values)


def labels_of(values: Iterable[Any]) -> dict[str, str]:
    """A value's ``repr`` -> its label, unique among these values."""
    distinct = {repr(value): value for value in values}
    return dict(zip(distinct, briefs([*distinct.values()]), strict=True))


def metric_names(records: Sequence[Record]) -> list[str]:
    return list(dict.fromkeys(name for record in records for name in record.info.metrics))


def _ranking(
    records: Sequence[Record], name: str | None, goal: Goal | None, wished: Any
) -> Ranking:
    names = metric_names(records)
    wish = wished if isinstance(wished, dict) else {}
    at: Literal["best", "last"] = "last" if wish.get("at") == "last" else "best"
    if name is None and wish.get("name") in names:
        name, goal = wish["name"], goal or WORDS.get(str(wish.get("goal")))
    if name is None:
        loss = [known for known in ("val_loss", "loss") if known in names]
        name = next(iter([*loss, *filter(goal_of, names)]), "val_loss")
    elif name not in names:
        hint = did_you_mean(name, names)
        valid = f"one of {', '.join(names)}" if names else "no run has measured anything"
        raise ConfigError(f"--metric {name!r} was not measured; {valid}" + (hint and f" — {hint}"))
    if not (goal := goal or goal_of(name)):
        hint = "say --min or --max, or name another --metric"
        raise ConfigError(f"{name!r} has no better or worse, so nothing can rank by it — {hint}")
    return Ranking(name, goal, at)


def _at_best(record: Record, metric: Ranking) -> Record:
    """The record with its best epoch by ``metric``, whatever the run monitored."""
    best = best_by(record.info, metric.name, metric.goal == "min")
    return replace(record, info=replace(record.info, best=best))


def _sweep_of(records: Sequence[Record]) -> dict[str, Any]:
    """The sweep.json of the records' session; empty if they come from several."""
    sessions = {record.info.folder.parent for record in records}
    try:
        return read_sweep(sessions.pop()) if len(sessions) == 1 else {}
    except RunError:  # reported when its trials were read
        return {}


def _grouped(records: Sequence[Record]) -> list[tuple[Record, ...]]:
    """The runs of each trial. Runs of one config are one trial, whichever session they are in."""
    trials: dict[Any, Any] = {}  # the config of a sweep's trial is that of its first run
    groups: dict[Any, list[Record]] = {}
    for record in records:
        identity = _identity(record)
        identity = trials.setdefault(record.trial, identity) if record.trial else identity
        groups.setdefault(identity, []).append(record)
    return [tuple(group) for group in groups.values()]


def _asked(group: Sequence[Record]) -> int:
    """The planned number of runs: those of each sweep's trial, and every other run."""
    by_trial = {record.trial: record.asked for record in group if record.trial}
    return sum(by_trial.values()) + sum(not record.trial for record in group)


def _identity(record: Record) -> Any:
    """Equal for configs that compute the same, except for seed and fold; a folder without a config.

    A default of a key that earlier versions did not have counts as absent.
    """
    if not record.config:
        return record.info.folder
    tree = _without(unrepeated(record.config), keys(Role.NO_NUMBER))
    added = added_defaults()
    unread = {"batch_size"} if tree.get("batch_mode", "minibatch") != "minibatch" else set()
    used = {
        key: value
        for key, value in tree.items()
        if value is not None and key not in unread and added.get(key) != value
    }
    return json.dumps(used, sort_keys=True, default=str)


def _without(tree: dict[str, Any], keys: Set[str]) -> dict[str, Any]:
    return {key: value for key, value in tree.items() if key not in keys}


def _varied(sweep: dict[str, Any]) -> list[str]:
    """The paths that the trials of a sweep set, in its order; of a damaged one empty."""
    trials = sweep.get("trials")
    found = (
        [t.get("values") for t in trials if isinstance(t, dict)] if isinstance(trials, list) else []
    )
    each = (path for values in found if isinstance(values, dict) for path in values)
    return list(dict.fromkeys(each))


def _varied_first(found: Iterable[str], varied: Sequence[str]) -> tuple[str, ...]:
    """The keys that the sweep varied in its order, then the others in the config's order."""

    def place(path: str) -> int:
        near = (at for at, other in enumerate(varied) if f"{path}.".startswith(f"{other}."))
        return min(near, default=len(varied))

    return tuple(sorted(found, key=place))
