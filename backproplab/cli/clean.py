"""backproplab clean: stop our TensorBoard and delete our log directories, as in the course."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir


def command(
    log_dir: LogDir = RUNS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted.")] = False,
    keep: Annotated[int, typer.Option(help="Number of newest sessions to keep.")] = 0,
) -> None:
    """Stop our TensorBoard and delete our log directories.

    Only directories with our marker are deleted. Links are not followed; other files are kept.
    """
    from backproplab import runs
    from backproplab.cli import render

    plan = runs.plan_cleaning(log_dir, keep)
    render.cleaning(plan)
    if not plan.doomed and not plan.boards:
        return
    if dry_run:
        typer.echo("dry run: nothing was deleted or stopped")
        return
    if not yes and not sys.stdin.isatty():
        typer.echo("not done: no terminal to ask on; use --yes", err=True)
        raise typer.Exit(1)
    if not yes and not typer.confirm("Delete them?"):
        raise typer.Exit(1)
    render.cleaned(runs.clean(plan))
