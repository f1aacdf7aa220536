"""What is in each column of a table, and how much of the target it tells by itself.

A column that tells everything is a copy of the target, or what follows from it: a leak. This file
must not know who shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.tables.columns import Column, Numbers, Table, listed
from backproplab.tables.kinds import Feature, Omitted, Role, measured
from backproplab.tables.targets import Target
from backproplab.text import counted

BINS = 20  # of numbers with about equally many rows
BARS = 12  # of a histogram, equally wide
NAMED = 8  # columns in a sentence
SHOWN, LETTERS = 3, 12  # texts, and letters of each
MANY = 5  # rows a level has at least on average, for what it tells to mean anything
ALL = 0.999  # of the target: from here on a column is a leak


@dataclass(frozen=True)
class Profile:
    """A column.

    distinct: number of different values.  missing: of rows without one.  values: the least and the
    largest number, or the most frequent texts.  counts: of rows in intervals of equal width, or of
    the most frequent texts.
    tells: how much of the target it tells alone, from 0 to 1, beyond what no column tells; None
    where that means nothing.
    """

    role: Role
    distinct: int
    missing: int
    values: str
    counts: tuple[int, ...]
    tells: float | None

    @property
    def is_leak(self) -> bool:
        """Whether it tells all of the target."""
        return self.tells is not None and self.tells >= ALL

    @property
    def is_constant(self) -> bool:
        """Whether it was left out for having one value, or none."""
        return isinstance(self.role, Omitted) and self.role.why.startswith(("constant", "empty"))


def summary(rows: int, target: Target) -> str:
    """How many rows there are, what is predicted, and why."""
    classes = f", {counted(len(target.classes), 'class')}" if target.classes else ""
    why = f" ({target.why})" if target.why else ""
    return f"{counted(rows, 'row')}, target {target.name}: {target.kind}{classes}{why}"


def balance(table: Table, target: Target) -> list[tuple[str, int]]:
    """Each class and its number of rows, in the order of the classes. Raises DataError."""
    counts = np.bincount(target.read(table), minlength=len(target.classes))
    return list(zip(target.classes, counts.tolist(), strict=True))


def suspicions(found: Sequence[Profile]) -> list[str]:
    """What to look at before training: columns that tell all of the target, and constant ones."""
    leaks = [each.role.name for each in found if each.is_leak]
    same = [each.role.name for each in found if each.is_constant]
    tell, has = "tells" if len(leaks) == 1 else "tell", "has" if len(same) == 1 else "have"
    what = f"{tell} all of the target: a copy of it, or known only after it?"
    return [
        *([f"{listed(leaks, NAMED)} {what}"] if leaks else []),
        *([f"{listed(same, NAMED)} {has} one value in every row, or none"] if same else []),
    ]


def profiles(table: Table, target: Target, roles: Sequence[Role]) -> list[Profile]:
    """One for each column, in the order of the table. Raises DataError."""
    truth = target.read(table)
    return [_profile(table, role, target, truth) for role in roles]


def _profile(table: Table, role: Role, target: Target, truth: Array) -> Profile:
    column = table.columns[role.name]
    numbers = _numbers(table, role, column)
    tells = None
    if role.name != target.name:
        bins = _bins(numbers) if numbers is not None else column.texts().codes + 1
        tells = _told(bins, truth)
    missing = int(column.missing.sum())
    if numbers is not None:
        known = numbers[np.isfinite(numbers)]
        bars = _bars(known) if len(known) else ()
        ends = f"{known.min():.4g} … {known.max():.4g}" if bars else ""
        return Profile(role, len(np.unique(known)), missing, ends, bars, tells)
    texts = column.texts()
    order = np.argsort(-texts.counts, kind="stable")[: (texts.counts > 0).sum()]
    names = ", ".join(texts.levels[i][:LETTERS] for i in order[:SHOWN])
    counts = tuple(texts.counts[order][:BARS].tolist())
    return Profile(role, len(order), missing, names, counts, tells)


def _bars(known: Array) -> tuple[int, ...]:
    """The numbers of rows in intervals of equal width, however near or far the ends are."""
    half = known / 2  # whose differences are finite
    width = half.max() - half.min()
    places = (half - half.min()) / width if width else np.full(len(known), 0.5)
    return tuple(np.histogram(places, BARS, (0, 1))[0].tolist())


def _numbers(table: Table, role: Role, column: Column) -> Array | None:
    """The numbers (n,) of a numeric column; None for any other."""
    if isinstance(role, Feature) and role.kind == "numeric":
        found = measured(table, role)
        assert isinstance(found, np.ndarray)
        return found[:, 0]
    return column.values if isinstance(column, Numbers) else None


def _bins(numbers: Array) -> Array:
    """The interval that each number is in, of about equally many rows; a missing one in its own."""
    known = numbers[np.isfinite(numbers)]
    cuts = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.quantile(known, cuts)) if len(known) else known
    return np.where(np.isfinite(numbers), np.searchsorted(edges, numbers, side="right") + 1, 0)


def _told(bins: Array, truth: Array) -> float | None:
    """How much of the target a division of the rows tells.

    Of classes the share of the errors of always saying the most frequent one that is avoided by
    saying the most frequent one of each part; of numbers 1 − variance within parts / variance.
    """
    _, index = np.unique(bins, return_inverse=True)
    parts = int(index.max()) + 1
    if len(truth) < MANY * parts:
        return None
    if truth.ndim == 1:
        table = np.zeros((parts, int(truth.max()) + 1), np.int64)
        np.add.at(table, (index, truth), 1)
        errors = len(truth) - table.sum(axis=0).max()
        return float(1 - (len(truth) - table.max(axis=1).sum()) / errors) if errors else None
    y, counts = truth[:, 0], np.bincount(index)
    means = np.bincount(index, y) / counts
    whole = np.var(y)
    return float(1 - np.mean((y - means[index]) ** 2) / whole) if whole > 0 else None
