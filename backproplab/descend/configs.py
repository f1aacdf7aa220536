"""The descents of configs with an ``objective``, as their runs would take them."""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.config import Experiment
from backproplab.descend.asked import RUNS, STEPS, Asked
from backproplab.descend.path import Setting
from backproplab.errors import ConfigError, Problem
from backproplab.formulas import NAMED
from backproplab.learners import GradientDescent
from backproplab.text import counted

DISTANCE = 1e-6  # from a minimum of a function without a name, which ends a descent


def asked_of(experiments: Sequence[Experiment]) -> Asked:
    """The settings of all runs, with the function that they share.

    Raises ConfigError for a config without an objective, for different functions, or for what
    ``descend`` does not show.
    """
    objectives = [e.objective for e in experiments if e.objective]
    if not objectives or len(objectives) < len(experiments):
        hint = "descend shows a function: objective: {function: rosenbrock}"
        raise ConfigError(Problem("", "objective is missing", hint))
    first = objectives[0]
    if any((o.function, o.maximize) != (first.function, first.maximize) for o in objectives):
        what = "objective.function: the runs have different functions"
        raise ConfigError(Problem("", what, "descend shows one"))
    f, named = first.formula, NAMED.get(first.function)
    if len(f.names) > 2:
        what = f"objective.function: {len(f.names)} variables, descend shows one or two"
        raise ConfigError(Problem("", what, "train it"))
    if len(experiments) > RUNS:
        what = f"{counted(len(experiments), 'run')} in one command; at most {RUNS}"
        raise ConfigError(Problem("", what))
    settings = [_setting(e, f.names) for e in experiments]
    steps = min(max(e.steps or e.epochs for e in experiments), STEPS)
    return Asked(f, named, settings, steps, named.tolerance if named else DISTANCE)


def _setting(e: Experiment, names: Sequence[str]) -> Setting:
    if not isinstance(e.learner, GradientDescent):
        what = f"learner: descend shows gradient_descent, not {e.learner.name}"
        raise ConfigError(Problem("", what, "train it"))
    if e.optimizer.second_order or not e.optimizer.blockwise:
        what = f"optimizer: descend does not show {e.optimizer.name}"
        raise ConfigError(Problem("", what, "train it"))
    assert e.objective
    assert e.learning_rate is not None
    start = tuple(e.objective.start[name] for name in names)
    return Setting(start, e.optimizer, e.learning_rate, e.schedule)
