"""backproplab tensorboard: the one TensorBoard of our log root, and a link that opens well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir

# TensorBoard 2.21 starts with all runs unticked if there are more: in Time Series, in other tabs
TIME_SERIES, OTHER_TABS = 500, 40


def command(
    place: Annotated[
        Path | None,
        typer.Argument(
            metavar="[LOGDIR]",
            help="A log directory, or one session in it.",
            show_default="the log directory",
        ),
    ] = None,
    log_dir: LogDir = RUNS,
    port: Annotated[
        int | None, typer.Option(help="The port; a free one from 6006 on if not given.")
    ] = None,
    open_browser: Annotated[bool, typer.Option("--open", help="Open it in the browser.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Stop it; the logs stay.")] = False,
) -> None:
    """Show the logs in TensorBoard on 127.0.0.1: start it, or find the one that runs."""
    from backproplab import runs
    from backproplab.text import typed

    root, session = _root_and_session(place or log_dir)
    if stop:
        return _stop(root)
    has_events = _has_events(root)
    running = runs.find(root)
    board = running or runs.start(root, port)
    if port not in (None, board.port):
        board = runs.start(root, port)  # says which port it runs on
    link = runs.url(board, session)
    word = "runs already" if running else "started"
    typer.echo(f"TensorBoard {word}: pid {board.pid}, port {board.port}, logs {root}")
    typer.echo(link)
    if not has_events:
        typer.echo("there are no runs yet: they appear once they are trained")
    if advice := _advice(root):
        typer.echo(advice)
    typer.echo(f"stop it with: {typed('backproplab', 'tensorboard', root, '--stop')}")
    if open_browser:
        typer.launch(link)


def _has_events(root: Path) -> bool:
    """Whether there is anything to show. Raises RunError if the directory is not ours, either."""
    from backproplab.errors import RunError
    from backproplab.runs.folders import is_marked

    if next(root.rglob("events.out.tfevents.*"), None):
        return True
    if not is_marked(root):
        raise RunError(f"{root}: there are no runs to show — train one, or give another directory")
    return False


def _advice(root: Path) -> str:
    """What to do where nothing is shown from the start; a run's train and validation are two."""
    amount = len({event.parent for event in root.glob("*/*/*/events.out.tfevents.*")})
    if amount <= OTHER_TABS:
        return ""
    many = amount > TIME_SERIES
    where, advice = ("", ": tick the box above the list") if many else ("outside Time Series ", "")
    count = f"{amount:,} runs, train and validation apart"
    return f"{count}: {where}TensorBoard starts with all of them unticked{advice}"


def _stop(root: Path) -> None:
    from backproplab import runs

    boards = runs.find_all(root)
    for board in boards:
        gone = runs.stop(board)
        typer.echo(f"{'stopped' if gone else 'still ending:'} TensorBoard pid {board.pid}")
    if not boards:
        typer.echo(f"no TensorBoard shows {root}")


def _root_and_session(place: Path) -> tuple[Path, str]:
    """A session stands for its log root, with only its own runs shown."""
    from backproplab.errors import RunError
    from backproplab.runs.folders import read_marker

    if not place.is_dir():
        raise RunError(f"{place} is no log directory; train first, or give the right one")
    return (place.parent, place.name) if read_marker(place) else (place, "")
