"""backproplab show: one run, whole."""

from __future__ import annotations

from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ] = "latest",
    log_dir: LogDir = RUNS,
) -> None:
    """Show one run: how it ended, what it measured, its config."""
    from backproplab.cli import render
    from backproplab.runs import find_run, read_metrics

    found = find_run(log_dir, run)
    config = found.folder / "config.yaml"
    text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    render.run_details(found, read_metrics(found.folder), text)
