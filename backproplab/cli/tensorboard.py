"""backproplab tensorboard: the TensorBoard of a log root, a session or some runs, and its link."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir

# TensorBoard 2.21 starts with all runs unticked if there are more: in Time Series, in other tabs
TIME_SERIES, OTHER_TABS = 500, 40
EVENTS = "events.out.tfevents.*"
SHOWN = 3  # places that are named


def command(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[SESSION|RUN]...",
            help="Show just these; a run as for show: a name, a number, latest, a path.",
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
    """Show the logs in TensorBoard on 127.0.0.1: start it, or find the one that runs.

    One session, or one log directory, is TensorBoard's log directory itself; several, or runs, are
    links to them in a folder of their own. --stop alone stops all that show this log directory,
    its sessions or its runs.
    """
    places = [_place(word, log_dir) for word in words or ()] or [_directory(log_dir)]
    if stop:
        return _stop(_root(places), inside=not words)
    _check(places)
    link = _served(places, port)
    if open_browser:
        typer.launch(link)


def _served(places: list[Path], port: int | None) -> str:
    """Find or start the TensorBoard of these places, and describe it; its link."""
    from backproplab import runs
    from backproplab.runs.link import EVERY, listed
    from backproplab.text import typed

    root = _root(places)
    running = runs.find(root)
    board = running or runs.start(root, port)
    if port not in (None, board.port):
        board = runs.start(root, port)  # says which port it runs on
    word = "runs already" if running else "started"
    what = ", ".join(map(str, places[:SHOWN])) + (", …" if len(places) > SHOWN else "")
    typer.echo(f"TensorBoard {word}: pid {board.pid}, port {board.port}, logs {what}")
    typer.echo(link := runs.url(board))
    folders = _event_folders(places)
    if not folders:
        typer.echo("there are no runs yet: they appear once they are trained")
    if advice := _advice(len(folders)):
        typer.echo(advice)
    if listed(root) != EVERY:
        typer.echo(
            "the link lists the newest session only: clear the filter above the list for all"
        )
    typer.echo(f"stop it with: {typed('backproplab', 'tensorboard', *places, '--stop')}")
    return link


def _directory(path: Path) -> Path:
    from backproplab.errors import RunError

    if not path.is_dir():
        raise RunError(f"{path} is no log directory; train first, or give the right one")
    return path.resolve()


def _place(word: str, log_dir: Path) -> Path:
    """A directory, or the session or the run that is called so in the log directory."""
    from backproplab import runs
    from backproplab.runs.folders import read_marker

    if Path(word).is_dir():
        return Path(word).resolve()
    if read_marker(log_dir / word):
        return (log_dir / word).resolve()
    return runs.find_run(log_dir, word).folder.resolve()


def _root(places: list[Path]) -> Path:
    """TensorBoard's log directory: the one session or log root, or links to what is shown."""
    from backproplab import runs
    from backproplab.runs.run_folder import RECORD

    alone = len(places) == 1 and not (places[0] / RECORD).is_file()
    return places[0] if alone else runs.linked(places)


def _check(places: list[Path]) -> None:
    """Raise RunError for a directory that is not ours and holds nothing to show."""
    from backproplab.errors import RunError
    from backproplab.runs.folders import is_marked

    for place in places:
        if not (is_marked(place) or next(place.rglob(EVENTS), None)):
            what = "there are no runs to show — train one, or give another directory"
            raise RunError(f"{place}: {what}")


def _event_folders(places: list[Path]) -> set[Path]:
    """The runs as TensorBoard counts them."""
    return {event.parent for place in places for event in place.rglob(EVENTS)}


def _advice(amount: int) -> str:
    """What to do where nothing is shown from the start; a run's train and validation are two."""
    if amount <= OTHER_TABS:
        return ""
    many = amount > TIME_SERIES
    where, advice = ("", ": tick the box above the list") if many else ("outside Time Series ", "")
    count = f"{amount:,} runs, train and validation apart"
    return f"{count}: {where}TensorBoard starts with all of them unticked{advice}"


def _stop(root: Path, inside: bool) -> None:
    """inside: those of sessions and runs, too."""
    from backproplab import runs

    boards = (*runs.find_all(root), *(runs.find_inside(root) if inside else ()))
    for board in boards:
        gone = runs.stop(board)
        typer.echo(f"{'stopped' if gone else 'still ending:'} TensorBoard pid {board.pid}")
    if not boards:
        typer.echo(f"no TensorBoard shows {root}")
