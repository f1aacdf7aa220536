"""Measures: what is reported of a split, which way each value is better, and how names are built.

A value is named by its split and its measure: ``loss`` and ``accuracy`` are those of the training
split, ``val_accuracy`` of the validation split, ``test_accuracy`` of the test split. This file is
the only one that knows the prefixes. It must not know how anything is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple

from backproplab.catalogs import catalog
from backproplab.errors import ConfigError, did_you_mean

Goal = Literal["min", "max"]
Row = dict[str, float]  # value by measure, or by split and measure

SPLITS = {"train": "", "validation": "val_", "test": "test_"}
POSITION = ("epoch", "step", "split")  # columns of metrics.csv; every other one is a measure


class Measure(NamedTuple):
    """One measured quantity.

    goal: which way it is better; None for a quantity that is shown only: no run is ranked by it,
        unless the user says which way, and none monitors it.
    label: what axes and tables call it.
    """

    name: str
    goal: Goal | None
    label: str


MEASURES: dict[str, Measure] = catalog()


def measure(name: str, goal: Goal | None, label: str = "") -> Measure:
    """Declare a measure; from then on every part of the program knows its goal and its label.

    Raises ValueError for a name that begins like another split's, or that has another goal already.
    """
    if parsed(name)[0] != "train":
        raise ValueError(f"a measure cannot be named {name!r}: the prefix stands for a split")
    made = Measure(name, goal, label or name.replace("_", " "))
    if MEASURES.setdefault(name, made).goal != goal:
        raise ValueError(f"the measure {name!r} has the goal {MEASURES[name].goal} already")
    return MEASURES[name]


def parsed(name: str) -> tuple[str, str]:
    """(split, measure): ``val_accuracy`` is ``("validation", "accuracy")``."""
    for split, prefix in SPLITS.items():
        if prefix and name.startswith(prefix):
            return split, name.removeprefix(prefix)
    return "train", name


LOSS = measure("loss", "min")


def named(split: str, name: str) -> str:
    """The inverse of ``parsed``: ``val_accuracy`` for the validation split's ``accuracy``."""
    return SPLITS[split] + name


def prefixed(split: str, row: Mapping[str, float]) -> Row:
    """The row of one split, by the names that it has among those of all splits."""
    return {named(split, name): value for name, value in row.items()}


def of_split(split: str, row: Mapping[str, float]) -> Row:
    """The inverse of ``prefixed``: what a row of several splits holds of this one."""
    values = {parsed(name): value for name, value in row.items()}
    return {name: value for (owner, name), value in values.items() if owner == split}


def listed(names: Iterable[str]) -> list[str]:
    """The columns of a table whose columns nobody chose, each once: the losses of each epoch, and
    the other measures of examples that were not trained on."""

    def is_listed(name: str) -> bool:
        split, bare = parsed(name)
        return split != ("test" if bare == LOSS.name else "train")

    splits = list(SPLITS)
    found = dict.fromkeys(filter(is_listed, names))
    return sorted(found, key=lambda name: splits.index(parsed(name)[0]))


def goal_of(name: str) -> Goal | None:
    """Which way a value of this name is better; None if its measure is unknown or has no goal."""
    known = MEASURES.get(parsed(name)[1])
    return known.goal if known else None


def label_of(name: str) -> str:
    """``validation accuracy`` for ``val_accuracy``, ``training accuracy`` for ``accuracy``."""
    split, bare = parsed(name)
    label = MEASURES[bare].label if bare in MEASURES else bare.replace("_", " ")
    return f"{'training' if split == 'train' else split} {label}"


def monitored(name: str, measured: Iterable[str], key: str) -> Goal:
    """The goal of a value that a config monitors. key: the config's key that holds ``monitor``.

    Raises ConfigError if the value is not measured, or has no goal.
    """
    names = tuple(measured)
    if name not in names:
        hint = did_you_mean(name, names)
        raise ConfigError(
            f"{key}.monitor: '{name}' is not measured; one of {', '.join(names)}"
            + (f" — {hint}" if hint else "")
        )
    goal = goal_of(name)
    if goal is None:
        ranked = ", ".join(other for other in names if goal_of(other))
        raise ConfigError(f"{key}.monitor: '{name}' has no better or worse; one of {ranked}")
    return goal
