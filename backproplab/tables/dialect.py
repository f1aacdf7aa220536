"""Dialect: how a text file writes its table, found from its first records.

The delimiter is the one that cuts most records into equally many fields; a header is a first record
without numbers whose texts do not occur again below them. This file knows no pandas and no types.
"""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice

from backproplab.errors import DataError, Problem

HEAD = 2**20  # bytes looked at
RECORDS = 1000  # looked at
SAMPLED = 100  # to find the delimiter
DELIMITERS = (";", "\t", "|", ",")  # of two that fit equally well the first
BLANKS = " "  # any number of blanks and tabs
COLUMNS = 20_000  # most that are read
MARKS = ("?", "NA", "N/A", "n/a", "NaN", "nan", "null", "NULL", "None", "-", ".")
CELL = 131_072  # letters of the longest cell
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
CODE = re.compile(r"[-+]?0\d+|[-+]?\d{16,}")  # digits that are no number: 01234, a long id
WORDS = re.compile(r'"(?:[^"]|"")*"|[^\s"]+')
Record = tuple[int, list[str]]  # (its first line, its fields)


@dataclass(frozen=True)
class Dialect:
    """How a file is written.

    delimiter: between fields; a blank stands for any number of blanks and tabs.
    names: of the columns.  header: whether the file has them.  skip: lines before the first row.
    head: the first rows.
    """

    delimiter: str
    names: tuple[str, ...]
    header: bool
    skip: int
    head: tuple[list[str], ...]


def dialect_of(
    where: str, text: str, delimiter: str = "", header: bool | None = None, whole: bool = True
) -> Dialect:
    """The dialect of a file that begins with ``text``, whole lines.

    delimiter, header: where they are known.  whole: the text is all of the file.
    Raises DataError for a header that cannot be used.
    """
    comments = 0
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comments += 1
    lines = text.splitlines(keepends=True)[comments:]
    found = delimiter or _delimiter(lines)
    first: list[Record] = []
    try:
        first.extend(islice(records(lines, found), RECORDS))
    except csv.Error as error:
        if whole:
            raise broken(where, lines, found, comments, error) from None
    if not first:
        raise DataError(
            str(Problem(where, "holds no rows", "a table needs a row for each example"))
        )
    rows = [fields for _, fields in first]
    has = _is_header(rows) if header is None else header
    names = _names(where, comments + first[0][0], rows, has)
    skip = comments + (first[0][0] if has else 0)
    return Dialect(found, names, has, skip, tuple(rows[1:] if has else rows))


def records(lines: Iterable[str], delimiter: str) -> Iterator[Record]:
    """The records of the lines, each with its first line, from 1; blank lines are none.

    Raises csv.Error for a quote that is never closed or a cell that is too long.
    """
    if delimiter == BLANKS:
        for number, line in enumerate(lines, 1):
            if fields := [word.strip('"') for word in WORDS.findall(line)]:
                yield number, fields
        return
    csv.field_size_limit(CELL)
    reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
    last = 0
    for fields in reader:
        first, last = last + 1, reader.line_num
        if fields and (len(fields) > 1 or fields[0].strip()):
            yield first, fields


def broken(
    where: str, lines: Iterable[str], delimiter: str, before: int, error: csv.Error
) -> DataError:
    """The error of a record that cannot be read. before: lines before these."""
    line = 1
    with suppress(csv.Error):
        for first, fields in records(lines, delimiter):
            line = first + sum(field.count("\n") for field in fields) + 1
    hint = "write a quote within quotes twice"
    if "field larger" in str(error):
        what, hint = f"a cell of more than {CELL:,} letters", "is a quote missing at its end?"
    elif "end of data" in str(error):
        what = "a quote is opened and never closed"
    else:
        what = f"not a CSV record: {error}"
    return DataError(str(Problem(f"{where}:{before + line}", what, hint)))


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that cuts the records most evenly into several fields; a comma for one."""
    best, found = 0.0, ","
    aligned = any("  " in line.strip() for line in lines[:SAMPLED])  # columns of blanks
    for candidate in (*DELIMITERS, BLANKS):
        widths = _widths(lines, candidate)
        width, count = max(widths.items(), key=lambda item: item[1], default=(1, 0))
        share = count / max(widths.total(), 1) if width > 1 else 0.0
        if candidate == BLANKS:
            better = share == 1 and (best < 1 or (found == "\t" and aligned))
        else:
            better = share > best
        if better:
            best, found = share, candidate
    return found


def _widths(lines: Sequence[str], delimiter: str) -> Counter[int]:
    """How many of the first records have how many fields."""
    widths: Counter[int] = Counter()
    with suppress(csv.Error):
        for _, fields in islice(records(lines, delimiter), SAMPLED):
            widths[len(fields)] += 1
    return widths


def _is_header(rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first record names the columns.

    It does if it has a text above nothing but numbers; or no numbers, and few texts that occur
    again below.
    """
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    below = [[row[i].strip() for row in rest if i < len(row)] for i in range(len(first))]
    for text, cells in zip(first, below, strict=True):
        filled = [cell for cell in cells if cell and cell not in MARKS]
        numbers = bool(filled) and all(NUMBER.fullmatch(cell) for cell in filled)
        if numbers and text and text not in MARKS and not NUMBER.fullmatch(text):
            return True
    if any(NUMBER.fullmatch(text) for text in first):
        return False
    texts = [(text, cells) for text, cells in zip(first, below, strict=True) if text]
    again = sum(text in cells for text, cells in texts)
    return bool(texts) and 2 * again < len(texts)


def _names(where: str, line: int, rows: Sequence[list[str]], header: bool) -> tuple[str, ...]:
    """The names of the columns. Raises DataError for duplicates and for too many."""
    widths = Counter(len(row) for row in rows[1:] or rows)
    width = widths.most_common(1)[0][0]
    names = [cell.strip() for cell in rows[0]] if header else []
    if header and len(names) == width + 1 and not names[-1]:  # a delimiter ends the header alone
        names.pop()
    ends = {row[-1].strip() for row in rows[1:] if len(row) == width}
    if header and len(names) == width - 1 and ends == {""}:  # a delimiter ends every row
        names.append("")
    names = names or [f"column_{i + 1}" for i in range(width)]
    if len(names) > COLUMNS:
        what = f"{len(names):,} columns; at most {COLUMNS:,} are read"
        raise DataError(str(Problem(f"{where}:{line}", what, "is this a table?")))
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if twice:
        what = f"several columns are named '{twice[0]}'"
        raise DataError(str(Problem(f"{where}:{line}", what, "give each its own name")))
    return tuple(names)
