"""Ways to divide the examples into training, validation and test splits.

Each gives the rows of the three, whose sizes are as asked as far as its rule allows. This file must
not know data sets; what a rule looks at comes in as ``keys``, a column of the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from backproplab.arrays import Array
from backproplab.data.folds import Fold, dealt, dealt_whole
from backproplab.data.preprocessing import partition
from backproplab.spec import Family
from backproplab.tables import Column, Table, moments

PARTS = {"train": 0, "training": 0, "validation": 1, "valid": 1, "val": 1, "dev": 1, "test": 2}


class SplitBy(Family):
    """How the examples are divided.

    column: that decides; it is no feature, unless it is the time.
    is_given: the shares of the splits play no part, and there are no folds.
    """

    is_given: ClassVar[bool] = False

    column: str = ""

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        """The rows of the training, validation and test splits.

        keys: of each row, as ``read`` gives them.  classes: (n,), all equal in a regression.
        sizes: of the validation and test splits.
        """
        raise NotImplementedError

    def fold(
        self, fold: Fold, keys: Array, classes: Array, share: float, generator: np.random.Generator
    ) -> list[Array]:
        """The rows of the training, validation and test splits, of which the fold is the last.

        share: of the rows that the fold leaves, for validation. All folds of a seed have equal
        generators, and so divide the same rows.
        """
        held = self.folds(keys, classes, fold.of, generator)
        rest = np.flatnonzero(held != fold.index)
        sizes = [int(len(rest) * share + 0.5), 0]
        train, validation, _ = self.rows(keys[rest], classes[rest], sizes, generator)
        return [rest[train], rest[validation], np.flatnonzero(held == fold.index)]

    def folds(
        self, keys: Array, classes: Array, count: int, generator: np.random.Generator
    ) -> Array:
        """The fold of each row, (n,)."""
        return dealt(classes, count, generator)

    def read(self, table: Table, formats: Mapping[str, str]) -> Array:
        """The keys (n,). formats: of dates, by column. Raises DataError for a row without one."""
        return np.zeros(len(table))

    def _known(self, table: Table) -> Column:
        column = table.column(self.column, f"data.split.{self.name}")
        if column.missing.any():
            row = int(np.argmax(column.missing))
            raise table.fault(self.column, row, f"is empty, and the split is by {self.name}")
        return column


class Random(SplitBy, name="random"):
    """At random, whatever the class."""

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        return partition(np.zeros(len(keys), np.int64), sizes, generator)

    def folds(
        self, keys: Array, classes: Array, count: int, generator: np.random.Generator
    ) -> Array:
        return dealt(np.zeros(len(keys), np.int64), count, generator)


class Stratified(SplitBy, name="stratified"):
    """At random, each class in the same proportion in every split; a regression: at random."""

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        return partition(classes, sizes, generator)


class Group(SplitBy, name="group"):
    """Rows with one value of the column stay together, in one split.

    Groups are drawn at random and fill the test split, then the validation split, as long as a
    group does not overfill it by more than half of itself.
    """

    def read(self, table: Table, formats: Mapping[str, str]) -> Array:
        return self._known(table).texts().codes

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        groups, index, counts = np.unique(keys, return_inverse=True, return_counts=True)
        part_of, left = np.zeros(len(groups), np.int64), list(sizes)
        for group in generator.permutation(len(groups)):
            for part in reversed(range(len(left))):
                if left[part] > 0 and counts[group] <= 2 * left[part]:
                    part_of[group], left[part] = part + 1, left[part] - counts[group]
                    break
        shuffled = generator.permutation(len(keys))
        parts = part_of[index][shuffled]
        return [shuffled[parts == part] for part in range(len(sizes) + 1)]

    def folds(
        self, keys: Array, classes: Array, count: int, generator: np.random.Generator
    ) -> Array:
        return dealt_whole(keys, count, generator)


class Time(SplitBy, name="time"):
    """By the order of the column: the oldest rows train, the newest test.

    Of ``of`` + 1 equal parts fold k tests the part after the first k + 1, and what is older trains
    and validates: TimeSeriesSplit of scikit-learn.
    """

    def read(self, table: Table, formats: Mapping[str, str]) -> Array:
        self._known(table)
        return moments(table, self.column, formats.get(self.column, ""))

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        ranked = np.argsort(keys, kind="stable")
        first = len(keys) - sum(sizes)
        return np.split(ranked, [first, first + sizes[0]])

    def fold(
        self, fold: Fold, keys: Array, classes: Array, share: float, generator: np.random.Generator
    ) -> list[Array]:
        size = len(keys) // (fold.of + 1)
        end = len(keys) - size * (fold.of - fold.index)
        older = np.argsort(keys, kind="stable")[: end + size]
        return np.split(older, [end - int(end * share + 0.5), end])


class Given(SplitBy, name="column"):
    """As the column says: train, validation or test. Shares of splits play no part."""

    is_given = True

    def read(self, table: Table, formats: Mapping[str, str]) -> Array:
        column = self._known(table).texts()
        part = np.array([PARTS.get(level.lower(), -1) for level in column.levels])[column.codes]
        if (part < 0).any():
            row = int(np.argmin(part))
            what = f"'{column.text(row)}' is none of train, validation, test"
            raise table.fault(self.column, row, what)
        return part

    def rows(
        self, keys: Array, classes: Array, sizes: Sequence[int], generator: np.random.Generator
    ) -> list[Array]:
        return [np.flatnonzero(keys == part) for part in range(3)]
