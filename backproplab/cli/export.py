"""backproplab export: every metric of runs as CSV, or the model of one run as a file."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.compare import Selectors, warn
from backproplab.cli.options import RUNS, LogDir, Weights, check_free

if TYPE_CHECKING:
    from backproplab.experiment import Model


def command(
    runs: Selectors = None,
    file: Annotated[
        str, typer.Option("--csv", metavar="FILE|-", help="The file to write; - for stdout.")
    ] = "-",
    numpy: Annotated[
        Path | None,
        typer.Option("--numpy", metavar="FILE.py", help="Write the model of one run instead."),
    ] = None,
    onnx: Annotated[
        Path | None,
        typer.Option("--onnx", metavar="FILE.onnx", help="The same as ONNX, the columns inside."),
    ] = None,
    weights: Weights = "best",
    log_dir: LogDir = RUNS,
) -> None:
    """Write every metric of every epoch as one long table, with the keys that differ as columns.

    With --numpy one Python file that predicts as the run does, prepares data as it does, and needs
    NumPy alone; with --onnx the same for any ONNX runtime, checked with onnxruntime.
    """
    if numpy or onnx:
        used = _model(runs or ["latest"], weights, log_dir)
        if numpy:
            _write_numpy(used, numpy)
        if onnx:
            _write_onnx(used, onnx)
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


def _model(words: list[str], weights: Weights, log_dir: Path) -> Model:
    from backproplab.errors import ConfigError, Problem
    from backproplab.experiment import model
    from backproplab.runs import find_run

    if len(words) != 1:
        what = "a file holds the model of one run"
        raise ConfigError(Problem("--numpy, --onnx", what, "name one run"))
    return model(find_run(log_dir, words[0]).folder, weights)


def _write_numpy(used: Model, path: Path) -> None:
    from backproplab.exporting import is_numpy_file, numpy_file
    from backproplab.files import write_atomic

    check_free(path, "model", "--numpy", is_numpy_file)
    text = numpy_file(used)
    write_atomic(path, text)
    typer.echo(f"the {used.weights} weights of {used.folder} in {path}, {len(text):,} bytes")


def _write_onnx(used: Model, path: Path) -> None:
    from backproplab.exporting import is_onnx_file, onnx_file
    from backproplab.files import write_atomic

    check_free(path, "model", "--onnx", is_onnx_file)
    content, difference = onnx_file(used)
    write_atomic(path, content)
    typer.echo(f"the {used.weights} weights of {used.folder} in {path}, {len(content):,} bytes")
    typer.echo(f"onnxruntime gives what the run gives, to {difference:.1e}")
