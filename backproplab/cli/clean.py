"""backproplab clean: the clean state of the course: no TensorBoard of ours, no logs of ours."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir


def command(
    log_dir: LogDir = RUNS,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would go.")] = False,
    keep: Annotated[int, typer.Option(help="Number of newest sessions to keep.")] = 0,
) -> None:
    """Reset to a clean state: stop our TensorBoard, delete our log directories.

    Only directories with our mark go; a link is never followed, a foreign file never touched.
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
        typer.echo("not done: no terminal to ask on; say --yes", err=True)
        raise typer.Exit(1)
    if not yes and not typer.confirm("Delete them?"):
        raise typer.Exit(1)
    render.cleaned(runs.clean(plan))
