"""The ranked table of a comparison, as aligned text, CSV, JSON or Markdown.

This file must not know where a table is written.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from backproplab.errors import ConfigError, did_you_mean
from backproplab.measures import listed, parsed
from backproplab.report.comparison import Comparison, RankedTrial, setting
from backproplab.report.differences import ABSENT, lookup, paths, shown, written
from backproplab.text import number, seconds

CONFIG = "config."  # prefix of a key that has the name of a metric
FORMATS = ("table", "csv", "json", "md")


@dataclass(frozen=True)
class RankedTable:
    """Columns of cells. numeric: which columns are right-aligned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def ranked_table(
    comparison: Comparison, columns: Sequence[str] = (), top: int | None = None
) -> RankedTable:
    """The trials, best first. columns: keys and metrics; by default ``default_columns``.

    Raises ConfigError for a column that no trial has.
    """
    if columns:
        _check(comparison, columns)
    chosen = [*columns] or default_columns(comparison)
    shown_trials = comparison.trials[:top]
    cells = [[cell(comparison, trial, name) for name in chosen] for trial in shown_trials]
    rows = [(str(rank), *row) for rank, row in enumerate(cells, start=1)]
    return RankedTable(
        ("#", *chosen), tuple(map(tuple, rows)), (True, *_numeric(comparison, chosen))
    )


def default_columns(comparison: Comparison) -> list[str]:
    """The keys that differ, the metric, other common metrics, seeds, epochs, status, run."""
    names = sorted(listed(comparison.names), key=lambda name: parsed(name)[0] != "validation")
    metrics = dict.fromkeys([comparison.metric.name, *names])
    seeds = ["seeds"] if comparison.several_seeds else []
    keys = [_as_column(comparison, key) for key in comparison.keys]
    return list(dict.fromkeys([*keys, *metrics, *seeds, "epochs", "status", "run"]))


def _as_column(comparison: Comparison, key: str) -> str:
    """``config.loss`` for a key that has the same name as a measured column."""
    clashes = key in comparison.names or (
        key in PLAIN
        and any(cell(comparison, t, key) != shown(t.values[key]) for t in comparison.trials)
    )
    return f"{CONFIG}{key}" if clashes else key


def cell(comparison: Comparison, trial: RankedTrial, column: str) -> str:
    """The text of a cell: ``0.0212 ± 0.0031`` for a metric over seeds."""
    if column in PLAIN:
        return str(PLAIN[column](comparison, trial))
    if column in comparison.names:
        return measured(trial, column)
    return shown(setting(trial, column.removeprefix(CONFIG)))


def measured(trial: RankedTrial, name: str) -> str:
    mean, std = trial.mean(name), trial.std(name)
    if mean is None:
        return "–"
    text = number(mean)
    if std is None:
        return text
    return f"{text} ± {number(std) if 'e' in text else f'{std:.4f}'}"


def _epochs(trial: RankedTrial) -> str:
    epochs = sorted({record.info.epochs for record in trial.records})
    return str(epochs[0]) if len(epochs) == 1 else f"{epochs[0]}–{epochs[-1]}"


def _spent(trial: RankedTrial) -> float | None:
    """Seconds of all runs; None if one is not known."""
    spent = [record.info.seconds for record in trial.records]
    return None if None in spent else sum(filter(None, spent))


def _run(comparison: Comparison, trial: RankedTrial) -> str:
    """The trial's best run as ``show`` accepts it: only its name if there is one session."""
    info = trial.best_record.info
    return shown(info.name if len(comparison.sessions) == 1 else info.selector, exact=True)


PLAIN: dict[str, Callable[[Comparison, RankedTrial], Any]] = {
    "seeds": lambda _, trial: len(trial.numbers(trial.metric.name)) or len(trial.records),
    "epochs": lambda _, trial: _epochs(trial),
    "seconds": lambda _, trial: seconds(_spent(trial)),
    "status": lambda _, trial: trial.status,
    "run": _run,
}


def _check(comparison: Comparison, columns: Sequence[str]) -> None:
    keys = dict.fromkeys(path for record in comparison.records for path in paths(record.config))
    valid = dict.fromkeys([*PLAIN, *comparison.names, *comparison.keys, *keys])
    for column in columns:
        if column.removeprefix(CONFIG) not in valid:
            hint = did_you_mean(column, valid) or f"one of {', '.join(valid)}"
            raise ConfigError(f"--cols: no column {column!r} — {hint}")


def _numeric(comparison: Comparison, columns: Sequence[str]) -> list[bool]:
    return [name not in ("status", "run") and _is_numeric(comparison, name) for name in columns]


def _is_numeric(comparison: Comparison, name: str) -> bool:
    if name in PLAIN or name in comparison.names:
        return True
    path = name.removeprefix(CONFIG)
    values = [lookup(trial.records[0].config, path) for trial in comparison.trials]
    return all(isinstance(value, int | float) for value in values if value is not ABSENT)


def formatted(
    comparison: Comparison, form: str, columns: Sequence[str] = (), top: int | None = None
) -> str:
    """The ranked table in one of FORMATS. CSV and JSON keep every digit."""
    if form == "json":
        trials = [as_object(comparison, trial) for trial in comparison.trials[:top]]
        head = {"metric": vars(comparison.metric), "keys": comparison.keys, "trials": trials}
        return json.dumps(head, indent=2, ensure_ascii=False, default=str)
    table = ranked_table(comparison, columns, top)
    if form == "csv":
        return _csv(comparison, table.columns[1:], top)
    return _markdown(table) if form == "md" else _aligned(table)


def as_object(comparison: Comparison, trial: RankedTrial) -> dict[str, Any]:
    """A trial as a JSON object."""
    return {
        "values": {k: None if v is ABSENT else v for k, v in trial.values.items()},
        "status": trial.status,
        "metrics": {
            name: {"mean": trial.mean(name), "std": trial.std(name), "n": len(trial.numbers(name))}
            for name in comparison.names
        },
        "runs": [record.info.selector for record in trial.records],
    }


def _csv(comparison: Comparison, columns: Sequence[str], top: int | None) -> str:
    """The table as CSV; a metric has two columns, mean and standard deviation."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    names = comparison.names
    heads = [[name, f"{name}_std"] if name in names else [name] for name in columns]
    table.writerow(["rank", *(name for head in heads for name in head)])
    for rank, trial in enumerate(comparison.trials[:top], start=1):
        values = [_raw(comparison, trial, name) for name in columns]
        table.writerow([rank, *(value for row in values for value in row)])
    return text.getvalue().rstrip("\n")


def _raw(comparison: Comparison, trial: RankedTrial, column: str) -> list[Any]:
    if column in comparison.names:
        return [trial.mean(column), trial.std(column)]
    if column in PLAIN:
        return [PLAIN[column](comparison, trial)]
    value = setting(trial, column.removeprefix(CONFIG))
    return [
        None if value is ABSENT else value if isinstance(value, int | float) else written(value)
    ]


def _markdown(table: RankedTable) -> str:
    lines = [table.columns, ["--:" if right else ":--" for right in table.numeric], *table.rows]
    return "\n".join(f"| {' | '.join(x.replace('|', chr(92) + '|') for x in r)} |" for r in lines)


def _aligned(table: RankedTable) -> str:
    lines = [table.columns, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [">" if right else "<" for right in table.numeric]
    places = list(zip(sides, widths, strict=True))
    return "\n".join(
        "  ".join(f"{text:{s}{w}}" for text, (s, w) in zip(line, places, strict=True)).rstrip()
        for line in lines
    )
