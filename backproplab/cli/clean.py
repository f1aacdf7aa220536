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
    """Delete our log directories, and stop the TensorBoards that show exactly this one.

    Only what a run or a sweep has written into a directory with our marker is deleted. Your own
    files in it are kept and named; links are not followed. A TensorBoard that you started by hand
    on this log directory is stopped, too; nobody else's, and none of another directory.
    Exits with 6 if something cannot be deleted or stopped; it keeps its name then.
    """
    from backproplab import runs
    from backproplab.cli import render
    from backproplab.cli.standard_streams import shown
    from backproplab.errors import MachineError

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
    outcome = runs.clean(plan)
    with shown():
        render.cleaned(outcome)
    if failed := [left for left in outcome.left if left.failed]:
        raise MachineError("\n".join(f"{left.name}: {left.reason}" for left in failed))
