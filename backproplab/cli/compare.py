"""backproplab compare: rank runs and show the keys in which they differ."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backproplab.cli.options import RUNS, LogDir

if TYPE_CHECKING:
    from collections.abc import Iterable

SELECTORS = "Runs or sessions: names, numbers of the list, paths. Default: the newest session."
Selectors = Annotated[list[str] | None, typer.Argument(metavar="RUN|SESSION", help=SELECTORS)]
MetricName = Annotated[
    str | None, typer.Option(help="The metric to rank by.", show_default="val_loss, else loss")
]
Least = Annotated[
    bool | None,
    typer.Option(
        "--min/--max", help="Whether a lower or a higher value is better.", show_default="known"
    ),
]
TEST = "Show the test metrics of every trial, not of the best only."
Test = Annotated[bool, typer.Option("--test", help=TEST)]
ROWS = 50  # default length of the table
TOP = f"{ROWS} in the table, else all"


def command(
    runs: Selectors = None,
    metric: MetricName = None,
    least: Least = None,
    top: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Only the best N.", show_default=TOP)
    ] = None,
    cols: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Only these keys and metrics.", show_default="differing"),
    ] = None,
    group_seeds: Annotated[bool, typer.Option(help="Runs that differ by seed are one row.")] = True,
    test: Test = False,
    form: Annotated[Literal["table", "csv", "json", "md"], typer.Option("--format")] = "table",
    log_dir: LogDir = RUNS,
) -> None:
    """Rank runs: the config keys that differ, and metrics as mean ± standard deviation over seeds.

    Metrics are those of each run's best epoch. Trials with runs that did not complete come last.
    """
    from backproplab import report
    from backproplab.cli.ranking import compared

    records, warnings = report.read_records(report.chosen_runs(log_dir, runs or ()))
    warn(warnings)
    comparison = report.compare(records, metric, goal_word(least), group_seeds)
    columns = [word.strip() for word in cols.split(",")] if cols else ()
    if form != "table":
        typer.echo(report.formatted(comparison, form, columns, top, test))
        return
    compared(comparison, columns, top or ROWS, test)


def goal_word(least: bool | None) -> Literal["min", "max"] | None:
    return None if least is None else "min" if least else "max"


def warn(warnings: Iterable[str]) -> None:
    """Print warnings on stderr."""
    for warning in warnings:
        typer.echo(f"backproplab: warning: {warning}", err=True)
