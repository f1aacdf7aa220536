"""What each column means: number, truth value, category, date, or nothing to learn from.

Decided on distinct values, in one order: what the config says, numbers, truth values, dates,
categories. Every decision has its reason in words, which is shown. This file knows no splits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DataError, Problem
from backproplab.tables.columns import Column, Declared, Numbers, Table, Texts, listed
from backproplab.tables.dialect import MARKS
from backproplab.tables.numerals import (
    dates_of,
    formats_of,
    has_codes,
    instants_of,
    numbers_of,
    parts_of,
)
from backproplab.tables.shaping import AS_IT_IS, Shaping

Kind = Literal["numeric", "boolean", "categorical", "date"]
PAIRS = [("no", "yes"), ("n", "y"), ("false", "true"), ("f", "t"), ("off", "on")]
EMBEDDING = "embedding "  # before the units of a category's vector, where it is asked for
LEVELS = 200  # most of a category
NUMERIC = 0.8  # share of numbers from which other texts in a column are faults
IDS = ("id", "index", "rowid", "rownum", "rownumber", "row")
COUNTERS = (
    "",
    "nr",
    "no",
    "num",
    "number",
    "lfdnr",
    "obs",
    "sno",
    "srno",
    "column1",
    "unnamed0",
    "unnamed1",
)
SHOWN = 3  # values in a message


@dataclass(frozen=True)
class Feature:
    """A column that is learned from.

    why: the reason for its kind.  format: of dates, as ``strptime`` has it.
    words: of truth values, (false, true).  units: of the vector that a category becomes; 0 if it
    is one-hot.  shaping: of numbers.
    """

    name: str
    kind: Kind
    why: str = ""
    format: str = ""
    words: tuple[str, str] = ("", "")
    units: int = 0
    shaping: Shaping = AS_IT_IS

    @property
    def asked(self) -> str:
        """What a config says to get it, under ``columns``."""
        vector = f"{EMBEDDING}{self.units}" if self.units else ""
        return self.format or vector or str(self.shaping) or self.kind

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of its numbers, before categories are encoded."""
        if self.kind != "date":
            return (self.name,)
        return tuple(f"{self.name}.{part}" for part in parts_of(self.format))


@dataclass(frozen=True)
class Omitted:
    """A column that is not learned from, and why."""

    name: str
    why: str


@dataclass(frozen=True)
class Fault:
    """A text in a column of another kind."""

    level: int
    what: str
    hint: str = ""


Role = Feature | Omitted


def infer(table: Table, asked: Mapping[str, str], skipped: Mapping[str, str]) -> list[Role]:
    """The role of every column, in the order of the table.

    asked: column -> a kind, ``ignore``, or the format of its dates.  skipped: column -> why it is
    no feature. Raises DataError for a column that cannot be what it is asked or seems to be.
    """
    for name in asked:
        table.column(name, "columns")
    return [
        Omitted(name, skipped[name])
        if name in skipped
        else _asked(table, name, column, asked[name])
        if name in asked
        else _declared(name, column, table.declared[name])
        if name in table.declared
        else _inferred(table, name, column)
        for name, column in table.columns.items()
    ]


def _asked(table: Table, name: str, column: Column, kind: str) -> Role:
    why = "as the config says"
    if kind == "ignore":
        return Omitted(name, "ignored, as the config says")
    if table.kind(name) == "ignore":
        raise unreadable(table, name)
    if "%" in kind:
        return Feature(name, "date", why, kind)
    if kind == "date":
        found = _date(table, name, column.texts()) or Feature(name, "date", why, "%Y-%m-%d")
        return replace(found, format=table.format(name) or found.format)
    if kind == "boolean":
        pair = _pair(column.texts().levels)
        if pair is None:
            what = f"is no boolean: it has {listed(list(column.texts().levels), SHOWN)}"
            raise table.fault(name, 0, what, f"data.columns={{{name}: categorical}}")
        return Feature(name, "boolean", why, words=pair)
    if kind.startswith(EMBEDDING):
        return Feature(name, "categorical", why, units=int(kind.removeprefix(EMBEDDING)))
    if shaping := Shaping.parse(kind):
        return Feature(name, "numeric", why, shaping=shaping)
    return Feature(name, "categorical" if kind == "categorical" else "numeric", why)


def unreadable(table: Table, name: str) -> DataError:
    """The error of a column that the file says to be of a type that is not learned from."""
    what = f"column '{name}': {table.declared[name].why}"
    return DataError(str(Problem(table.name, what, "save it as numbers, texts or dates")))


def _declared(name: str, column: Column, by: Declared) -> Role:
    """What the file says, unless there is nothing to learn from the column."""
    if by.kind == "ignore":
        return Omitted(name, by.why)
    if omitted := _useless(name, column):
        return omitted
    if isinstance(column, Texts) and by.kind == "categorical":
        return _category(name, column, by.why)
    if "%" in by.kind:
        return Feature(name, "date", by.why, by.kind)
    words = ("false", "true") if by.kind == "boolean" else ("", "")
    return Feature(name, "boolean" if by.kind == "boolean" else "numeric", by.why, words=words)


def _inferred(table: Table, name: str, column: Column) -> Role:
    if omitted := _useless(name, column):
        return omitted
    if isinstance(column, Texts):
        return _of_texts(table, name, column)
    return Feature(name, "numeric", "all numbers")


def _useless(name: str, column: Column) -> Omitted | None:
    """Why there is nothing to learn from a column, of any kind."""
    if column.missing.all():
        return Omitted(name, "empty")
    if isinstance(column, Texts):
        levels = _present(column)
        constant = len(levels) == 1 and not column.missing.any() and len(column) > 1
    else:
        if _is_index(name, column):
            return Omitted(name, "an id")
        values = column.values[~column.missing]
        constant = len(values) > 1 and bool((values == values[0]).all())
    always = column.text(int(np.argmin(column.missing)))
    return Omitted(name, f"constant: always {always}") if constant else None


def _present(column: Texts) -> list[str]:
    """The levels that some row has."""
    return [level for level, count in zip(column.levels, column.counts, strict=True) if count]


def _of_texts(table: Table, name: str, column: Texts) -> Role:
    if pair := _pair(_present(column)):
        return Feature(name, "boolean", f"{pair[0]} or {pair[1]}", words=pair)
    if feature := _numeric(table, name, column):
        return feature
    if feature := _date(table, name, column):
        return feature
    return _category(name, column, "")


def _category(name: str, column: Texts, why: str) -> Role:
    """A category, unless it has too many texts; why: what the file says of it."""
    levels, known = len(_present(column)), int(column.counts.sum())
    if levels <= min(LEVELS, max(known // 2, 2)):
        return Feature(name, "categorical", why or f"{levels} texts")
    return Omitted(name, f"text: {levels:,} values in {known:,} rows")


def _numeric(table: Table, name: str, column: Texts) -> Feature | None:
    """The feature of a column whose texts are numbers, apart from marks of missing values."""
    if has_codes(column.levels):
        return None
    values = numbers_of(column.levels, table.comma)
    marks = np.array([level in MARKS for level in column.levels])
    counts, numbers = column.counts, ~np.isnan(values)
    if not numbers.any() or counts[numbers].sum() < NUMERIC * counts[~marks].sum():
        return None
    others = np.flatnonzero(~numbers & ~marks)
    if len(others):
        raise fault_in(table, name, column, _no_number(column, name, int(others[0])))
    found = [level for level, mark in zip(column.levels, marks, strict=True) if mark]
    marked = f", {' and '.join(repr(m) for m in found)} for missing" if found else ""
    return Feature(name, "numeric", f"numbers as text{marked}")


def _no_number(column: Texts, name: str, level: int) -> Fault:
    text = column.levels[level][:40]
    hint = f"correct it, or data.missing=['{text}'], or data.columns={{{name}: categorical}}"
    return Fault(level, f"'{text}' is not a number", hint)


def _date(table: Table, name: str, column: Texts) -> Feature | None:
    if not column.levels or not any(map(str.isdigit, column.levels[0])):
        return None
    formats = formats_of(column.levels)
    if len(formats) > 1:
        hint = f"data.columns={{{name}: {{date: '{formats[0]}'}}}} or '{formats[1]}'"
        what = f"'{column.levels[0]}' may be day or month first in every row"
        raise fault_in(table, name, column, Fault(0, what, hint))
    return Feature(name, "date", f"dates, {formats[0]}", formats[0]) if formats else None


def _pair(levels: tuple[str, ...] | list[str]) -> tuple[str, str] | None:
    """(false, true), in the spelling of the two levels."""
    plain = {level.lower(): level for level in levels}
    if len(levels) != 2 or len(plain) != 2:
        return None
    return next(((plain[a], plain[b]) for a, b in PAIRS if {a, b} == set(plain)), None)


def _is_index(name: str, column: Numbers) -> bool:
    """Whether it is called an id and has no value twice, or a number and counts the rows."""
    values = column.values
    if not column.whole or column.missing.any() or len(values) < 2:
        return False
    short = "".join(filter(str.isalnum, name)).lower()
    called = short in IDS or name.lower().endswith(("_id", " id", "-id")) or name.endswith("Id")
    if short in COUNTERS:
        return values[0] in (0, 1) and bool((np.diff(values) == 1).all())
    return called and len(np.unique(values)) == len(values)


def fault_in(table: Table, name: str, column: Texts, fault: Fault) -> DataError:
    """The error of a text, with the line of the first row that has it."""
    row = int(np.flatnonzero(column.codes == fault.level)[0])
    return table.fault(name, row, fault.what, fault.hint)


def measured(table: Table, feature: Feature) -> Array | Texts:
    """The feature of every row: numbers (n, parts) with NaN for missing, or a category's texts.

    Raises DataError with the line of a text that is no number or date, and of an infinite number.
    """
    column = table.column(feature.name)
    if feature.kind == "categorical":
        return column.texts()
    if isinstance(column, Numbers) and feature.kind == "numeric":
        infinite = np.flatnonzero(np.isinf(column.values))
        if len(infinite):
            row = int(infinite[0])
            raise table.fault(feature.name, row, f"{column.values[row]} is not a finite number")
        return column.values[:, None]
    texts = column.texts()
    if feature.kind == "boolean":
        known = {word.lower(): float(i) for i, word in enumerate(feature.words)}
        values = np.array([known.get(level.lower(), np.nan) for level in texts.levels])
        return texts.spread(values.reshape(-1, 1))
    if feature.kind == "date":
        form = table.format(feature.name) or feature.format
        values, what = dates_of(texts.levels, form, len(feature.parts)), f"is no date as {form}"
    else:
        values, what = numbers_of(texts.levels, table.comma)[:, None], "is not a number"
    counts, wrong = texts.counts, np.flatnonzero(np.isnan(values).any(axis=1))
    bad = [int(i) for i in wrong if texts.levels[i] not in MARKS and counts[i]]
    if bad:
        fault = _no_number(texts, feature.name, bad[0])
        what = f"'{texts.levels[bad[0]][:40]}' {what}"
        raise fault_in(table, feature.name, texts, replace(fault, what=what))
    return texts.spread(values)


def moments(table: Table, name: str, form: str = "") -> Array:
    """A number for each row that grows with the time in the column.

    form: of its dates; empty to find it. Raises DataError for what is no number and no date.
    """
    column = table.column(name)
    if isinstance(column, Numbers):
        return column.values
    form = form if "%" in form else table.format(name)
    dates = Feature(name, "date", format=form) if form else _date(table, name, column)
    if dates is None:
        what = f"'{column.levels[0]}' is no number and no date"
        raise fault_in(
            table, name, column, Fault(0, what, "name another column in data.split.time")
        )
    measured(table, dates)
    return column.spread(instants_of(column.levels, dates.format))


def no_feature(table: Table, roles: list[Role]) -> DataError:
    """The error of a table in which there is nothing to learn from."""
    why = listed([f"{role.name} ({role.why})" for role in roles if isinstance(role, Omitted)])
    hint = "set data.columns, such as {zip: categorical}"
    return DataError(str(Problem(table.name, f"no column to learn from: {why}", hint)))
