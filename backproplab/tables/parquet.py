"""A table in a Parquet file, whose types are taken as the file has them.

Memory is allocated only for what a file of its size can hold. pyarrow is imported when such a file
is read, here and in ``arrow.py`` alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backproplab.errors import ConfigError, DataError, reason
from backproplab.tables.arrow import column_of
from backproplab.tables.columns import Column, Declared, Table
from backproplab.tables.content import BEGINNINGS, bytes_of, fault
from backproplab.tables.dialect import COLUMNS

SUFFIXES = (".parquet", ".pq")
MAGIC = b"PAR1"
RATIO, SMALL = 200, 2**26  # most expansion of a file to more bytes than this
ITEM = 8  # bytes of a cell in memory, at least
THRIFT = 2**26  # bytes of a text in the file's description, and entries of a list of it
HINT = "write it again, by DataFrame.to_parquet or pyarrow"


def read_parquet(path: Path, marks: Collection[str] = (), texts: Collection[str] = ()) -> Table:
    """The table in a Parquet file.

    marks: texts and numbers that mean a missing value.  texts: columns whose whole numbers keep all
    their digits. Raises DataError for anything else, ConfigError if pyarrow is missing.
    """
    content = bytes_of(path)
    _check_kind(path, content)
    with _refused(path):
        names, arrays = _arrays(path, content)
        columns: dict[str, Column] = {}
        declared: dict[str, Declared] = {}
        while names:  # an array is given back as soon as its column is made
            name, array = names.pop(), arrays.pop()
            columns[name], declared[name] = column_of(name, array, marks, name in texts)
    table = Table(
        str(path),
        {name: columns[name] for name in reversed(columns)},
        len(next(iter(columns.values()))),
        declared=declared,
    )
    if not len(table):
        raise fault(path, "holds no rows", "a table needs a row for each example")
    return table


def cells_of(path: Path) -> tuple[int, int]:
    """(cells, bytes) of the table in a file, as far as it says; zeros if it does not."""
    try:
        with _refused(path):
            description = _opened(path).metadata
        return description.num_rows * description.num_columns, _unpacked(description)
    except (DataError, ConfigError):
        return 0, 0


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    """Errors of pyarrow as ours. Raises DataError, ConfigError if pyarrow is missing."""
    try:
        import pyarrow
    except ImportError:
        what = f"{path}: reading Parquet needs pip install 'backproplab[parquet]'"
        raise ConfigError(what) from None
    try:
        yield
    except (
        pyarrow.ArrowException,
        OSError,
        ValueError,
        LookupError,
        TypeError,
        MemoryError,
    ) as error:
        raise fault(path, f"damaged: {' '.join(reason(error).split())[:200]}", HINT) from None


def _check_kind(path: Path, content: bytes) -> None:
    """Raise DataError unless the content begins and ends as Parquet does."""
    if not content:
        raise fault(path, "is empty", "a table needs a row for each example")
    if not content.startswith(MAGIC):
        known = [kind for start, kind in BEGINNINGS.items() if content.startswith(start)]
        what = f"the content is {known[0] if known else 'something else'}, not Parquet"
        raise fault(path, what, HINT if known else "if it is CSV, name it f.csv")
    if len(content) < 12 or not content.endswith(MAGIC):
        raise fault(path, "damaged: its end is missing", "get the file again")


def _opened(source: Any) -> Any:
    """pyarrow's reader of a path or of bytes, which allocates nothing for what is not there."""
    from pyarrow import BufferReader, parquet

    def opened(**settings: Any) -> Any:
        file = BufferReader(source) if isinstance(source, bytes) else source
        limits = {"thrift_string_size_limit": THRIFT, "thrift_container_size_limit": THRIFT}
        return parquet.ParquetFile(file, page_checksum_verification=True, **limits, **settings)

    found = opened()
    schema = found.metadata.schema
    leaves = [schema.column(i) for i in range(len(schema))]
    texts = [leaf.path for leaf in leaves if leaf.logical_type.type == "STRING"]
    return opened(read_dictionary=texts) if texts else found  # each distinct text once


def _unpacked(description: Any) -> int:
    """Bytes that the columns say to be unpacked."""
    groups = [description.row_group(i) for i in range(description.num_row_groups)]
    return sum(group.total_byte_size for group in groups)


def _arrays(path: Path, content: bytes) -> tuple[list[str], list[Any]]:
    """The names of the columns, and pyarrow's arrays. Raises DataError for what cannot be read."""
    file = _opened(content)
    description = file.metadata
    if description.num_columns > COLUMNS:
        what = f"{description.num_columns:,} columns; at most {COLUMNS:,} are read"
        raise fault(path, what, "keep the columns that matter")
    size = max(description.num_rows * description.num_columns * ITEM, _unpacked(description))
    if size > max(SMALL, RATIO * len(content)):
        times = size // len(content)
        raise fault(path, f"expands {times:,} times; at most {RATIO} are read", HINT)
    found = file.read(use_threads=False)
    found.validate(full=True)
    names = [name or f"unnamed_{i + 1}" for i, name in enumerate(found.column_names)]
    twice = [name for i, name in enumerate(names) if name in names[:i]][:1]
    if not names:
        raise fault(path, "has no columns", "is it the right file?")
    if twice:
        raise fault(path, f"several columns are named '{twice[0]}'", "give each its own name")
    described = found.schema.pandas_metadata or {}
    categories = {
        column["name"]
        for column in described.get("columns", ())
        if column["pandas_type"] == "categorical"
    }
    arrays = zip(names, found.columns, strict=True)
    return names, [x.dictionary_encode() if name in categories else x for name, x in arrays]
