"""Cost: what a trial took, in columns, and where its epochs are in updates, passes or seconds.

This file must not know what is drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from operator import mul
from typing import Any

import numpy as np

from backproplab.passes import COUNTERS
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT
from backproplab.report.outcomes import span
from backproplab.report.series import Band
from backproplab.report.trials import RankedTrial

EPOCH = "epoch"
Place = Callable[[Any], Any]  # epochs, one or an array, in another unit
COUNTS = ["parameters", *(counter.name for counter in COUNTERS)]
PASSES = [counter.name for counter in COUNTERS[:2]]


def cost_columns(comparison: Comparison, whole: bool) -> list[str]:
    """Columns of a table: all counts of a whole one, which is equal for equal runs; of another
    where weights are found in several ways, so that an epoch is no common measure."""
    if whole:
        return COUNTS
    differ = any(key.partition(".")[0] == "learner" for key in comparison.keys)
    return ["parameters", *PASSES, "seconds"] if differ else []


def shown_keys(comparison: Comparison) -> list[str]:
    """The keys that differ, without those that follow from the learner: where learners differ, one
    that has a single value for each learner that uses it."""
    if "learner" not in comparison.keys:
        return list(comparison.keys)
    return [key for key in comparison.keys if not _follows(comparison, key)]


def _follows(comparison: Comparison, key: str) -> bool:
    values = [trial.values[key] for trial in comparison.trials]
    used = {repr(value) for value in values if value is not ABSENT}
    return ABSENT in values and len(used) == 1


def count_of(trial: RankedTrial, name: str) -> str:
    """A count of the trial's runs, or from the least to the most; empty if one did not count."""
    found = [record.details.get(name) for record in trial.records]
    known = [count for count in found if isinstance(count, int)]
    return span(known) if len(known) == len(found) else ""


def spent(trial: RankedTrial) -> float | None:
    """Seconds of all runs; None if one is not known."""
    found = [record.info.seconds for record in trial.records]
    return None if None in found else sum(filter(None, found))


def unit_of(trials: Sequence[RankedTrial]) -> str:
    """What the curves of these trials are drawn over: the steps of a learner without batches, if
    they all have the same word for one, else epochs."""
    words = _words(trials)
    return (words.pop() or EPOCH) if len(words) == 1 else EPOCH


def units_of(trials: Sequence[RankedTrial]) -> list[str]:
    """Units in which these trials' epochs differ, so that epochs alone do not compare them."""
    found = []
    if unit_of(trials) == EPOCH and len({round(pace(trial, "steps")) for trial in trials}) > 1:
        found.append("step" if any(_words(trials)) else "update")
    found += ["pass"] if passes_differ(trials) else []
    return [*found, "second"] if found else []


def _words(trials: Sequence[RankedTrial]) -> set[str]:
    """The words for a step of learners without batches; empty for those with batches."""
    return {r.info.unit for trial in trials for r in trial.counted or trial.records}


def passes_differ(trials: Sequence[RankedTrial]) -> bool:
    """Whether a step of one trial takes more passes than a step of another, and all take some."""
    steps = [pace(trial, "steps") for trial in trials]
    taken = [sum(pace(trial, name) for name in PASSES) for trial in trials]
    each = [round(n / many) for n, many in zip(taken, steps, strict=True) if many]
    return len(set(each)) > 1 and all(taken)


def place(trial: RankedTrial, curves: Mapping[str, Band], unit: str) -> Place | None:
    """Where the trial's epochs are in this unit; None if its runs do not say.

    curves: the trial's measures over epochs.
    """
    if unit == EPOCH:
        return lambda epochs: epochs
    if unit == "pass":
        return _counted(curves)
    each = pace(trial, "seconds" if unit == "second" else "steps")
    return partial(mul, each) if each > 0 else None


def pace(trial: RankedTrial, what: str) -> float:
    """The mean number of ``steps``, ``seconds`` or passes per epoch, from run.json."""
    records = trial.counted or trial.records
    found = [record.details.get(what) for record in records]
    epochs = sum(record.info.epochs for record in records)
    passed = sum(value for value in found if isinstance(value, int | float))
    return passed / epochs if epochs else 0.0


def _counted(curves: Mapping[str, Band]) -> Place | None:
    """Forward and backward passes, as they were counted epoch by epoch."""
    counted = [curves[name] for name in PASSES if name in curves]
    if len(counted) < len(PASSES):
        return None
    return partial(np.interp, xp=counted[0].at, fp=sum(band.mean for band in counted))
