"""backproplab runs: the list of what was trained."""

from __future__ import annotations

import typer

from backproplab.cli.options import RUNS, LogDir


def command(log_dir: LogDir = RUNS) -> None:
    """List the runs, newest first."""
    from backproplab.cli import render
    from backproplab.runs import list_runs

    runs = list_runs(log_dir)
    if runs:
        render.runs_table(runs)
    else:
        typer.echo(f"no runs in {log_dir}; make one:")
        typer.echo("  backproplab config init config.yaml")
        typer.echo("  backproplab train config.yaml")
