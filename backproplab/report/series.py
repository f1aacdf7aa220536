"""Metrics over the epochs: of one run, of a trial (mean and range over seeds), as a long table.

This file must not know how a curve is drawn.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import RunError
from backproplab.measures import POSITION, named
from backproplab.report.comparison import Comparison
from backproplab.report.differences import ABSENT, written
from backproplab.report.gathering import Record
from backproplab.report.trials import RankedTrial
from backproplab.runs import read_metrics
from backproplab.text import csv_cell

TAIL = ["seed", "epoch", "split", "metric", "value"]  # last columns of the long table


@dataclass(frozen=True)
class Band:
    """A metric at the epochs that all seeds reached: mean, smallest and largest over seeds."""

    at: Array
    mean: Array
    low: Array
    high: Array


def series(record: Record) -> dict[str, dict[int, float]]:
    """``{"val_loss": {1: 0.5, …}, …}``. Raises RunError for a damaged metrics.csv."""
    curves: dict[str, dict[int, float]] = {}
    for epoch, split, name, value in _cells(record):
        try:
            curves.setdefault(named(split, name), {})[int(epoch)] = float(value)
        except (KeyError, ValueError):
            where = f"{record.info.selector}: metrics.csv"
            raise RunError(f"{where}: damaged in epoch {epoch!r}, {split!r}, {name!r}") from None
    return curves


def _cells(record: Record) -> Iterator[tuple[str, str, str, str]]:
    """(epoch, split, metric, value) of every number of a run."""
    for row in read_metrics(record.info.folder, bool(record.info.metrics)):
        for name, value in row.items():
            if name not in POSITION and value:  # empty: not measured of this split
                yield row["epoch"], row["split"], name, value


def bands(trial: RankedTrial, warnings: list[str]) -> dict[str, Band]:
    """The band of each metric of a trial; an unreadable table becomes a warning."""
    every: list[dict[str, dict[int, float]]] = []
    for record in trial.counted or trial.records:
        try:
            every.append(series(record))
        except RunError as error:
            warnings.append(str(error))
    names = dict.fromkeys(name for curves in every for name in curves)
    found = {name: _band([curves[name] for curves in every if name in curves]) for name in names}
    return {name: band for name, band in found.items() if len(band.at)}


def _band(curves: list[dict[int, float]]) -> Band:
    epochs = sorted(set.intersection(*map(set, curves)))
    values = np.array([[curve[epoch] for epoch in epochs] for curve in curves])
    finite = np.isfinite(values).all(axis=0)
    values = values[:, finite]
    at = np.array(epochs)[finite] if epochs else np.array([])
    return Band(at, values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def long_table(comparison: Comparison) -> tuple[str, list[str]]:
    """(CSV with a row for each run, epoch, split and metric; warnings).

    Columns: run, the keys that differ between trials, and TAIL. Every digit is kept.
    """
    text, warnings = io.StringIO(), list[str]()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["run", *map(csv_cell, comparison.keys), *TAIL])
    for trial in comparison.trials:
        settings = [_plain(trial.values[key]) for key in comparison.keys]
        for record in trial.records:
            try:
                rows = list(_cells(record))
            except RunError as error:
                warnings.append(str(error))
                continue
            head = [record.info.selector, *settings, record.seed]
            table.writerows(map(csv_cell, [*head, *row]) for row in rows)
    return text.getvalue(), warnings


def _plain(value: Any) -> Any:
    """A value as written in CSV: empty if the config has no such key."""
    return "" if value is ABSENT else value if isinstance(value, int | float) else written(value)


def is_long_table(first_line: Sequence[str]) -> bool:
    """Whether a file with this first line is our export."""
    return list(first_line[:1]) == ["run"] and list(first_line[-len(TAIL) :]) == TAIL
