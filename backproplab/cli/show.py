"""backproplab show: one run, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    from backproplab.runs.folders import read_json
    from backproplab.runs.run_folder import CONFIG, RunFolder
    from backproplab.text import typed

    found = find_run(log_dir, run)
    faults = list(found.faults)
    config = ""
    settings: list[tuple[str, str]] = []
    try:
        read_metrics(found.folder, bool(found.metrics))
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
    same = _same(read_json(found.folder / "run.json"))
    render.run_details(found, "" if settings else config, settings, same, more)
    if faults:
        raise DamageError("\n".join(dict.fromkeys(faults)))


def _differing(config: Path) -> list[tuple[str, str]]:
    """The settings of the config that are not the defaults; empty if it is none of this version."""
    from backproplab.errors import ConfigError, RunError
    from backproplab.experiment.defaults import differing

    try:
        return differing(config)
    except (ConfigError, RunError):  # RunError: a file that it imports has changed
        return []


def _same(record: dict[str, Any]) -> list[str]:
    """``data 710a6866``, ``first weights 8e615cc2``, ``commit 316acfbc, clean``."""
    hashes, git = (x if isinstance(x := record.get(k), dict) else {} for k in ("hashes", "git"))
    named = {"data": hashes.get("data"), "first weights": hashes.get("init")}
    found = [f"{name} {value[:8]}" for name, value in named.items() if isinstance(value, str)]
    commit = git.get("commit")
    state = "with changes" if git.get("dirty") else "clean"
    return [*found, f"commit {commit[:8]}, {state}"] if isinstance(commit, str) else found
