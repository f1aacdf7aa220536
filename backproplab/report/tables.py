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
from backproplab.layout import fit
from backproplab.measures import listed, parsed
from backproplab.report.comparison import Comparison, labels_of
from backproplab.report.costs import COUNTS, cost_columns, count_of, shown_keys, spent
from backproplab.report.diagnoses import words_of
from backproplab.report.differences import ABSENT, lookup, paths, shown, written
from backproplab.report.outcomes import outcome, span
from backproplab.report.pairing import BEST, SIGNS, Paired
from backproplab.report.trials import RankedTrial
from backproplab.status import Status
from backproplab.text import csv_cell, number, seconds, signed, spread

CONFIG = "config."  # prefix of a key that has the name of a metric
FORMATS = ("table", "csv", "json", "md")


@dataclass(frozen=True)
class RankedTable:
    """Columns of cells. numeric: which columns are right-aligned."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[bool, ...]


def ranked_table(
    comparison: Comparison,
    columns: Sequence[str] = (),
    top: int | None = None,
    test: bool = False,
) -> RankedTable:
    """The trials, best first. columns: keys and metrics; by default ``default_columns``.

    Raises ConfigError for a column that no trial has.
    """
    if columns:
        _check(comparison, columns)
    chosen = [*columns] or default_columns(comparison, test)
    cells = [_cells(comparison, name, top) for name in chosen]
    name = comparison.metric.name
    ranks = [
        str(rank) if trial.mean(name) is not None else "–"
        for rank, trial in enumerate(comparison.trials[:top], start=1)
    ]
    return RankedTable(
        ("#", *chosen),
        tuple(zip(ranks, *cells, strict=True)),
        (True, *_numeric(comparison, chosen)),
    )


def default_columns(comparison: Comparison, test: bool = False, whole: bool = False) -> list[str]:
    """The keys that differ, the metric, its difference to the best, other metrics, status.

    test: with the test metrics of every trial, which invite choosing by them. whole: with
    everything that there is, as for a file; else nothing that another column says, too.
    """
    names = sorted(listed(comparison.names), key=lambda name: parsed(name)[0] != "validation")
    names = [name for name in names if parsed(name)[0] != "test"]
    if test or whole:
        names += [name for name in comparison.names if parsed(name)[0] == "test"]
    metrics = dict.fromkeys([comparison.metric.name, *names])
    seeds = ["seeds"] if comparison.several_seeds else []
    named = comparison.keys if whole else shown_keys(comparison)
    keys = [_as_column(comparison, key) for key in named]
    interval = [] if whole else ["interval"]  # a file has it in columns of their own
    paired = ["delta", *interval, "wins", "verdict"] if comparison.is_paired else []
    first, *others = metrics
    status = ["status"] if whole or not paired else []  # a verdict says it
    costs = cost_columns(comparison, whole)
    ends = ["epochs"] if whole or not costs else []  # which mean nothing beside another learner's
    ends += ["best_epoch"] if whole or (ends and comparison.metric.at == "best") else []
    ends += ["last"] if whole else []
    repeated = comparison.sweep and comparison.is_told_by_keys
    run = [] if repeated and not whole else ["run"]
    return list(
        dict.fromkeys(
            [*keys, first, *paired, *others, *seeds, *ends, *costs, "diagnosis", *status, *run]
        )
    )


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
    if column in comparison.names or column == comparison.metric.name:
        return measured(trial, column)
    key = column.removeprefix(CONFIG)
    return comparison.label(key, trial.values[key]) if key in trial.values else ""


def _cells(comparison: Comparison, column: str, top: int | None) -> list[str]:
    key, trials = column.removeprefix(CONFIG), comparison.trials
    known = column in PLAIN or column in (*comparison.names, comparison.metric.name)
    if known or key in comparison.keys:
        return [cell(comparison, trial, column) for trial in trials[:top]]
    labels = labels_of(setting(trial, key) for trial in trials)
    return [labels[repr(setting(trial, key))] for trial in trials[:top]]


def setting(trial: RankedTrial, path: str) -> Any:
    """The value of any key of a trial's config, also of one that does not differ."""
    return trial.values.get(path, lookup(trial.records[0].config, path))


def measured(trial: RankedTrial, name: str) -> str:
    mean, std = trial.mean(name), trial.std(name)
    if mean is None:
        return "∞" if trial.is_infinite(name) else "–"
    if std is None:
        return number(mean)
    return spread(mean, std)


def _pair(comparison: Comparison, trial: RankedTrial) -> Paired | None:
    return comparison.pairs[id(trial)]


def _delta(comparison: Comparison, trial: RankedTrial) -> str:
    pair = _pair(comparison, trial)
    return signed(pair.mean) if pair else ""


def _interval(comparison: Comparison, trial: RankedTrial) -> str:
    pair = _pair(comparison, trial)
    return f"[{', '.join(map(signed, pair.interval))}]" if pair and pair.interval else ""


def _wins(comparison: Comparison, trial: RankedTrial) -> str:
    pair = _pair(comparison, trial)
    return f"{pair.wins} of {len(pair.differences)}" if pair else ""


def _verdict(comparison: Comparison, trial: RankedTrial) -> str:
    """The trial's status if not all of its runs are complete; else what the differences say."""
    if trial.status != Status.COMPLETED:
        return f"✗ {trial.status}" if Status.DIVERGED in trial.status else f"  {trial.status}"
    pair = _pair(comparison, trial)
    word = BEST if trial is comparison.trials[0] else pair.verdict if pair else ""
    return f"{SIGNS[word]} {word.rstrip('?')}" if word else ""


def test_of_best(comparison: Comparison) -> str:
    """``test_accuracy 0.9700, test_loss 0.1012`` of the chosen trial only; empty without any."""
    names = [name for name in comparison.names if parsed(name)[0] == "test"]
    best = comparison.trials[0]
    return ", ".join(f"{name} {measured(best, name)}" for name in names if best.numbers(name))


def _epochs(trial: RankedTrial) -> str:
    return span([record.info.epochs for record in trial.records])


def _last(trial: RankedTrial) -> str:
    last = outcome(trial).last
    return "–" if last is None else number(last)


def _run(comparison: Comparison, trial: RankedTrial) -> str:
    """The trial's best run as ``show`` accepts it: only its name if there is one session."""
    info = trial.best_record.info
    return shown(info.name if len(comparison.sessions) == 1 else info.selector, exact=True)


PLAIN: dict[str, Callable[[Comparison, RankedTrial], Any]] = {
    "seeds": lambda _, trial: len(trial.numbers(trial.metric.name)) or len(trial.records),
    "epochs": lambda _, trial: _epochs(trial),
    "seconds": lambda _, trial: seconds(spent(trial)),
    **{name: lambda _, trial, name=name: count_of(trial, name) for name in COUNTS},  # type: ignore[misc]
    "best_epoch": lambda _, trial: span(outcome(trial).best_epochs),
    "last": lambda _, trial: _last(trial),
    "status": lambda _, trial: trial.status,
    "run": _run,
    "delta": _delta,
    "interval": _interval,
    "wins": _wins,
    "verdict": _verdict,
    "diagnosis": lambda _, trial: words_of(trial.records),
}
HEADS = {  # and a shorter head
    "delta": ("Δ to #1", "Δ"), "interval": ("95 % interval", ""), "wins": ("beats #1", ""),
    "best_epoch": ("best epoch", ""), "forward_passes": ("forward passes", "forward"),
    "backward_passes": ("backward passes", "backward"),
}  # fmt: skip
INTERVAL = ["delta", "delta_low", "delta_high"]  # the difference and its 95 % interval in a file


def _check(comparison: Comparison, columns: Sequence[str]) -> None:
    keys = dict.fromkeys(path for record in comparison.records for path in paths(record.config))
    measured = [*comparison.names, comparison.metric.name]  # of which no run may have a value
    valid = dict.fromkeys([*PLAIN, *measured, *comparison.keys, *keys])
    for column in columns:
        if column.removeprefix(CONFIG) not in valid:
            hint = did_you_mean(column, valid) or f"one of {', '.join(valid)}"
            raise ConfigError(f"--cols: no column {column!r} — {hint}")


def _numeric(comparison: Comparison, columns: Sequence[str]) -> list[bool]:
    words = ("status", "run", "verdict", "diagnosis")
    return [name not in words and _is_numeric(comparison, name) for name in columns]


def _is_numeric(comparison: Comparison, name: str) -> bool:
    if name in PLAIN or name in comparison.names:
        return True
    path = name.removeprefix(CONFIG)
    values = [lookup(trial.records[0].config, path) for trial in comparison.trials]
    return all(isinstance(value, int | float) for value in values if value is not ABSENT)


def formatted(
    comparison: Comparison,
    form: str,
    columns: Sequence[str] = (),
    top: int | None = None,
    test: bool = False,
) -> str:
    """The ranked table in one of FORMATS. CSV and JSON keep every digit and the test metrics."""
    if form == "json":
        trials = [as_object(comparison, trial) for trial in comparison.trials[:top]]
        head = {"metric": vars(comparison.metric), "keys": comparison.keys, "trials": trials}
        return json.dumps(head, indent=2, ensure_ascii=False, default=str)
    if form == "csv":
        if columns:
            _check(comparison, columns)
        return _csv(comparison, [*columns] or default_columns(comparison, whole=True), top)
    if form == "md":
        return _markdown(ranked_table(comparison, columns, top, test))
    from backproplab.report.columns import columns_of

    return "\n".join(fit(columns_of(comparison, columns, top, test), None).lines())


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
    heads = [
        [name, f"{name}_std"] if name in names else INTERVAL if name == "delta" else [name]
        for name in columns
    ]
    table.writerow(["rank", *(csv_cell(name) for head in heads for name in head)])
    for rank, trial in enumerate(comparison.trials[:top], start=1):
        values = [_raw(comparison, trial, name) for name in columns]
        table.writerow([rank, *(csv_cell(value) for row in values for value in row)])
    return text.getvalue().rstrip("\n")


def _raw(comparison: Comparison, trial: RankedTrial, column: str) -> list[Any]:
    if column in comparison.names:
        return [trial.mean(column), trial.std(column)]
    if column == "delta":
        pair = _pair(comparison, trial)
        return [pair and pair.mean, *((pair and pair.interval) or (None, None))]
    if column == "last":
        return [outcome(trial).last]
    if column in PLAIN:
        return [str(PLAIN[column](comparison, trial)).strip()]
    value = setting(trial, column.removeprefix(CONFIG))
    return [
        None if value is ABSENT else value if isinstance(value, int | float) else written(value)
    ]


def _markdown(table: RankedTable) -> str:
    heads = [HEADS.get(name, (name, ""))[0] for name in table.columns]
    lines = [heads, ["--:" if right else ":--" for right in table.numeric], *table.rows]
    return "\n".join(f"| {' | '.join(x.replace('|', chr(92) + '|') for x in r)} |" for r in lines)
