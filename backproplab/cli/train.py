"""backproplab train: configs in, trained networks and their logs out."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.options import RUNS, Force, Imports, LogDir, Style, importing

if TYPE_CHECKING:
    from backproplab.config import Experiment
    from backproplab.experiment import Parts, Result
    from backproplab.ranks import Ranks

    Planned = tuple[str, Experiment | Parts]  # the command that trains it alone, and itself


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
    imports: Imports = None,
    log_dir: LogDir = RUNS,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check all, train nothing.")] = False,
    print_config: Annotated[
        bool, typer.Option("--print-config", help="Print the resolved config and end.")
    ] = False,
    force: Force = False,
    progress: Annotated[Style, typer.Option(help="How to show progress.")] = "auto",
) -> None:
    """Train the experiments of one or more configs into one new log directory.

    Overrides hold for every config. A run is named as its config says, or as its file is called.
    """
    from backproplab import config
    from backproplab.cli.launched import launched

    files, overrides = _split(words)
    overrides += importing(imports)
    quoted = None if name is None else "'" + name.replace("'", "''") + "'"
    given = {"name": quoted, "seed": seed, "epochs": epochs}
    overrides += [f"{key}={value}" for key, value in given.items() if value is not None]
    if print_config:
        resolved = [config.to_yaml(config.load(file, *overrides)) for file in files]
        typer.echo("---\n".join(resolved), nl=False)
        return
    ranks = launched()
    with ranks.together():
        experiments = _read_all(files, overrides, log_dir, force, ranks)
        if dry_run:
            typer.echo("dry run: everything fits; nothing was trained or written")
        else:
            _train(experiments, log_dir, progress, ranks)


def _train(planned: dict[str, Planned], log_dir: Path, progress: Style, ranks: Ranks) -> None:
    """One after the other, in a new session; then the summary, and how it ended."""
    from backproplab import runs
    from backproplab.cli.endings import conclude
    from backproplab.config import Experiment
    from backproplab.experiment import run
    from backproplab.loop.progress import progress as shown
    from backproplab.report.hparams import hparams_of

    commands = {name: command for name, (command, _) in planned.items()}
    several = {name: x for name, (_, x) in planned.items() if isinstance(x, Experiment)}
    session = ranks.first(lambda: runs.create_session(runs.open_log_root(log_dir), commands))
    typer.echo(f"{'logs':<8}{session}\n", err=True)
    rows = hparams_of(several, session.name)
    results: list[Result] = []
    with nullcontext() if ranks.rank else runs.lock_session(session):
        for name, (_, experiment) in planned.items():
            folder, displays = runs.experiment_folder(session, name), [shown(progress, name)]
            ended = run(experiment, folder, (), displays, rows.get(name), ranks)
            results.append(ended)
            if ended.signal:
                break
    if ranks.rank == 0:
        conclude(results, session, log_dir)


def _split(words: list[str]) -> tuple[list[Path], list[str]]:
    """``key.path=…`` overrides, and so does a word with ``=`` that is no file; files the rest."""
    files, overrides = [], []
    for word in words:
        key, equals, _ = word.partition("=")
        plain = re.fullmatch(r"[A-Za-z_][\w.]*[+]?|", key)
        if equals and (plain or not Path(word).is_file()):
            overrides.append(word)
        else:
            files.append(Path(word))
    return files, overrides


def _read_all(
    files: list[Path], overrides: list[str], log_dir: Path, force: bool, ranks: Ranks
) -> dict[str, Planned]:
    """Every experiment by its name, checked down to its data; all problems are reported together.

    A single one comes built, so that its data are not loaded twice.
    """
    from backproplab.cli import render
    from backproplab.config import located
    from backproplab.config.overrides import retyped
    from backproplab.errors import ConfigError, Problem
    from backproplab.experiment.cautions import cautions
    from backproplab.experiment.reading import Findings, read_parts
    from backproplab.runs.run_folder import is_of_run
    from backproplab.text import launcher, typed

    if not files:
        raise ConfigError("no config given: backproplab train CONFIG.yaml [KEY=VALUE]...")
    findings = Findings()
    found: dict[str, Planned] = {}
    for file in files:
        read = read_parts(file, overrides, findings, ranks=ranks)
        if read is None:
            continue
        parts, document = read
        experiment = parts.experiment
        render.header(parts, located(ConfigError(*cautions(parts)), document).problems)
        forced = force or is_of_run(file)  # which was forced when it began
        excess = [] if forced else experiment.learner.excess(parts.material)
        findings.problems += located(ConfigError(*excess), document).problems
        if experiment.name in found:
            what = f"two experiments are named '{experiment.name}'"
            hint = "give each config its own 'name'"
            findings.problems.append(Problem(document.name, what, hint))
        words: list[str | Path] = [file, *retyped(document, overrides), "--log-dir", log_dir]
        command = typed(*launcher(ranks.size), "backproplab", "train", *words)
        found[experiment.name] = command, parts if len(files) == 1 else experiment
    findings.check()
    return found
