"""What can be wrong with a sweep as a whole, beyond its schema and its trials.

Each check gives its problems, at the lines of the sweep's file. This file must not know how trials
are made, nor how a run is built.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from backproplab.config import Experiment
from backproplab.config.cursor import Cursor
from backproplab.config.yaml_source import Document
from backproplab.errors import Problem, did_you_mean
from backproplab.experiment.limits import UNDEFINED
from backproplab.measures import MEASURES, SPLITS, goal_of, named, parsed
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


def metric_problems(
    file: SweepFile, sweep: Document, drafts: Sequence[Draft], measured: Iterable[Sequence[str]]
) -> list[Problem]:
    """A metric that trials cannot be ranked or judged by.

    measured: the names of what each trial measures, as far as it can be built.
    """
    name, where = file.metric.name, sweep.where(("metric", "name"))
    matters = file.method != "grid" or "metric" in sweep.tree
    split, bare = parsed(name)
    if file.pruner and split == "test":
        what = f"{name} is measured at the end, too late for a pruner"
        hint = "name one that each epoch has, such as val_loss"
    elif split == "validation" and not all(d[1].data.validation_split for d in drafts):
        what = f"{name} needs examples to validate on, data.validation_split is 0"
        hint = "set it, or name another metric, such as loss"
    elif file.metric.goal == "auto" and bare in MEASURES and goal_of(name) is None:
        what = f"'{name}' has no better or worse"
        hint = "name another metric, or say goal: minimize or maximize"
    elif name not in (known := _known(name, measured)):
        what = f"'{name}' is not measured; one of {', '.join(known)}"
        hint = did_you_mean(name, known)
    else:
        return []
    return [Problem(where, f"metric: {what}", hint)] if matters else []


def _known(name: str, measured: Iterable[Sequence[str]]) -> Sequence[str]:
    """What the first trial without ``name`` measures, or any; every measure if none is known."""
    found: Sequence[str] = [named(split, each) for split in SPLITS for each in MEASURES]
    for found in measured:
        if name not in found:
            break
    return found


def pruner_problems(file: SweepFile, sweep: Document, drafts: Sequence[Draft]) -> list[Problem]:
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


def fold_problems(file: SweepFile, sweep: Document, drafts: Sequence[Draft]) -> list[Problem]:
    """Folds of data that cannot have any, or have one already."""
    found = {"data.fold says already which fold" for d in drafts if file.folds and d[1].data.fold}
    found |= {why for d in drafts if file.folds and (why := d[1].data.fold_problem)}
    return [Problem(sweep.where(("folds",)), f"folds: {why}", "remove it") for why in sorted(found)]


def baseline_problems(file: SweepFile, sweep: Document) -> list[Problem]:
    """Baselines of a search, whose trials are chosen."""
    if not file.baselines or file.method == "grid":
        return []
    what = f"baselines: {file.method} chooses trials by parameters, of which a baseline has none"
    hint = "sweep the base alone with --baselines, and compare both sessions"
    return [Problem(sweep.where(("baselines",)), what, hint)]


def undefined_problems(
    file: SweepFile, sweep: Document, undefined: Mapping[str, str]
) -> list[Problem]:
    """A metric that some trial's data leave undefined. undefined: by name, why."""
    if not (why := undefined.get(file.metric.name)):
        return []
    what = f"metric: '{file.metric.name}' is undefined: {why} to measure it on"
    return [Problem(sweep.where(("metric", "name")), what, UNDEFINED)]


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
