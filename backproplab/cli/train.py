"""backproplab train: configs in, trained networks and their logs out."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backproplab.cli.options import RUNS, LogDir

if TYPE_CHECKING:
    from backproplab.config import Experiment


def command(
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="CONFIG|KEY=VALUE",
            help="YAML files, then values that override theirs: learning_rate=0.1 "
            "model.hidden=[64,32]",
            show_default=False,
        ),
    ],
    name: Annotated[str | None, typer.Option(help="Name the experiment.")] = None,
    seed: Annotated[int | None, typer.Option(help="Override the seed.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Override the epochs.")] = None,
    log_dir: LogDir = RUNS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, train nothing.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved config and end.")
    ] = False,
    progress: Annotated[
        Literal["auto", "bar", "line", "none"], typer.Option(help="How to show progress.")
    ] = "auto",
) -> None:
    """Train the experiments of one or more configs into one new log directory.

    Overrides hold for every config. A run is named as its config says, or as its file is called.
    """
    from backproplab import config
    from backproplab.cli import render
    from backproplab.errors import ConfigError, DivergedError, StoppedError

    files, overrides = _split(words)
    quoted = None if name is None else "'" + name.replace("'", "''") + "'"
    given = {"name": quoted, "seed": seed, "epochs": epochs}
    overrides += [f"{key}={value}" for key, value in given.items() if value is not None]
    if print_config:
        resolved = [config.to_yaml(config.load(file, *overrides)) for file in files]
        typer.echo("---\n".join(resolved), nl=False)
        return
    experiments = _read_all(files, overrides)
    twice = [n for n, count in Counter(e.name for e in experiments).items() if count > 1]
    if twice:
        raise ConfigError(
            f"two experiments are named '{twice[0]}'; give each config its own 'name'"
        )
    if dry_run:
        typer.echo("dry run: everything fits; nothing was trained or written")
        return

    from backproplab import runs
    from backproplab.experiment import run
    from backproplab.train.progress import progress as shown

    session = runs.create_session(runs.open_log_root(log_dir))
    results = []
    with runs.lock_session(session):
        for experiment in experiments:
            folder = runs.experiment_folder(session, experiment.name)
            results.append(run(experiment, folder, [shown(progress, experiment.name)]))
            if results[-1].state.signal:
                break
    render.summary(results, session, log_dir)
    signal = results[-1].state.signal
    if signal and (results[-1].status == "interrupted" or len(results) < len(experiments)):
        rest = ", ".join(experiment.name for experiment in experiments[len(results) :])
        untrained = f"; not trained: {rest}" if rest else ""
        raise StoppedError(f"stopped; the weights so far are saved{untrained}", signal)
    diverged = [f"{r.folder.name}: {r.message}" for r in results if r.status == "diverged"]
    if diverged:
        raise DivergedError("\n".join(diverged))


def _split(words: list[str]) -> tuple[list[Path], list[str]]:
    """``key.path=…`` overrides, and so does a word with ``=`` that is no file; files the rest."""
    files, overrides = [], []
    for word in words:
        key, equals, _ = word.partition("=")
        plain = re.fullmatch(r"[A-Za-z_][\w.]*|", key)
        if equals and (plain or not Path(word).is_file()):
            overrides.append(word)
        else:
            files.append(Path(word))
    return files, overrides


def _read_all(files: list[Path], overrides: list[str]) -> list[Experiment]:
    """Every experiment, checked down to its data; the problems of all files are told at once."""
    from backproplab import config
    from backproplab.cli import render
    from backproplab.errors import ConfigError, Problem
    from backproplab.experiment import build

    if not files:
        raise ConfigError("no config given: backproplab train CONFIG.yaml [KEY=VALUE]...")
    problems: list[Problem] = []
    experiments = []
    for file in files:
        try:
            experiment, document = config.read(file, *overrides)
        except ConfigError as error:
            problems += error.problems
            continue
        experiments.append((experiment, document))
    if problems:
        raise ConfigError(*problems)
    for experiment, document in experiments:
        try:
            render.header(build(experiment))
        except ConfigError as error:
            problems += config.located(error, document).problems
    if problems:
        raise ConfigError(*problems)
    return [experiment for experiment, _ in experiments]
