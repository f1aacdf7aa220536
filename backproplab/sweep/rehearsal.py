"""Rehearsal: every trial is built as ``train`` would build it, before the first run begins.

Its data are loaded and its network is laid out, but no weights are allocated and nothing is
written. This file must not know how trials are made, nor how they are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backproplab.config import Experiment, located
from backproplab.data import Splits
from backproplab.errors import ConfigError, DataError, Problem
from backproplab.experiment.cautions import cautions
from backproplab.experiment.limits import load, measured, undefined_measures
from backproplab.experiment.parts import Loader, Parts, build
from backproplab.measures import named
from backproplab.sweep.trials import Draft, label
from backproplab.text import counted

SMALL = 2**17  # bytes of training data that load in a few milliseconds
MOST = 1000  # runs that are built with every seed

Fault = tuple[type[ConfigError] | type[DataError], Problem]


@dataclass
class Rehearsal:
    """What came of building every trial.

    force: what takes very long is meant.
    measured: the names of what each trial that can be built measures.
    undefined: why a value is undefined on some trial's data, by its name.
    faults: each problem, with the trials that have it.
    cautions_of: each kind of caution, with the first one of each trial that has it.
    """

    trials: int
    force: bool = False
    measured: list[list[str]] = field(default_factory=list)
    undefined: dict[str, str] = field(default_factory=dict)
    faults: dict[Fault, dict[str, None]] = field(default_factory=dict)
    cautions_of: dict[str, dict[str, Problem]] = field(default_factory=dict)

    @property
    def problems(self) -> list[Problem]:
        """Each problem with the trials that have it."""
        return [
            Problem(problem.where, f"{problem.what}{self._of(list(labels))}", problem.hint)
            for (_, problem), labels in self.faults.items()
        ]

    @property
    def cautions(self) -> tuple[str, ...]:
        """One caution of each kind, with the number of trials that it is about."""
        return tuple(
            f"{next(iter(of.values()))}"
            + (f" ({len(of)} of {counted(self.trials, 'trial')})" if self.trials > 1 else "")
            for of in self.cautions_of.values()
        )

    @property
    def data_only(self) -> bool:
        """Whether all that is wrong is in data files."""
        return all(kind is DataError for kind, _ in self.faults)

    def _of(self, labels: list[str]) -> str:
        """`` (trial batch_size-256 and 2 others)``; nothing for a sweep of one trial."""
        if self.trials == 1:
            return ""
        if len(labels) == self.trials:
            return f" (all {self.trials:,} trials)"
        others = len(labels) - 1
        rest = f" and {counted(others, 'other')}" if others else ""
        return f" (trial {labels[0]}{rest})"


def rehearse(
    drafts: Sequence[Draft], seeds: Sequence[int], trials: int, force: bool = False
) -> Rehearsal:
    """Build every draft with its first seed; with all seeds if runs are few and data small.

    trials: in all, those included that have no draft because their config is at fault.
    force: what takes very long is meant.
    Each data set is loaded once for a seed, and only one is held at a time.
    """
    found = Rehearsal(trials, force)
    groups: dict[str, list[Draft]] = {}
    for draft in drafts:
        of = draft[1].data, draft[1].dtype, draft[1].init_from
        groups.setdefault(repr(of), []).append(draft)
    few = len(drafts) * len(seeds) <= MOST
    for group in groups.values():
        first = group[0][1]
        for seed in seeds:
            data = _Loaded(first, seed)
            for draft in group:
                _build(draft, seed, data, found)
            if not (few and data.is_small):
                break
    return found


def _build(draft: Draft, seed: int, data: Loader, found: Rehearsal) -> None:
    values, experiment, document = draft
    # ``threads: auto`` would allocate the weights to choose a number
    experiment = experiment.model_copy(update={"seed": seed, "threads": 1})
    faults: list[Fault] = []
    name = label(values, list(values))
    try:
        parts = build(experiment, data)
        found.measured.append(_measured(parts))
        if not found.force and (excess := experiment.learner.excess(parts.material)):
            raise ConfigError(*excess)
        found.undefined |= undefined_measures(parts.metrics, parts.splits)
        for caution in located(ConfigError(*cautions(parts)), document).problems:
            kind = caution.what.partition(":")[0]
            found.cautions_of.setdefault(kind, {}).setdefault(name, caution)
    except ConfigError as error:
        faults = [(ConfigError, problem) for problem in located(error, document).problems]
    except DataError as error:
        where = document.where(("data",))
        faults = [(DataError, Problem(where, f"data: {line}")) for line in str(error).splitlines()]
    for fault in faults:
        found.faults.setdefault(fault, {})[name] = None


def _measured(parts: Parts) -> list[str]:
    tested = [named("test", each.name) for each in parts.measures] if parts.splits.test else []
    return [*measured(parts.measures, parts.splits.validation is not None), *tested]


class _Loaded:
    """A loader that has loaded one data set, or fails each time as it failed then."""

    def __init__(self, experiment: Experiment, seed: int) -> None:
        self.result: Splits | ConfigError | DataError
        try:
            kept = experiment.init_from.kept() if experiment.init_from else None
            self.result = load(experiment.data, seed, np.dtype(experiment.dtype), kept)
        except (ConfigError, DataError) as error:
            self.result = error

    @property
    def is_small(self) -> bool:
        return isinstance(self.result, Splits) and self.result.train.inputs.nbytes <= SMALL

    def __call__(self, *_: Any) -> Splits:
        if isinstance(self.result, Splits):
            return self.result
        raise self.result.with_traceback(None)
