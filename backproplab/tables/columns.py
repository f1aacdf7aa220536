"""Columns as read, before it is known what they mean, and the table that they make.

This file must not know files or pandas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError, Problem, did_you_mean


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


def plain(number: float) -> str:
    """``2`` for 2.0, every digit of another number."""
    whole = number.is_integer() and abs(number) < 1e15
    return str(int(number)) if whole else repr(float(number))


@dataclass(frozen=True, eq=False)
class Table:
    """Columns of equal length, by name and in the order of the file.

    name: of the file, for messages.  line: the line of a row (from 0) in the file, or None.
    comma: its numbers may have a decimal comma.  header: whether its file names the columns.
    """

    name: str
    columns: Mapping[str, Column]
    rows: int
    line: Callable[[int], int | None] = lambda row: None
    comma: bool = False
    header: bool = True

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

    def fault(self, column: str, row: int, what: str, hint: str = "") -> DataError:
        """The error that a cell causes, with its line."""
        line = self.line(row)
        where = f"{self.name}:{line}" if line else f"{self.name}: row {row + 1}"
        return DataError(str(Problem(where, f"column '{column}': {what}", hint)))


def listed(names: list[str], most: int = 8) -> str:
    """``a, b, c and 4 more``."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")
