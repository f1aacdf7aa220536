"""The metrics table: a row for each epoch and split, every digit of every number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backproplab.files import Log
from backproplab.measures import POSITION
from backproplab.text import csv_cell


class Table:
    """A CSV file with the columns epoch, step, split and then ``columns``, names and numbers that
    need no quotes. A value that was not measured is empty."""

    def __init__(self, log: Log, columns: Sequence[str]) -> None:
        self.log = log
        self.columns = columns

    def row(self, epoch: int, step: int, split: str, values: Mapping[str, float]) -> None:
        """Append a row, after the header if it is the first one."""
        cells = [_written(values[name]) if name in values else "" for name in self.columns]
        line = f"{epoch},{step},{split},{','.join(cells)}\n"
        self.log.append((line if self.log.length else self._head + line).encode())

    @property
    def _head(self) -> str:
        return ",".join(map(csv_cell, [*POSITION, *self.columns])) + "\n"


def _written(value: float) -> str:
    """A count without a point; of any other number every digit."""
    return repr(value if type(value) is int else float(value))
