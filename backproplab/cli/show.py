"""backproplab show: one run, whole."""

from __future__ import annotations

from pathlib import Path
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
    """Show one run: how it ended, what it measured, where its config is no default.

    What can be read is shown; exits with 5 if a file of the run is damaged.
    """
    from backproplab.cli import render
    from backproplab.config.yaml_source import parse_yaml
    from backproplab.errors import ConfigError, DamageError
    from backproplab.files import DiskFolder
    from backproplab.runs import find_run, read_metrics
    from backproplab.runs.run_folder import CONFIG, RunFolder
    from backproplab.text import typed

    found = find_run(log_dir, run)
    faults = list(found.faults)
    rows: list[dict[str, str]] = []
    config = ""
    settings: list[tuple[str, str]] = []
    try:
        rows = read_metrics(found.folder, bool(found.metrics))
    except DamageError as error:
        faults.append(str(error))
    try:
        config = RunFolder(DiskFolder(found.folder)).config
        if not parse_yaml(config, str(found.folder / CONFIG)).tree:
            faults.append(f"{found.folder / CONFIG}: damaged: it has no keys")
        settings = [] if whole else _differing(found.folder / CONFIG)
    except (DamageError, ConfigError) as error:
        faults.append(str(error))
    more = typed("backproplab", "show", found.folder, "--config") if settings else ""
    render.run_details(found, rows, "" if settings else config, settings, more)
    if faults:
        raise DamageError("\n".join(dict.fromkeys(faults)))


def _differing(config: Path) -> list[tuple[str, str]]:
    """The settings of the config that are not the defaults; empty if it is none of this version."""
    from backproplab.errors import ConfigError
    from backproplab.experiment.defaults import differing

    try:
        return differing(config)
    except ConfigError:
        return []
