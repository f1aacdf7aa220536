"""backproplab sweep: many experiments from one file, or from a config and comma words."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from backproplab.cli.options import RUNS, Force, Imports, LogDir, importing
from backproplab.signals import too_late

if TYPE_CHECKING:
    from backproplab.sweep.driver import Driver
    from backproplab.sweep.executors import Workers
    from backproplab.sweep.space import Sweep
    from backproplab.sweep.standing import Standing

SHOWN = 20  # trials of a dry run


def command(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE|CONFIG|SESSION", help="A sweep file, a config, or a sweep's logs."
        ),
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[KEY=V1,V2]...", help="Values to sweep, or one to set."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(min=1, help="Runs a trial, by seed.")] = None,
    baselines: Annotated[
        str | None,
        typer.Option(help="Compare with: majority,linear,random_forest,gradient_boosting."),
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate: a run for each fold as test split.")
    ] = None,
    max_trials: Annotated[int | None, typer.Option(min=1, help="Refuse more trials.")] = None,
    imports: Imports = None,
    yes: Annotated[bool, typer.Option("--yes", help="Any number of trials is meant.")] = False,
    force: Force = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the trials, run none.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Run what is missing of it.")] = False,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End at a failed run.")] = False,
    jobs: Annotated[
        int | None,
        typer.Option("-j", "--jobs", min=1, help="Runs at a time.", show_default="cores"),
    ] = None,
    executor: Annotated[
        str, typer.Option(metavar="local|dask:ADDRESS|mpi", help="Who runs them.")
    ] = "local",
    lockstep: Annotated[
        Literal["auto", "off"] | None,
        typer.Option(help="Train runs of one shape together.", show_default="auto"),
    ] = None,
    log_dir: LogDir = RUNS,
    progress: Annotated[
        Literal["auto", "bar", "line", "none"], typer.Option(help="How to show progress.")
    ] = "auto",
) -> None:
    """Run the trials of a sweep, each with every seed and fold, into one new log directory.

    \b
    backproplab sweep configs/hw3/optimizers_digits.yaml
    backproplab sweep configs/exp1.yaml learning_rate=0.3,0.1 model.hidden=[32],[64,32] --seeds 5
    """
    from contextlib import nullcontext

    from backproplab.sweep.executors import open_executor

    where = _workers(executor, jobs)
    here = where.startswith("local") and not dry_run
    # before anything that takes time to import: its processes import the same meanwhile
    with open_executor(where, ahead=True) if here else nullcontext() as local:
        from backproplab.sweep.space import read
        from backproplab.sweep.words import session_at

        session = session_at(path, log_dir)
        if session and resume:
            log_dir = session.parent  # whatever --log-dir says: this one is meant
        named = baselines.split(",") if baselines else None
        runs = {"seeds": seeds, "folds": folds, "baselines": named}
        settings = {**runs, "max_trials": max_trials, "lockstep": lockstep}
        words = [*(words or []), *importing(imports)]
        sweep = read(session or path, words, settings, yes, force)
        for note in (*sweep.duplicates, *(f"caution: {caution}" for caution in sweep.cautions)):
            typer.echo(f"backproplab: {note}", err=True)
        if dry_run:
            _list(sweep)
            return
        again = (resume and session) or resume
        with nullcontext(local) if local else open_executor(where) as workers:
            driver = _run(sweep, workers, where, log_dir, again, fail_fast, progress)
    driver.raise_errors()


def _workers(executor: str, jobs: int | None) -> str:
    """The executor with its number of jobs."""
    from backproplab.errors import ConfigError, Problem

    if jobs and executor != "local":
        hint = f"leave it out, or write --executor local:{jobs}"
        raise ConfigError(Problem(f"--jobs {jobs}", "goes with local workers only", hint))
    return f"local:{jobs}" if jobs else executor


def _list(sweep: Sweep) -> None:
    from backproplab.cli.printing import sentence, table
    from backproplab.layout import Column
    from backproplab.report.asked import asked
    from backproplab.text import counted

    for key, text in asked(sweep.tree).items():
        sentence(f"{key}: {text}")
    shown = sweep.trials[:SHOWN]
    numbers, labels = [str(trial.number) for trial in shown], [trial.label for trial in shown]
    table([Column("#", numbers, right=True), Column("trial", labels, is_name=True)])
    if len(sweep.trials) > SHOWN:
        typer.echo(f"…  {len(sweep.trials) - SHOWN} more")
    number = sweep.search.num_trials or 0 if sweep.search else len(sweep.trials)
    each = [counted(number, "trial"), counted(len(sweep.seeds), "seed")]
    each += [counted(sweep.folds, "fold")] if sweep.folds else []
    typer.echo(f"{', '.join(each)}: {counted(number * len(sweep.repeats), 'run')}")


def _run(
    sweep: Sweep,
    workers: Workers,
    where: str,
    log_dir: Path,
    resume: bool | Path,
    fail_fast: bool,
    progress: str,
) -> Driver:
    """Hand out the runs; whatever happens, the table is printed."""
    from contextlib import suppress

    from backproplab.cli.standard_streams import shown
    from backproplab.errors import BackpropLabError
    from backproplab.sweep.library import opened

    with opened(sweep, log_dir, workers, resume) as driver:
        driver.fail_fast = fail_fast
        try:
            _follow(driver, f"{sweep.name}  {_size(sweep, driver)} · {workers.name}", progress)
        except BaseException:
            with shown(), suppress(BackpropLabError):  # the first error is the one that is raised
                _answer(driver, log_dir, where)
            raise
        with shown():
            _answer(driver, log_dir, where)
    return driver


def _size(sweep: Sweep, driver: Driver) -> str:
    """``15 trials × 3 seeds``, ``15 trials × 5 folds``, ``15 trials × 2 seeds × 5 folds``."""
    from backproplab.text import counted

    standing = driver.standing
    trials = counted(standing.total // standing.seeds, "trial")
    folds = sweep.folds or 1
    each = {"seed": standing.seeds // folds, "fold": folds}
    return " × ".join([trials, *(counted(n, word) for word, n in each.items() if n > 1)])


def _follow(driver: Driver, title: str, progress: str) -> None:
    """Drive to the end; on a terminal a live bar, elsewhere a line for each run that ended."""
    import sys

    shown = ("bar" if sys.stderr.isatty() else "line") if progress == "auto" else progress
    if shown == "bar":
        from backproplab.cli.live import sweep_bar

        sweep_bar(driver.run(), title)
        return
    shown_last: tuple[int, list[str]] | None = None
    for standing in driver.run():
        if shown == "line" and (standing.finished, standing.notes) != shown_last:
            shown_last = standing.finished, standing.notes
            typer.echo(f"{title}  {_line(standing)}", err=True)


def _line(standing: Standing) -> str:
    """``12/64 done  2 diverged  best val_loss 0.1234 learning_rate-0.1  3 s left``."""
    from backproplab.status import Status
    from backproplab.text import number

    ended = [f"{n} {status}" for status, n in standing.done.items() if status != Status.COMPLETED]
    words = [f"{standing.finished}/{standing.total} done", *ended, *standing.notes]
    if standing.best:
        words.append(f"best {standing.metric} {number(standing.best[0])} {standing.best[1]}")
    if standing.seconds_left is not None:
        words.append(f"{standing.seconds_left:.0f} s left")
    return "  ".join(words)


@too_late()
def _answer(driver: Driver, log_dir: Path, executor: str) -> None:
    """The ranked table, results.csv, and what to type next."""
    from backproplab.cli import signs
    from backproplab.cli.printing import command, is_drawable, values
    from backproplab.cli.ranking import INDENT, concluded
    from backproplab.runs.results_file import NAME
    from backproplab.status import Status
    from backproplab.sweep.library import conclude
    from backproplab.text import counted, spent, typed

    standing, session = driver.standing, driver.folder.path
    comparison = conclude(session)  # the files first: stdout may fail
    typer.echo()
    ended = {Status(status): n for status, n in standing.done.items()}
    sign = "✓ " if is_drawable("✓") else ""
    done = f"{sign}{ended.pop(Status.COMPLETED, 0):,} of {standing.total:,} runs completed"
    others = [signs.counted(status, n) for status, n in ended.items() if n]
    values("", [done, *others, spent(standing.seconds)])
    for note, runs in standing.warnings.items():
        typer.echo(f"backproplab: note: {counted(len(runs), 'run')}: {note}", err=True)
    if comparison is None:
        return
    concluded(comparison)
    root = ("--log-dir", log_dir)
    if standing.finished < standing.total:
        more = () if executor == "local" else ("--executor", executor)
        again = typed("backproplab", "sweep", session, "--resume", *root, *more)
        command("continue", again, INDENT + 2)
    command("table", str(session / NAME), INDENT)
    command("more", typed("backproplab", "compare", session.name, *root), INDENT)
    command("report", typed("backproplab", "report", session.name, *root), INDENT)
