"""Rehearsal: every trial is built as ``train`` would build it, before the first run begins.

Its data are loaded and its network is laid out, but no weights are allocated and nothing is
written. This file must not know how trials are made, nor how they are run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from backproplab.config import Experiment, located
from backproplab.data import Splits
from backproplab.errors import ConfigError, DataError, Problem
from backproplab.experiment.cautions import cautions
from backproplab.experiment.crew import shape_of
from backproplab.experiment.limits import load, measured, undefined_measures
from backproplab.experiment.parts import Loader, Parts, build
from backproplab.measures import named
from backproplab.sweep.repeats import Repeat
from backproplab.sweep.trials import Draft, label
from backproplab.text import counted

SMALL = 2**17  # bytes of training data that load in a few milliseconds
MOST = 1000  # runs that are all built

T = TypeVar("T")
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
    drafts: Sequence[Draft], repeats: Sequence[Repeat], trials: int, force: bool = False
) -> Rehearsal:
    """Build every draft's first run; all of its runs if they are few and data small.

    trials: in all, those included that have no draft because their config is at fault.
    force: what takes very long is meant.
    Each data set is loaded once for a seed and fold, and only one is held at a time. Another seed
    or fold has other data, which drafts of one shape meet alike: one of them is built.
    """
    found = Rehearsal(trials, force)
    groups: dict[str, list[Draft]] = {}
    for draft in drafts:
        of = draft[1].data, draft[1].dtype, draft[1].init_from
        groups.setdefault(repr(of), []).append(draft)
    few = len(drafts) * len(repeats) <= MOST
    for group in groups.values():
        first = group[0][1]
        alike = [[draft] for draft in group]
        for repeat in repeats:
            data = _Loaded(repeat.of(first))
            for drafts_alike in alike:
                _build(drafts_alike, repeat, data, found)
            if not (few and data.is_small):
                break
            if repeat == repeats[0]:
                alike = _by_shape(group)
    return found


def _by_shape(drafts: Sequence[Draft]) -> list[list[Draft]]:
    found: dict[str, list[Draft]] = {}
    for draft in drafts:
        found.setdefault(shape_of(draft[1]), []).append(draft)
    return list(found.values())


def _build(drafts: Sequence[Draft], repeat: Repeat, data: Loader, found: Rehearsal) -> None:
    """Build the first of drafts that are alike; what is found is said of all of them."""
    _, experiment, document = drafts[0]
    # ``threads: auto`` would allocate the weights to choose a number
    experiment = repeat.of(experiment).model_copy(update={"threads": 1})
    faults: list[Fault] = []
    try:
        parts = build(experiment, data)
        found.measured.append(_measured(parts))
        if not found.force and (excess := experiment.learner.excess(parts.material)):
            raise ConfigError(*excess)
        found.undefined |= undefined_measures(parts.metrics, parts.splits)
        for caution in located(ConfigError(*cautions(parts)), document).problems:
            kind = caution.what.partition(":")[0]
            _say_of(drafts, found.cautions_of.setdefault(kind, {}), caution)
    except ConfigError as error:
        faults = [(ConfigError, problem) for problem in located(error, document).problems]
    except DataError as error:
        where = document.where(("data",))
        faults = [(DataError, Problem(where, f"data: {line}")) for line in str(error).splitlines()]
    for fault in faults:
        _say_of(drafts, found.faults.setdefault(fault, {}), None)


def _say_of(drafts: Sequence[Draft], said: dict[str, T], what: T) -> None:
    """What the first one's data show is so for all; what was said of it before is its own."""
    names = [label(values, list(values)) for values, *_ in drafts]
    if names[0] not in said:
        said |= dict.fromkeys(names, what)


def _measured(parts: Parts) -> list[str]:
    tested = [named("test", each.name) for each in parts.measures] if parts.splits.test else []
    return [*measured(parts.measures, parts.splits.validation is not None), *tested]


class _Loaded:
    """A loader that has loaded one data set, or fails each time as it failed then."""

    def __init__(self, experiment: Experiment) -> None:
        self.result: Splits | ConfigError | DataError
        seed, dtype = experiment.seed, np.dtype(experiment.dtype)
        try:
            kept = experiment.init_from.kept() if experiment.init_from else None
            self.result = load(experiment.data, seed, dtype, kept)
        except (ConfigError, DataError) as error:
            self.result = error

    @property
    def is_small(self) -> bool:
        return isinstance(self.result, Splits) and self.result.train.inputs.nbytes <= SMALL

    def __call__(self, *_: Any) -> Splits:
        if isinstance(self.result, Splits):
            return self.result
        raise self.result.with_traceback(None)
