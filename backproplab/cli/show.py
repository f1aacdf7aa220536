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
    """Show one run: how it ended, what it measured, its config.

    What can be read is shown; exits with 5 if a file of the run is damaged.
    """
    from backproplab.cli import render
    from backproplab.config.yaml_source import parse_yaml
    from backproplab.errors import ConfigError, DamageError
    from backproplab.files import DiskFolder
    from backproplab.runs import find_run, read_metrics
    from backproplab.runs.run_folder import CONFIG, RunFolder

    found = find_run(log_dir, run)
    faults = list(found.faults)
    rows: list[dict[str, str]] = []
    config = ""
    try:
        rows = read_metrics(found.folder, bool(found.metrics))
    except DamageError as error:
        faults.append(str(error))
    try:
        config = RunFolder(DiskFolder(found.folder)).config
        if not parse_yaml(config, str(found.folder / CONFIG)).tree:
            faults.append(f"{found.folder / CONFIG}: damaged: it has no keys")
    except (DamageError, ConfigError) as error:
        faults.append(str(error))
    render.run_details(found, rows, config)
    if faults:
        raise DamageError("\n".join(dict.fromkeys(faults)))
