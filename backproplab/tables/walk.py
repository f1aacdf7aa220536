"""A second walk through a table's file, record by record, for the line of what is wrong.

pandas never says where a cell is. This takes longer than to read the file, and is done only when
something is wrong.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backproplab.errors import DataError, reason
from backproplab.tables.content import Form, fault
from backproplab.tables.dialect import BLANKS, Dialect, Record, broken, records


@dataclass(frozen=True)
class Walk:
    """The rows of a file that is written in this dialect."""

    path: Path
    dialect: Dialect
    form: Form

    def lines(self) -> Iterator[str]:
        """The lines after the header."""
        with self.path.open(encoding=self.form.codec, errors="replace") as file:
            for number, line in enumerate(file):
                if number >= self.dialect.skip:
                    yield line

    def rows(self) -> Iterator[Record]:
        """(line, fields) of each row. Raises csv.Error."""
        for line, fields in records(self.lines(), self.dialect.delimiter):
            yield line + self.dialect.skip, fields

    def line(self, row: int) -> int | None:
        """The line of a row, counted from 0; None if it cannot be found any more."""
        with suppress(OSError, csv.Error):
            for number, (line, _) in enumerate(self.rows()):
                if number == row:
                    return line
        return None

    def found(self, error: Exception) -> DataError:
        """What pandas stumbled on, with its line."""
        try:
            uneven = self.uneven()
        except csv.Error as other:
            of = str(self.path), self.lines(), self.dialect.delimiter, self.dialect.skip
            return broken(*of, other)
        return uneven or fault(self.path, f"not a table: {reason(error)}", "is it the right file?")

    def uneven(self) -> DataError | None:
        """The error of the first row that has more or fewer fields than there are columns.

        Raises csv.Error for a record that cannot be read.
        """
        width, delimiter = len(self.dialect.names), self.dialect.delimiter
        for line, fields in self.rows():
            if len(fields) != width:
                named = {"\t": "a tab", BLANKS: "blanks"}.get(delimiter, f"'{delimiter}'")
                what = f"{len(fields)} fields, expected {width}, separated by {named}"
                return fault(f"{self.path}:{line}", what, "correct the row, or set data.delimiter")
        return None
