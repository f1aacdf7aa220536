"""backproplab show: one run, whole."""

from __future__ import annotations

from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from backproplab.cli.options import RUNS, LogDir


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ] = "latest",
    whole: Annotated[
        bool, typer.Option("--config", help="Show all of the config, with the defaults.")
    ] = False,
    log_dir: LogDir = RUNS,
) -> None:
    """Show one run: how it ended, what it measured, where its config is no default."""
    from backproplab.cli import render
    from backproplab.runs import find_run, read_metrics

    found = find_run(log_dir, run)
    config = found.folder / "config.yaml"
    text = config.read_text(encoding="utf-8", errors="replace") if config.is_file() else ""
    rows = read_metrics(found.folder)
    differing = None if whole or not text else _differing(config)
    where = "" if log_dir == RUNS else f" --log-dir {quote(str(log_dir))}"
    more = "" if differing is None else f"backproplab show {quote(run)} --config{where}"
    render.run_details(found, rows, text if differing is None else "", differing or (), more)


def _differing(config: Path) -> list[tuple[str, str]] | None:
    """The settings of the config that are not the defaults; None if it cannot be read."""
    from backproplab.errors import ConfigError
    from backproplab.experiment.defaults import differing

    try:
        return differing(config)
    except ConfigError:
        return None
