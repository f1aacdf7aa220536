"""backproplab export: write every metric of the runs as CSV, for another program."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.compare import Selectors, warn
from backproplab.cli.options import RUNS, LogDir, check_free


def command(
    runs: Selectors = None,
    file: Annotated[
        str, typer.Option("--csv", metavar="FILE|-", help="The file to write; - for stdout.")
    ] = "-",
    log_dir: LogDir = RUNS,
) -> None:
    """Write every metric of every epoch as one long table, with the keys that differ as columns."""
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
