"""backproplab runs: the list of what was trained."""

from __future__ import annotations

from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir

ROWS = 50


def command(
    top: Annotated[int, typer.Option(metavar="N", min=1, help="Only the newest N.")] = ROWS,
    log_dir: LogDir = RUNS,
) -> None:
    """List the runs, newest first."""
    from backproplab.cli import render
    from backproplab.cli.compare import warn
    from backproplab.runs import list_runs
    from backproplab.text import counted

    runs = list_runs(log_dir)
    if runs:
        warn(fault for run in runs[:top] for fault in run.faults)
        render.runs_table(runs[:top])
        if len(runs) > top:
            typer.echo(f"… and {counted(len(runs) - top, 'older run')}: --top {len(runs)}")
    else:
        typer.echo(f"no runs in {log_dir}; make one:")
        typer.echo("  backproplab config init config.yaml")
        typer.echo("  backproplab train config.yaml")
