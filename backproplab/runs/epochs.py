"""The best epoch of a run, by whichever of its metrics is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite

from backproplab.errors import DamageError
from backproplab.measures import Row, parsed
from backproplab.runs.listing import RunInfo
from backproplab.runs.metrics_table import by_epoch, read_metrics


def best_by(run: RunInfo, name: str, minimizes: bool) -> dict[str, float]:
    """The metrics of the first epoch at which ``name`` was best, with its ``epoch``.

    The run's own best epoch where it was monitored by that metric, or no epoch has it (as for a
    test value), or its table is damaged.
    """
    if run.monitor in ("", name):
        return run.best
    try:
        epochs = by_epoch(read_metrics(run.folder))
    except DamageError:
        return run.best
    return best_row(epochs, name, minimizes) or run.best


def best_row(epochs: Mapping[int, Row], name: str, minimizes: bool) -> Row:
    """The metrics of the first epoch at which ``name`` was best; empty if none measured it."""
    rows = [row for row in epochs.values() if isfinite(row.get(name, float("nan")))]
    if not rows or parsed(name)[0] == "test":
        return {}
    return min(rows, key=lambda row: row[name] if minimizes else -row[name])
