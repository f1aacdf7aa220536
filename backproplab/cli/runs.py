"""backproplab runs: the list of what was trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.options import RUNS, LogDir

if TYPE_CHECKING:
    from pathlib import Path

ROWS = 50
WORDS = "Sessions or runs: only these, a row for each run. Default: all, a row for each sweep."


def command(
    words: Annotated[list[str] | None, typer.Argument(metavar="SESSION|RUN", help=WORDS)] = None,
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Only the newest N.")] = ROWS,
    log_dir: LogDir = RUNS,
) -> None:
    """List the runs, newest first, with their results. The runs of a sweep are one row."""
    from backproplab.cli import run_list
    from backproplab.cli.compare import warn
    from backproplab.runs import list_runs
    from backproplab.text import counted

    if words:
        _some(words, top, log_dir)
        return
    runs = list_runs(log_dir)
    if not runs:
        typer.echo(f"no runs in {log_dir}; make one:")
        typer.echo("  backproplab config init config.yaml")
        typer.echo("  backproplab train config.yaml")
        return
    rows = run_list.entries(runs)
    warn(fault for row in rows[:top] for run in row.runs for fault in run.faults)
    run_list.show(rows[:top])
    if len(rows) > top:
        older = sum(len(row.runs) for row in rows[top:])
        typer.echo(f"… and {counted(older, 'older run')}: --top {len(rows)}")


def _some(words: list[str], top: int, log_dir: Path) -> None:
    """These runs only; those of one sweep by what was swept."""
    from backproplab import report
    from backproplab.cli import run_list
    from backproplab.cli.compare import warn
    from backproplab.runs import list_runs

    known = {run.folder: at for at, run in enumerate(list_runs(log_dir), start=1)}
    chosen = report.chosen_runs(log_dir, words)
    records, warnings = report.read_records(chosen)
    warn(warnings)
    comparison = report.compare(records)
    others = [run.folder for run in chosen if run.folder not in known]
    numbers = known | {folder: len(known) + at for at, folder in enumerate(others, start=1)}
    if comparison.sweep and comparison.keys:
        run_list.show_sweep(comparison, numbers, top)
    else:
        newest = sorted(chosen, key=lambda run: numbers[run.folder])[:top]
        run_list.show([run_list.Entry(numbers[run.folder], [run], run.name) for run in newest])
