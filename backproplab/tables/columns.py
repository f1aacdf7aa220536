"""Columns as read, before it is known what they mean, and the table that they make.

This file must not know files or pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError, Problem, did_you_mean
from backproplab.tables.dialect import NUMBER

SAMPLE = 100  # numbers that are looked at first


@dataclass(frozen=True, eq=False)
class Numbers:
    """Numbers (n,) as float64; a missing one is NaN. whole: all of them are integers."""

    values: Array
    whole: bool = False

    def __len__(self) -> int:
        return len(self.values)

    @property
    def missing(self) -> Array:
        """Which rows have no value."""
        return np.isnan(self.values)

    def without(self, marks: Collection[str]) -> Numbers:
        """The column in which these numbers, written as texts, mean that there is no value."""
        numbers = [float(mark) for mark in marks if NUMBER.fullmatch(mark)]
        if not numbers:
            return self
        return Numbers(np.where(np.isin(self.values, numbers), np.nan, self.values), self.whole)

    def take(self, rows: Array) -> Numbers:
        """The column at these rows."""
        return Numbers(self.values[rows], self.whole)

    def text(self, row: int) -> str:
        """The value as text: whole numbers without a point."""
        return plain(self.values[row])

    def texts(self) -> Texts:
        """The same values as texts, with the levels in the order of the numbers."""
        levels, codes = np.unique(self.values, return_inverse=True)
        known = np.isfinite(levels)
        codes = np.where(self.missing, -1, codes)
        return Texts(codes, tuple(plain(x) for x in levels[known]))


@dataclass(frozen=True, eq=False)
class Texts:
    """Texts as codes (n,) of the distinct ``levels``; a missing one is -1."""

    codes: Array
    levels: tuple[str, ...]

    @classmethod
    def of(cls, codes: Array, levels: Sequence[str], marks: Collection[str]) -> Texts:
        """The column of these texts without blanks around them, its levels sorted.

        codes: of ``levels``, which may be equal; -1 for missing.  marks: texts that mean missing.
        """
        texts, missing = [level.strip() for level in levels], {"", *marks}
        known = sorted(set(texts) - missing)
        place = {text: i for i, text in enumerate(known)} | dict.fromkeys(missing, -1)
        return cls(np.array([*(place[text] for text in texts), -1], np.int64)[codes], tuple(known))

    def __len__(self) -> int:
        return len(self.codes)

    @property
    def missing(self) -> Array:
        """Which rows have no value."""
        return self.codes < 0

    @property
    def counts(self) -> Array:
        """The number of rows of each level."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.levels))

    def take(self, rows: Array) -> Texts:
        """The column at these rows."""
        return Texts(self.codes[rows], self.levels)

    def text(self, row: int) -> str:
        """The value as text."""
        return self.levels[self.codes[row]]

    def texts(self) -> Texts:
        return self

    def spread(self, of_levels: Array, missing: float = np.nan) -> Array:
        """What each row has by its level (levels, …); ``missing`` where it has none."""
        empty = np.full((1, *of_levels.shape[1:]), missing)
        return np.concatenate([of_levels, empty])[self.codes]


Column = Numbers | Texts


def are_whole(values: Array) -> bool:
    """Whether all finite numbers are integers; the first ones often show that they are not."""
    for part in (values[:SAMPLE], values[SAMPLE:]):
        if not np.all(part[np.isfinite(part)] % 1 == 0):
            return False
    return True


def plain(number: float) -> str:
    """``2`` for 2.0, every digit of another number."""
    whole = number.is_integer() and abs(number) < 1e15
    return str(int(number)) if whole else repr(float(number))


@dataclass(frozen=True)
class Declared:
    """What a file itself says that a column is.

    kind: numeric, boolean, categorical, the format of its dates, or ``ignore`` for what cannot be
    learned from.  why: its type, or why it cannot.
    """

    kind: str
    why: str


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, by name and in the order of the file.

    name: of the file, for messages.  line: the line of a row (from 0) in the file, or None.
    comma: its numbers may have a decimal comma.  header: whether its file names the columns.
    declared: of the columns whose kinds the file says.
    """

    name: str
    columns: Mapping[str, Column]
    rows: int
    line: Callable[[int], int | None] = lambda row: None
    comma: bool = False
    header: bool = True
    declared: Mapping[str, Declared] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.rows

    def column(self, name: str, key: str = "") -> Column:
        """The column of this name. key: of the config that asks for it, for the message."""
        if name in self.columns:
            return self.columns[name]
        hint = did_you_mean(name, self.columns) or f"columns: {listed(list(self.columns))}"
        what = f"{key}: there is no column '{name}'" if key else f"there is no column '{name}'"
        raise DataError(str(Problem(self.name, what, hint)))

    def take(self, rows: Array) -> Table:
        """The table of these rows."""
        columns = {name: column.take(rows) for name, column in self.columns.items()}
        return replace(
            self, columns=columns, rows=len(rows), line=lambda row: self.line(int(rows[row]))
        )

    def kind(self, name: str) -> str:
        """What the file says that a column is; empty if it does not."""
        return self.declared[name].kind if name in self.declared else ""

    def format(self, name: str) -> str:
        """The format of the dates that the file says to be in a column; empty if there is none."""
        kind = self.kind(name)
        return kind if "%" in kind else ""

    def fault(self, column: str, row: int, what: str, hint: str = "") -> DataError:
        """The error that a cell causes, with its line."""
        line = self.line(row)
        where = f"{self.name}:{line}" if line else f"{self.name}: row {row + 1}"
        return DataError(str(Problem(where, f"column '{column}': {what}", hint)))


def listed(names: list[str], most: int = 8) -> str:
    """``a, b, c and 4 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
