"""A table from a text file, read by pandas with settings that change nothing silently.

Its defaults take ``NA`` for missing, shift columns where a row is too long, and make numbers of
codes. This is the only file that imports pandas, and it leaves Parquet to ``parquet.py``.
"""

from __future__ import annotations

import csv
import io
import warnings
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.tables.columns import Column, Numbers, Table, Texts, are_whole
from backproplab.tables.content import HEAD, Form, content_of, fault, head_of
from backproplab.tables.dialect import BLANKS, CELL, CODE, NUMBER, Dialect, dialect_of
from backproplab.tables.parquet import SUFFIXES as PARQUET
from backproplab.tables.parquet import read_parquet
from backproplab.tables.walk import Walk

PLAIN = Form()


def read_table(path: Path, form: Form = PLAIN, texts: Collection[str] = ()) -> Table:
    """The table in a file, which is Parquet if its suffix says so, else text. Raises DataError."""
    if path.suffix.lower() in PARQUET:
        return read_parquet(path, form.missing, texts)
    return read_text(path, form, texts)


def read_text(path: Path, form: Form = PLAIN, texts: Collection[str] = ()) -> Table:
    """The table in a text file, whose columns are numbers where every cell is one.

    texts: columns that are read as texts whatever is in them.
    Raises DataError with file and line for anything that is no table.
    """
    content = content_of(path)
    head, whole = head_of(path, content, form), len(content) <= HEAD
    dialect = dialect_of(str(path), head, form.delimiter, form.header, whole)
    walk = Walk(path, dialect, form)
    frame = _frame(content, walk, texts)
    if not len(frame):
        what = "has a header and no rows" if dialect.header else "holds no rows"
        raise fault(path, what, "a table needs a row for each example")
    if frame[len(dialect.names) - 1].isna().any():
        _refuse_short_rows(walk)
    named = enumerate(dialect.names)
    used = {i: name or f"unnamed_{i + 1}" for i, name in named if name or not frame[i].isna().all()}
    if not used:
        raise fault(path, "every column is empty", "is this the right file?")
    found = _columns(frame, form)
    columns = {name: found[i] for i, name in used.items()}
    comma = form.decimal == "," or (not form.decimal and dialect.delimiter != ",")
    table = Table(str(path), columns, len(frame), walk.line, comma, dialect.header)
    _refuse_long_cells(table)
    return table


def table_of(frame: Any) -> Table:
    """The table that a data frame of pandas is."""
    columns = dict(zip(map(str, frame.columns), _columns(frame, PLAIN), strict=True))
    return Table("the data frame", columns, len(frame))


def _frame(content: bytes, walk: Walk, texts: Collection[str]) -> Any:
    """pandas' frame, with the columns 0, 1, …; as categories it would make numbers of codes."""
    import pandas

    dialect, form = walk.dialect, walk.form
    width, named = len(dialect.names), set(texts)
    kept = [i for i in range(width) if dialect.names[i] in named or _is_text(dialect, i, form)]
    blanks = dialect.delimiter == BLANKS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return pandas.read_csv(
                io.BytesIO(content),
                sep=r"\s+" if blanks else dialect.delimiter,
                header=None,
                names=list(range(width)),
                skiprows=dialect.skip,
                dtype=dict.fromkeys(kept, "str"),
                encoding=form.codec,
                index_col=False,
                keep_default_na=False,
                na_values=[""],
                low_memory=False,
                skipinitialspace=not blanks,
            )
        except (ValueError, pandas.errors.ParserWarning, OverflowError) as error:
            raise walk.found(error) from None


def _is_text(dialect: Dialect, i: int, form: Form) -> bool:
    """Whether the first rows show that a column is no plain number."""
    if form.decimal == ",":
        return True
    cells = (row[i].strip() for row in dialect.head if i < len(row))
    return any(cell and (not NUMBER.fullmatch(cell) or CODE.fullmatch(cell)) for cell in cells)


def _columns(frame: Any, form: Form) -> list[Column]:
    """The columns of pandas' frame. All numbers are taken at once: a call for each column takes as
    long as reading it."""
    kinds = [kind.kind for kind in frame.dtypes]
    numeric = [i for i, kind in enumerate(kinds) if kind in "iuf"]
    values = iter(frame.iloc[:, numeric].to_numpy(np.float64).T)
    return [
        _numbers(next(values), kind, form) if kind in "iuf" else _texts(frame.iloc[:, i], form)
        for i, kind in enumerate(kinds)
    ]


def _numbers(values: Array, kind: str, form: Form) -> Numbers:
    return Numbers(values, kind in "iu" or are_whole(values)).without(form.missing)


def _texts(series: Any, form: Form) -> Texts:
    codes, uniques = series.factorize()
    return Texts.of(codes, [str(level) for level in uniques], form.missing)


def _refuse_short_rows(walk: Walk) -> None:
    """A row that is too short lacks the last column, which pandas takes for an empty cell."""
    try:
        short = walk.uneven()
    except csv.Error:
        return
    if short and walk.dialect.names[-1]:
        raise short


def _refuse_long_cells(table: Table) -> None:
    for name, column in table.columns.items():
        if isinstance(column, Texts) and max(map(len, column.levels), default=0) > CELL:
            level = next(i for i, text in enumerate(column.levels) if len(text) > CELL)
            row = int(np.flatnonzero(column.codes == level)[0])
            raise table.fault(name, row, f"a cell of more than {CELL:,} letters")
