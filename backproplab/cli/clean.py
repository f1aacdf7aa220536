"""backproplab clean: stop our TensorBoard and delete our log directories, as in the course."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.options import RUNS, LogDir
from backproplab.text import counted

if TYPE_CHECKING:
    from backproplab.runs.cleaning import CleaningOutcome, CleaningPlan

KEPT = 20  # files that are named one by one


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
    from backproplab.cli.standard_streams import shown
    from backproplab.errors import MachineError

    plan = runs.plan_cleaning(log_dir, keep)
    _show(plan)
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
        _report(outcome)
    if failed := [left for left in outcome.left if left.failed]:
        raise MachineError("\n".join(f"{left.name}: {left.reason}" for left in failed))


def _show(plan: CleaningPlan) -> None:
    """What a clean would delete and stop, what stays, and why."""
    from backproplab.cli.printing import printable

    runs = sum(item.runs for item in plan.doomed)
    size = _size(sum(item.size for item in plan.doomed))
    if plan.doomed:
        sessions = counted(len(plan.doomed), "session")
        typer.echo(f"to delete in {plan.root}: {sessions}, {counted(runs, 'run')}, {size}")
        for item in plan.doomed:
            what = f"{counted(item.runs, 'run')}, {_size(item.size)}"
            typer.echo(f"  {printable(item.name)}  {what}")
            _show_kept([f"{item.name}/{path}" for path in item.kept])
    for board in plan.boards:
        started = "" if board.ours else ", which was started by hand on this directory"
        typer.echo(f"to stop: TensorBoard pid {board.pid}, port {board.port}{started}")
    for word, items in (("kept", plan.kept), ("kept, in use", plan.active)):
        for item in items:
            typer.echo(f"{word}: {printable(item.name)}")
    for left in plan.foreign:
        typer.echo(f"left alone: {printable(left.name)} ({left.reason})")
    if not plan.doomed and not plan.boards:
        typer.echo(f"nothing of ours to delete or stop in {plan.root}")


def _show_kept(paths: Sequence[str]) -> None:
    """Files that are not ours, in what is deleted."""
    from backproplab.cli.printing import printable

    for path in paths[:KEPT]:
        typer.echo(f"  stays: {printable(path)} (not ours)")
    if len(paths) > KEPT:
        typer.echo(f"  stay: {counted(len(paths) - KEPT, 'more file')} (not ours)")


def _report(outcome: CleaningOutcome) -> None:
    """What a clean did."""
    from backproplab.cli.printing import printable

    for board in outcome.stopped:
        typer.echo(f"stopped TensorBoard pid {board.pid}, port {board.port}")
    typer.echo(f"deleted {counted(len(outcome.deleted), 'session')}")
    _show_kept(outcome.kept)
    for left in outcome.left:
        typer.echo(f"left: {printable(left.name)} ({left.reason})")


def _size(size: float) -> str:
    """Bytes as people read them: 6.2 MB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
