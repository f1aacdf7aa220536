"""The target: which column it is, whether it is a class or a number, and its value in every row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError, Problem
from backproplab.tables.columns import Column, Numbers, Table, Texts, listed
from backproplab.tables.kinds import unreadable
from backproplab.tables.numerals import has_codes, numbers_of
from backproplab.text import counted

NAMES = ("target", "label", "class", "y", "outcome", "species")
CLASSES = 10  # most distinct whole numbers that are taken for classes
MOST = 1000  # classes
SHOWN = 3

TaskKind = Literal["classification", "regression"]


@dataclass(frozen=True)
class Target:
    """What is to be predicted. classes: their names, in order; empty in a regression.

    why: the reason for the kind of task.
    """

    name: str
    kind: TaskKind
    classes: tuple[str, ...] = ()
    why: str = ""

    def read(self, table: Table) -> Array:
        """Labels (n,) int64, or numbers (n, 1).

        Raises DataError for a missing value, a text that is no number, and an unknown class.
        """
        column = _without_marks(table.column(self.name))
        _refuse_missing(table, self.name, column)
        if self.kind == "regression":
            return _numbers(table, self.name, column)[:, None]
        texts = column.texts()
        place = {name: i for i, name in enumerate(self.classes)}
        labels = np.array(
            [place.get(_spelled(level, place), -1) for level in texts.levels], np.int64
        )
        found = labels[texts.codes]
        if (found < 0).any():
            row = int(np.argmin(found))
            what = f"'{texts.text(row)}' is none of the classes {listed(list(self.classes))}"
            raise table.fault(self.name, row, what)
        return found


def infer_target(table: Table, name: str, task: str) -> Target:
    """The target of a table. name: empty to find it.  task: auto, classification or regression."""
    named = bool(name)
    name = name or _guess(table)
    how = "by its name" if name.lower() in NAMES else "the last column"
    column = _without_marks(table.column(name, "data.target"))
    if table.kind(name) == "ignore":
        raise unreadable(table, name)
    _refuse_missing(table, name, column, "" if named else how)
    kind, why = _kind(table, name, column)
    if task == "classification" or task == "regression":
        kind, why = task, ""  # type: ignore[assignment]  # mypy knows two words as str
    if not named:
        why = "; ".join(filter(None, [how, why]))
    if kind == "regression":
        _numbers(table, name, column)
        return Target(name, kind, why=why)
    texts = column.texts()
    counts = texts.counts
    levels = [level for level, count in zip(texts.levels, counts, strict=True) if count]
    if len(levels) > MOST:
        what = f"column '{name}': {len(levels):,} classes; at most {MOST:,} are learned"
        raise DataError(str(Problem(table.name, what, "set data.task=regression or data.target")))
    if len(levels) < 2:
        what = f"column '{name}': every row has the class '{levels[0]}'"
        raise DataError(str(Problem(table.name, what, "a classification needs two classes")))
    return Target(name, kind, tuple(_sorted(levels)), why)


def _guess(table: Table) -> str:
    """A column named like a target, else the last one."""
    found = [name for name in table.columns if name.lower() in NAMES]
    usable = [name for name in table.columns if table.kind(name) != "ignore"]
    return found[0] if len(found) == 1 else (usable or list(table.columns))[-1]


def _kind(table: Table, name: str, column: Column) -> tuple[TaskKind, str]:
    """(what is predicted, why)."""
    other = "data.task=regression predicts a number"
    if isinstance(column, Texts):
        texts = table.kind(name) or has_codes(column.levels)
        if texts or np.isnan(numbers_of(column.levels, table.comma)).any():
            return "classification", ""
        column = Numbers(column.spread(numbers_of(column.levels, table.comma)), False)
    distinct = np.unique(column.values)
    if not (distinct % 1 == 0).all():
        return "regression", ""
    if len(distinct) == 2:
        return "classification", ""
    if len(distinct) <= CLASSES and 2 * len(distinct) <= len(column):
        return "classification", f"{len(distinct)} whole numbers; {other}"
    classes = "data.task=classification predicts classes"
    few = f"{counted(len(distinct), 'whole number')}; {classes}" if len(distinct) <= 50 else ""
    return "regression", few


def _sorted(levels: list[str]) -> list[str]:
    """Numerically, where all are numbers."""
    values = numbers_of(levels)
    if np.isnan(values).any():
        return sorted(levels)
    return [levels[i] for i in np.argsort(values, kind="stable")]


def _spelled(level: str, classes: dict[str, int]) -> str:
    """The class that a text means: ``1.0`` is the class 1."""
    if level in classes or not level.endswith(".0"):
        return level
    return level.removesuffix(".0")


def _without_marks(column: Column) -> Column:
    """``?`` and the like in a target are missing values."""
    if isinstance(column, Numbers):
        return column
    marked = np.array([level in ("?", "NaN", "nan") for level in column.levels] + [False])
    return Texts(np.where(marked[column.codes], -1, column.codes), column.levels)


def _refuse_missing(table: Table, name: str, column: Column, guessed: str = "") -> None:
    """guessed: why this column is taken for the target; empty if it was named."""
    if column.missing.any():
        rows = np.flatnonzero(column.missing)
        target = f"the target ({guessed})" if guessed else "the target"
        what = f"{target} is missing in {counted(len(rows), 'row')}"
        hint = "name another target, or remove these rows" if guessed else "remove these rows"
        raise table.fault(name, int(rows[0]), what, hint)


def _numbers(table: Table, name: str, column: Column) -> Array:
    if isinstance(column, Texts):
        values = numbers_of(column.levels, table.comma)
        bad = [i for i in np.flatnonzero(np.isnan(values)) if column.counts[i]]
        if bad:
            row = int(np.flatnonzero(column.codes == bad[0])[0])
            what = f"'{column.levels[bad[0]][:40]}' is not a number"
            raise table.fault(name, row, what, "correct it, or set data.task=classification")
        return column.spread(values)
    infinite = np.flatnonzero(np.isinf(column.values))
    if len(infinite):
        row = int(infinite[0])
        raise table.fault(name, row, f"{column.values[row]} is not a finite number")
    return column.values
