"""metrics.csv, read back: rows of text whose numbers are numbers.

This file must not know who wrote it, nor which metric is better.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from backproplab.errors import DamageError
from backproplab.files import read_regular, unusable
from backproplab.measures import POSITION, SPLITS, named
from backproplab.passes import COUNTERS

TABLE = "metrics.csv"
FIRST = "epoch,"  # what a table begins with
LIMIT = 2**28  # bytes
BESIDE = {*POSITION, *(counter.name for counter in COUNTERS)}  # columns that are no metrics


def read_metrics(folder: Path, measured: bool = False) -> list[dict[str, str]]:
    """The rows of ``metrics.csv``: epoch, step (not in 0.1), split, loss, …; none when no epoch
    has ended.

    A last line without its line end is still being written, or was cut by a kill: it is left out.
    measured: whether the run's record holds metrics. Raises DamageError for a file that is not such
    a table, or that is missing or has no rows although something was measured.
    """
    path = folder / TABLE
    try:
        content = read_regular(path, LIMIT)
    except FileNotFoundError:
        content = b""
    except OSError as error:
        raise DamageError(f"{path}: {unusable(error)}") from error
    return parsed_metrics(path, content, measured)


def parsed_metrics(
    path: Path | str, content: bytes, measured: bool = False
) -> list[dict[str, str]]:
    """The rows of a table with this content; ``path`` is for messages."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise DamageError(f"{path}: damaged: not UTF-8 text") from error
    if not (text or measured):
        return []
    if "\0" in text:
        raise DamageError(f"{path}: damaged: not text")
    whole = text[: text.rfind("\n") + 1]
    reader = csv.reader(io.StringIO(whole, newline=""), strict=True)
    try:
        names = next(reader, [])
        rows = [_row(path, reader.line_num, names, cells) for cells in reader if cells]
    except csv.Error as error:
        raise DamageError(f"{path}:{reader.line_num}: damaged: {error}") from error
    torn = not whole and FIRST.startswith(text[: len(FIRST)])  # the heading is being written
    if not torn and not {"epoch", "split"} <= set(names):
        raise DamageError(f"{path}:1: damaged: no columns 'epoch' and 'split'")
    if measured and not rows:
        raise DamageError(f"{path}: damaged: it has no rows, though the run has measured something")
    return rows


def _row(path: Path | str, line: int, names: list[str], cells: list[str]) -> dict[str, str]:
    """The cells by their columns' names. Raises DamageError if one cannot be what it should be."""
    if len(cells) != len(names):
        raise DamageError(f"{path}:{line}: damaged: not as many fields as columns")
    row = dict(zip(names, cells, strict=True))
    try:
        int(row.get("epoch", 0)), int(row.get("step", 0))
        for name, value in row.items():
            if value and name not in POSITION:
                float(value)
    except ValueError:
        raise DamageError(f"{path}:{line}: damaged: a cell that is no number") from None
    if row.get("split", "train") not in SPLITS:
        raise DamageError(f"{path}:{line}: damaged: no split is called {row['split']!r}")
    return row


def by_epoch(rows: Iterable[Mapping[str, str]]) -> dict[int, dict[str, float]]:
    """The metrics of every epoch, such as ``val_loss``, with its ``epoch``, by its number.

    Counts of passes are no metrics.
    """
    found: dict[int, dict[str, float]] = {}
    metric = cache(named)  # a name is made once, and not once an epoch
    for row in rows:
        epoch, split = int(row["epoch"]), row["split"]
        metrics = found.setdefault(epoch, {"epoch": epoch})
        for name, value in row.items():
            if value and name not in BESIDE:
                metrics[metric(split, name)] = float(value)
    return found
