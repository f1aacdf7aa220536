"""backproplab export: every metric of runs as CSV, or the model of one run as a Python file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.compare import Selectors, warn
from backproplab.cli.options import RUNS, LogDir, Weights, check_free


def command(
    runs: Selectors = None,
    file: Annotated[
        str, typer.Option("--csv", metavar="FILE|-", help="The file to write; - for stdout.")
    ] = "-",
    numpy: Annotated[
        Path | None,
        typer.Option("--numpy", metavar="FILE.py", help="Write the model of one run instead."),
    ] = None,
    weights: Weights = "best",
    log_dir: LogDir = RUNS,
) -> None:
    """Write every metric of every epoch as one long table, with the keys that differ as columns.

    With --numpy one Python file that predicts as the run does, prepares data as it does, and needs
    NumPy alone.
    """
    if numpy:
        _write_model(numpy, runs or ["latest"], weights, log_dir)
        return
    from backproplab import report
    from backproplab.errors import DamageError
    from backproplab.files import write_atomic

    path = None if file == "-" else Path(file)
    if path:
        check_free(path, "export", "--csv", _is_export)
    records, warnings = report.read_records(report.chosen_runs(log_dir, runs or ()))
    text, more = report.long_table(report.compare(records))
    if more and text.count("\n") == 1:
        raise DamageError("\n".join(more))
    warn([*warnings, *more])
    if path is None:
        typer.echo(text, nl=False)
        return
    write_atomic(path, text)
    typer.echo(f"{text.count(chr(10)) - 1:,} rows in {path}")


def _is_export(content: bytes) -> bool:
    from backproplab.report.series import is_long_table

    first = content[: 2**16].partition(b"\n")[0].decode(errors="replace")
    return is_long_table(next(csv.reader([first]), []))


def _write_model(path: Path, words: list[str], weights: Weights, log_dir: Path) -> None:
    from backproplab.errors import ConfigError, Problem
    from backproplab.experiment import model
    from backproplab.exporting import is_numpy_file, numpy_file
    from backproplab.files import write_atomic
    from backproplab.runs import find_run

    if len(words) != 1:
        raise ConfigError(Problem("--numpy", "a file holds the model of one run", "name one run"))
    check_free(path, "model", "--numpy", is_numpy_file)
    used = model(find_run(log_dir, words[0]).folder, weights)
    text = numpy_file(used)
    write_atomic(path, text)
    typer.echo(f"the {used.weights} weights of {used.folder} in {path}, {len(text):,} bytes")
