"""The list of runs: a row for each, one for a sweep; of one sweep its keys instead of names."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING

from backproplab import text
from backproplab.cli.ended import curve_column
from backproplab.cli.printing import is_drawable, lines, printable, sentence, table
from backproplab.cli.signs import STYLES, counts, signed
from backproplab.errors import DamageError, RunError
from backproplab.layout import LOST, Column, aligned
from backproplab.measures import LOSS, Row, listed, parsed
from backproplab.runs import RunInfo, read_metrics
from backproplab.runs.metrics_table import by_epoch
from backproplab.runs.results_file import leader
from backproplab.runs.sweep_file import read_sweep
from backproplab.status import Status

if TYPE_CHECKING:
    from pathlib import Path

    from backproplab.report import Comparison

CELLS = 10  # of a curve
LEGEND = "{} is the best epoch's; of a sweep its best trial's mean."
CURVE = " The green step of a curve is the best epoch."


@dataclass(frozen=True)
class Entry:
    """A row: one run, or all runs of a sweep. first: the number of its newest run in the list."""

    first: int
    runs: Sequence[RunInfo]
    name: str

    @property
    def number(self) -> str:
        last = self.first + len(self.runs) - 1
        return str(self.first) if last == self.first else f"{self.first}-{last}"

    @cached_property
    def status(self) -> tuple[str, str]:
        """The word or the counts, and the style."""
        if len(self.runs) == 1:
            return signed(self.runs[0].status), STYLES[self.runs[0].status]
        return counts(Counter(run.status for run in self.runs)), ""

    @cached_property
    def best(self) -> RunInfo:
        """The run whose curve is shown: of a sweep the best one of its results.csv."""
        name = self._leader.get("run")
        return next((run for run in self.runs if run.name == name), self.runs[0])

    @cached_property
    def _leader(self) -> dict[str, str]:
        return leader(self.runs[0].folder.parent) if len(self.runs) > 1 else {}

    def value(self, name: str) -> str:
        """The metric at the best epoch; the mean of a sweep's best trial."""
        if self._leader.get(name):
            return text.measured(name, float(self._leader[name]))
        best, last = self.best.best, self.best.metrics
        found = best.get(name, last.get(name)) if self.best.status is not Status.DIVERGED else None
        return "–" if found is None else text.measured(name, found)

    @property
    def verdict(self) -> str:
        """A word of the diagnosis; of a sweep that of its best trial's runs."""
        if len(self.runs) > 1:
            return self._leader.get("diagnosis", "").partition(" in ")[0]
        return self.best.verdict if self.best.status.has_ended else ""

    @property
    def length(self) -> str:
        """``10 epochs``, ``3/10 epochs``, ``200 generations``."""
        run = self.best
        done = run.steps if run.unit else run.epochs
        whole = done if run.status is Status.COMPLETED else run.planned
        counted = text.counted(whole, run.unit or "epoch")
        return counted if run.status is Status.COMPLETED else f"{done:,}/{counted}"

    @property
    def seconds(self) -> float | None:
        known = [run.seconds for run in self.runs if run.seconds is not None]
        return sum(known) if known else None

    @property
    def age(self) -> str:
        newest = max(run.instant for run in self.runs)
        return text.age(time.time() - newest) if newest else "–"


def entries(runs: Sequence[RunInfo]) -> list[Entry]:
    """The rows of a list of runs, newest first."""
    found: list[Entry] = []
    at = 1
    for session, group in groupby(runs, key=lambda run: run.folder.parent):
        members = list(group)
        if len(members) > 1 and (name := _sweep_name(session)):
            found.append(Entry(at, members, name))
        else:
            found += [Entry(at + n, [run], printable(run.name)) for n, run in enumerate(members)]
        at += len(members)
    return found


def _sweep_name(session: Path) -> str:
    try:
        found = read_sweep(session)
    except RunError:
        return ""
    return printable(str(found.get("name") or session.name)) if found else ""


def show(rows: Sequence[Entry]) -> None:
    """The list: name, status, a word of the diagnosis, the metric of the best epoch, its curve."""
    names = Column("run", [row.name for row in rows], is_name=True)
    session = Column("session", [printable(row.runs[0].session) for row in rows], rank=7)
    _show(rows, [names], [session])


def show_sweep(comparison: Comparison, numbers: dict[Path, int], top: int) -> None:
    """The newest runs of one sweep: what was swept stands for the names."""
    from backproplab.report.columns import short_head

    cells = {
        record.info.folder: [
            *(comparison.label(k, v) for k, v in trial.values.items()),
            record.seed,
        ]
        for trial in comparison.trials
        for record in trial.records
    }
    infos = {record.info.folder: record.info for record in comparison.records}
    order = sorted(cells, key=lambda folder: numbers[folder])[:top]
    rows = [Entry(numbers[at], [infos[at]], infos[at].name) for at in order]
    heads = [*comparison.trials[0].values, "seed"] if comparison.trials else []
    keys = [
        Column(
            head,
            [str(cells[folder][at]) for folder in order],
            short=short_head(heads, head),
            is_name=True,
            rank=1,
        )
        for at, head in enumerate(heads)
    ]
    _show(rows, keys, [])


def _show(rows: Sequence[Entry], named: Sequence[Column], last: Sequence[Column]) -> None:
    names = listed(dict.fromkeys(name for row in rows for name in row.best.metrics))
    names = [name for name in names if parsed(name)[0] != "test"]
    names = sorted(names, key=lambda n: (parsed(n)[1] != LOSS.name, parsed(n)[0] != "validation"))
    first, *others = names or [LOSS.name]
    others = [name for name in others if parsed(name)[0] == "validation"]
    verdicts = [row.verdict for row in rows]
    table([
        Column("#", [row.number for row in rows], right=True),
        *named,
        Column("status", [row.status[0] for row in rows], styles=[row.status[1] for row in rows]),
        *([Column("diagnosis", verdicts, rank=1)] if any(verdicts) else []),
        _lengths(rows),
        Column(first, aligned([row.value(first) for row in rows]), right=True),
        *([_curves(rows, first)] if is_drawable("▁") else []),
        Column("age", [row.age for row in rows], rank=3),
        Column("time", [text.spent(row.seconds) for row in rows], right=True, rank=5),
        *[Column(n, [row.value(n) for row in rows], right=True, rank=6) for n in others],
        *last,
    ])  # fmt: skip
    lines([""])
    sentence(LEGEND.format(first) + (CURVE if is_drawable("▁") else ""))


def _lengths(rows: Sequence[Entry]) -> Column:
    """Plain numbers below ``epochs`` where that is what all of them count."""
    counted, bare = [row.length for row in rows], not any(row.best.unit for row in rows)
    cells = [cell.partition(" ")[0] for cell in counted] if bare else counted
    return Column("epochs" if bare else "length", cells, right=True, rank=4)


def _curves(rows: Sequence[Entry], name: str) -> Column:
    drawn = [_curve(row.best, name) for row in rows]
    cells = [cell for column in drawn for cell in column.cells]
    return Column("curve", cells, rank=2, marks=[mark for column in drawn for mark in column.marks])


def _curve(run: RunInfo, name: str) -> Column:
    try:
        epochs = by_epoch(read_metrics(run.folder))
    except DamageError:
        epochs = {}
    found: list[Row] = [epochs[epoch] for epoch in sorted(epochs) if name in epochs[epoch]]
    if not found:
        return Column("", [LOST if run.status is Status.DIVERGED else ""], marks=[None])
    best = next((at for at, row in enumerate(found) if row["epoch"] == run.best.get("epoch")), None)
    return curve_column("", [name], found, best, CELLS, run.status)
