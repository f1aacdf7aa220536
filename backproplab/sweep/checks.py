"""What can be wrong with a sweep as a whole, beyond its schema and its trials.

Each check gives its problems, at the lines of the sweep's file. This file must not know how trials
are made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from backproplab.config import Experiment, located
from backproplab.config.cursor import Cursor
from backproplab.config.yaml_source import Document
from backproplab.data import load
from backproplab.errors import BackpropLabError, ConfigError, DataError, Problem, did_you_mean
from backproplab.experiment.cautions import cautions
from backproplab.experiment.limits import UNDEFINED, measured, undefined_measures
from backproplab.experiment.parts import build
from backproplab.measures import LOSS, MEASURES, SPLITS, goal_of, named, parsed
from backproplab.sweep.blocks import amount
from backproplab.sweep.schema import Parameter, SweepFile
from backproplab.sweep.trials import Draft, steps
from backproplab.text import counted


def limit_problems(file: SweepFile, sweep: Document) -> list[Problem]:
    """More trials than max_trials."""
    number = (file.num_trials or 0) if file.method != "grid" else amount(file)
    if number <= file.max_trials:
        return []
    what = f"{counted(number, 'trial')}; the limit is {file.max_trials:,}"
    return [Problem(sweep.name, what, "sweep fewer values, raise max_trials, or give --yes")]


def metric_problems(file: SweepFile, sweep: Document, drafts: list[Draft]) -> list[Problem]:
    """A metric that trials cannot be ranked or judged by."""
    name, where = file.metric.name, sweep.where(("metric", "name"))
    matters = file.method != "grid" or "metric" in sweep.tree
    split, bare = parsed(name)
    if file.pruner and split == "test":
        what = f"{name} is measured at the end, too late for a pruner"
        hint = "name one that each epoch has, such as val_loss"
    elif split == "validation" and not all(d[1].data.validation_split for d in drafts):
        what = f"{name} needs examples to validate on, data.validation_split is 0"
        hint = "set it, or name another metric, such as loss"
        if not matters:
            return []
    elif file.metric.goal == "auto" and bare in MEASURES and goal_of(name) is None:
        what = f"'{name}' has no better or worse"
        hint = "name another metric, or say goal: minimize or maximize"
    elif name not in (known := _measured(drafts, name)):
        what = f"'{name}' is not measured; one of {', '.join(known)}"
        hint = did_you_mean(name, known)
    else:
        return []
    return [Problem(where, f"metric: {what}", hint)]


def _measured(drafts: list[Draft], name: str) -> list[str]:
    """What is measured of every draft's data, or of the first that does not have ``name``.

    Every measure that there is, where the data cannot be loaded.
    """
    if name in (named("train", LOSS.name), named("validation", LOSS.name)):
        return [name]
    found: list[str] = []
    for _, experiment, _ in {repr(draft[1].data): draft for draft in drafts}.values():
        with suppress(BackpropLabError):  # reported by the run itself
            parts = build(experiment)
            splits, measures = parts.splits, parts.measures
            tested = [named("test", each.name) for each in measures] if splits.test else []
            found = [*measured(measures, splits.validation is not None), *tested]
        if found and name not in found:
            break
    return found or [named(split, each) for split in SPLITS for each in MEASURES]


def pruner_problems(file: SweepFile, sweep: Document, drafts: list[Draft]) -> list[Problem]:
    """A pruner that would never look at a trial."""
    longest = max((draft[1].epochs for draft in drafts), default=None)
    if file.pruner is None or longest is None:
        return []
    first = getattr(file.pruner, "min_trials", 0)
    if file.num_trials and first >= file.num_trials:
        what = f"pruner.min_trials: {first} are trained whole first, num_trials is "
        hint = "lower min_trials, or raise num_trials"
        return [Problem(sweep.where(("pruner",)), f"{what}{file.num_trials}", hint)]
    if file.pruner.rungs(longest):
        return []
    what = f"pruner: it looks after {counted(file.pruner.min_epochs, 'epoch')} first"
    rest = f", and no trial has more than {longest}"
    return [Problem(sweep.where(("pruner",)), what + rest, "lower min_epochs, or raise epochs")]


def build_all(drafts: Sequence[Draft]) -> tuple[list[Problem], list[str], list[str]]:
    """Every trial built as training would build it, with data that are loaded once.

    (problems of configs, problems of data files, one caution of each kind).
    """
    data = cache(load)
    problems: dict[Problem, None] = {}
    faults: dict[str, None] = {}
    found: dict[str, list[Problem]] = {}
    for _, experiment, document in drafts:
        try:
            parts = build(experiment, data)
            noted = located(ConfigError(*cautions(parts)), document).problems
        except ConfigError as error:
            problems |= dict.fromkeys(located(error, document).problems)
        except DataError as error:
            faults[str(error)] = None
        else:
            for caution in noted:
                found.setdefault(caution.what.partition(":")[0], []).append(caution)
    return list(problems), list(faults), [_of_trials(same, len(drafts)) for same in found.values()]


def _of_trials(same: Sequence[Problem], trials: int) -> str:
    """The first of some cautions, with the number of trials that it is about."""
    return f"{same[0]}" + (f" ({len(same)} of {counted(trials, 'trial')})" if trials > 1 else "")


def undefined_problems(file: SweepFile, sweep: Document, drafts: list[Draft]) -> list[Problem]:
    """A metric that is undefined on some trial's data."""
    data, where = cache(load), sweep.where(("metric", "name"))
    for _, experiment, _ in {repr(draft[1].data): draft for draft in drafts}.values():
        with suppress(BackpropLabError):
            parts = build(experiment, data)
            if why := undefined_measures(parts.metrics, parts.splits).get(file.metric.name):
                what = f"metric: '{file.metric.name}' is undefined: {why} to measure it on"
                return [Problem(where, what, UNDEFINED)]
    return []


def not_whole(
    parameters: Mapping[str, Parameter], base: Document, sweep: Document
) -> dict[str, Problem]:
    """Ranges of reals over fields of whole numbers, which would fail between their borders."""
    root = Cursor((), base.tree, Experiment)
    hint = "add distribution: int, or int_log"
    return {
        path: Problem(
            sweep.where(("parameters", path), key=True), f"{path} takes whole numbers", hint
        )
        for path, parameter in parameters.items()
        if root.follow(steps(path)).annotation is int
        and parameter.values is None
        and not parameter.is_whole
    }
