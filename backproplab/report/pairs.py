"""Two runs compared: their configs by key, their results, the epoch at which metrics diverge.

This file must not know how the comparison is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backproplab.report.comparison import metric_names
from backproplab.report.differences import differences, shown
from backproplab.report.gathering import Record
from backproplab.report.series import series
from backproplab.text import counted, number, seconds

Row = tuple[str, str, str]


@dataclass(frozen=True)
class Pair:
    """config, results: (name, first run's, second's value). parting: where metrics diverge."""

    config: tuple[Row, ...]
    results: tuple[Row, ...]
    parting: str


def pair(first: Record, second: Record) -> Pair:
    """The differences between two runs. Raises RunError for a damaged metrics.csv."""
    trees = [
        {key: value for key, value in record.config.items() if key != "name"}
        for record in (first, second)
    ]
    config = tuple(
        (path, shown(a, exact=True), shown(b, exact=True)) for path, (a, b) in differences(trees)
    )
    return Pair(config, tuple(_results(first, second)), _parting(first, second))


def _results(first: Record, second: Record) -> list[Row]:
    a, b = first.info, second.info
    rows: list[Row] = [
        ("status", a.status, b.status),
        ("epochs", str(a.epochs), str(b.epochs)),
        ("seconds", seconds(a.seconds), seconds(b.seconds)),
        ("best epoch", *_both(a.best, b.best, "epoch", "{:.0f}".format)),
    ]
    for name in metric_names([first, second]):
        rows.append((name, *_both(a.metrics, b.metrics, name, number)))
    return rows


def _both(
    a: Mapping[str, float], b: Mapping[str, float], name: str, write: Callable[[float], str]
) -> tuple[str, str]:
    return (write(a[name]) if name in a else "–"), (write(b[name]) if name in b else "–")


def _parting(first: Record, second: Record) -> str:
    """The first epoch at which a common metric is not equal to the last digit, as a sentence."""
    a, b = series(first), series(second)
    names = [name for name in a if name in b]
    both = sorted({e for name in names for e in a[name].keys() & b[name].keys()})
    for epoch in both:
        for name in names:
            x, y = (curves[name].get(epoch) for curves in (a, b))
            if x is not None and y is not None and repr(x) != repr(y):
                return f"metrics part at epoch {epoch}: {name} {x!r} and {y!r}"
    if not both:
        return "no epoch that both have measured"
    return f"metrics are the same in {counted(len(both), 'epoch')}, digit for digit"
