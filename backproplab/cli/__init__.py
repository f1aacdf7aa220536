"""The command line: its table of contents, and the one place where an error becomes an exit code.

A command is a file of this folder, imported when it is called for; ``--help`` imports none.
"""

from __future__ import annotations

import os
import sys
import traceback
from importlib import import_module

import typer

from backproplab.cli import standard_streams
from backproplab.errors import BackpropLabError, ConfigError, MachineError, Problem, reason
from backproplab.notes import collected
from backproplab.signals import StopNow, exit_code

CONTENTS = {
    "train": "Train the experiments of one or more configs.",
    "resume": "Continue a run that was stopped, exactly, or with more epochs.",
    "sweep": "Run many experiments: grids, branches, seeds, searches.",
    "evaluate": "Measure a trained run on other data, or again on its own.",
    "predict": "Predict from a table with a trained run.",
    "data": "List the data sets, show what is in a table.",
    "tensorboard": "Show the logs in TensorBoard.",
    "runs": "List the runs, newest first.",
    "show": "Show one run: its config, how it ended, what it measured.",
    "diagnose": "Say what went wrong or well in a run, why, and what to try next.",
    "landscape": "Show the loss around a run's weights, along its path, or towards another run.",
    "compare": "Compare runs: what differed, and which were best.",
    "diff": "Show two runs side by side, and where their metrics part.",
    "export": "Write the metrics of runs as CSV, or the model of one as Python.",
    "report": "Write what runs have shown as one HTML file.",
    "config": "Write, show and describe configs.",
    "explain": "Show the chain rule on a formula, or on one update of a config's network.",
    "descend": "Show gradient descent on a function: its path, how it ended, and why.",
    "check": "Check a config: its layers, its gradients against central differences.",
    "find-lr": "Find a learning rate: a short run with a growing one, and its figure.",
    "clean": "Delete our logs and stop the TensorBoards that show them.",
}
FORMULAS = ("explain", "descend")  # their words may begin with a minus that is no option's
CONFIGS = (".yaml", ".yml")  # of a network or an objective, which has no formula among its words
USAGE = 2  # the exit code of a command line with unknown words
TOGETHER = ("train", "resume")  # what several ranks do together
ALONE = ("sweep", "find-lr")  # what each of several ranks would do for itself
RANKS = "mpiexec -n 3 python -m mpi4py.futures -m backproplab sweep … --executor mpi"
EPILOG = "A run: backproplab train configs/quickstart.yaml learning_rate=0.01"


def main() -> None:
    """The console script. Exit codes: see errors.py."""
    standard_streams.prepare()
    words = [_at_home(word) for word in sys.argv[1:] if word != "--debug"]
    if _command(words) in FORMULAS and not any(word.endswith(CONFIGS) for word in words):
        words = [_as_formula(word) for word in words]
    if directory := os.environ.get("BACKPROPLAB_LOG_DIR"):
        os.environ["BACKPROPLAB_LOG_DIR"] = _at_home(directory)
    debug = len(words) < len(sys.argv) - 1 or bool(os.environ.get("BACKPROPLAB_DEBUG"))
    try:
        _look_for_ranks(words)
        _run(words)
    except SystemExit as end:
        code = end.code
    except BaseException as error:
        if debug:
            traceback.print_exc()
        code = _tell(error)
    with standard_streams.shown():
        pass  # nothing is left for Python to flush, whose errors have other exit codes
    sys.exit(code)


def _at_home(word: str) -> str:
    """A path that begins with ``~`` as the shell would have given it: it leaves ``--out=~/x``."""
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return f"{option}{equals}{os.path.expanduser(value)}"  # noqa: PTH111  # Path's raises


def _as_formula(word: str) -> str:
    """``-x**2`` with a space before it, which keeps it from being read as options."""
    is_option = word in ("-", "-h") or word.startswith("--")
    return f" {word}" if word.startswith("-") and not is_option else word


def _command(words: list[str]) -> str:
    """The first word that is no option; empty if there is none."""
    return next((word for word in words if not word.startswith("-")), "")


def _run(words: list[str]) -> None:
    """Run the command and write out what it has printed. Raises SystemExit.

    Warnings of packages, which would tear a live display, follow at its end.
    """
    with collected() as notes:
        try:
            build(words)(args=words, prog_name="backproplab")
        except SystemExit as end:
            if end.code == USAGE:
                _hint(words)
            if not end.code:
                sys.stdout.flush()
            raise
        finally:
            for note in notes:
                _say(f"note: {note}")


def build(words: list[str]) -> typer.Typer:
    """The app, with the real command that ``words`` call for and the others by name only."""
    asked = os.environ.get("COMP_WORDS", "").split()[1:] or words  # the shell completes a command
    chosen = _command(asked)
    app = typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,  # rich doubles the time of --help
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(epilog=EPILOG)(_root)
    for name, summary in CONTENTS.items():
        if name != chosen:
            app.command(name, help=summary)(_unloaded)
            continue
        module = import_module(f"backproplab.cli.{name.replace('-', '_')}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, help=summary)
        else:
            app.command(name)(module.command)
    return app


def _look_for_ranks(words: list[str]) -> None:
    """Silence all ranks but the first of what they do together.

    Raises ConfigError for a command that each rank of ``mpiexec -n 2`` would do for itself.
    """
    from backproplab.environment import launched_processes, launched_rank

    command = _command(words)
    if command in TOGETHER and launched_rank():
        standard_streams.silence()
    if command not in ALONE or "mpi4py.futures" in sys.orig_argv or {"-h", "--help"} & {*words}:
        return
    if (ranks := launched_processes()) > 1:
        hint = f"for a sweep over ranks: {RANKS}" if command == "sweep" else "start it once, -n 1"
        raise ConfigError(Problem(command, f"{ranks} processes would each do all of it", hint))


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"backproplab {version('backproplab')}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", help="Show the version.", callback=_version, is_eager=True
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Gradient descent and backpropagation experiments, seen in TensorBoard."""


def _unloaded() -> None:
    """A command that was not called for: known by name only."""


def _tell(error: BaseException) -> int:
    """Say on stderr what went wrong, in our words; the exit code."""
    if isinstance(error, StopNow):
        _say("interrupted")
        return exit_code(error.number)
    if isinstance(error, standard_streams.ReaderGone):  # as with | head
        standard_streams.mute()
        return 0
    if isinstance(error, MemoryError):
        error = MachineError("out of memory: make the model, the batch or the data smaller")
    elif isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        error = MachineError(f"{where}{reason(error)}")
    if not isinstance(error, BackpropLabError):
        from backproplab.own_parts import place_of

        place = place_of(error)
        _say(f"{place or 'a bug in backproplab'}: {type(error).__name__}: {error}")
        report = "" if place else ", and please report it"
        _say(f"run it again with --debug for the traceback{report}")
        return 1
    for line in str(error).splitlines():
        _say(line)
    if isinstance(error, ConfigError):
        count = len(error.problems)
        _say(f"{count} problem{'s' if count > 1 else ''}; nothing was written")
    return error.exit_code


def _hint(words: list[str]) -> None:
    """After an error of usage: options that are keys of a config."""
    from backproplab.cli.keys import hints

    for hint in hints(words):
        _say(hint)


def _say(line: str) -> None:
    sys.stderr.write(f"backproplab: {line}\n")
