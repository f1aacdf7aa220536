"""The ranked table of trials and what to read beside it, for compare and the end of a sweep."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from backproplab import report
from backproplab.cli.printing import command, grid, hidden, lines, pieces, printable, sentence
from backproplab.layout import Column
from backproplab.report import baselines, conclusion, faults, followers, sameness, seedwise
from backproplab.report.diagnoses import why_first
from backproplab.report.pairing import legend
from backproplab.text import counted, typed

if TYPE_CHECKING:
    from backproplab.report import Comparison

INDENT = 8
HINT = "--cols picks, --format csv has all"
PICKED = "not corrected; #1 was picked by these numbers, so it flatters itself."
FEW, LOST = 8, 3  # rows at the end of a sweep: the best, and those without a value


def compared(
    comparison: Comparison, columns: Sequence[str], top: int | None, test: bool = False
) -> None:
    """The whole table of compare, and how to read the differences."""
    table = report.columns_of(comparison, columns, top, test)
    _title(comparison)
    fallen = grid(table)
    if total := len(comparison.trials) - len(comparison.trials[:top]):
        lines([f"… and {counted(total, 'more trial')}: --top {len(comparison.trials)}"])
    if columns:
        hidden(fallen, HINT)
        return
    lines([""])
    _said("test", "" if test else _tested(comparison))
    _said("base", baselines.against_baselines(comparison))
    for text in followers.sentences(comparison):
        _said("follow", text)
    _equal(comparison)
    if comparison.is_paired:
        _said("spread", seedwise.spread(comparison))
    failed = faults.failures(comparison) if len(comparison.trials) > 1 else None
    _said("note", failed.text if failed else "")
    _said("why", why_first(comparison))
    _said("read", _legend(comparison))
    hidden(fallen, HINT)


def concluded(comparison: Comparison) -> None:
    """The end of a sweep: its best trials, those without a value, and what came out."""
    columns = report.columns_of(comparison)
    name = comparison.metric.name
    valued = [at for at, t in enumerate(comparison.trials) if t.mean(name) is not None]
    lost = [at for at in range(len(comparison.trials)) if at not in valued]
    fallen = grid([_rows(column, [*valued[:FEW], *lost[:LOST]]) for column in columns])
    left = len(comparison.trials) - len(valued[:FEW]) - len(lost[:LOST])
    lines([""])
    found = conclusion.conclude(comparison)
    _said("so", found.text if found.head == conclusion.OPEN else f"{found.head} {found.text}")
    if found.command:
        command("try", _anywhere(found.command, comparison), INDENT)
    _said("why", why_first(comparison, named=False))
    _said("test", _tested(comparison))
    _equal(comparison)
    fallen = [counted(left, "more trial"), *fallen] if left else fallen
    _said("hidden", ", ".join(fallen))


def _anywhere(words: str, comparison: Comparison) -> str:
    """A command of the report with the path of its file, so that it can be typed in any folder."""
    given = {Path(str(w)) for r in comparison.records for w in r.details.get("argv") or ()}
    found = {path.name: path.absolute() for path in given if path.is_file()}
    return typed(*(found.get(word, word) for word in shlex.split(words)))


def _title(comparison: Comparison) -> None:
    """``optimizers_digits  15 trials × 3 seeds``."""
    seeds = max((len(trial.records) for trial in comparison.trials), default=0)
    name = printable(str(comparison.sweep.get("name") or ", ".join(comparison.sessions[:2])))
    size = counted(len(comparison.trials), "trial") + (
        f" × {seeds} {comparison.repeats}" if seeds > 1 else ""
    )
    pieces((name, "bold"), (f"  {size}", ""))


def _rows(column: Column, rows: Sequence[int]) -> Column:
    """The column with these rows alone."""
    styles = [column.styles[at] for at in rows] if column.styles else ()
    return replace(column, cells=[column.cells[at] for at in rows], styles=styles)


def _said(label: str, text: str) -> None:
    """A sentence of the report under its label; a terminal's minus is typed."""
    if text:
        sentence(text.replace("−", "-"), label, INDENT)


def _tested(comparison: Comparison) -> str:
    """The test metrics of the chosen trial only, so that none is chosen by them."""
    of_best, name = report.test_of_best(comparison), comparison.metric.name
    return f"#1, chosen by {name}, has {of_best} (--test: of all)" if of_best else ""


def _equal(comparison: Comparison) -> None:
    if len(comparison.records) > 1:
        _said("equal", sameness.marked(comparison.records))


def _legend(comparison: Comparison) -> str:
    """What the numbers are."""
    at = "at its best epoch" if comparison.metric.at == "best" else "at its last epoch"
    over = f"mean ± standard deviation over {comparison.repeats}, "
    seeds = over if comparison.several_seeds else ""
    text = f"{comparison.metric.name}: {seeds}each run {at}. "
    if not comparison.is_paired:
        return text.rstrip()
    count = sum(pair is not None for pair in comparison.paired)
    return f"{text}{legend(comparison.repeats)} {counted(count, 'comparison')}, {PICKED}"
