"""backproplab export: every number of the runs, for another program."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.compare import Selectors, warn
from backproplab.cli.options import RUNS, LogDir


def command(
    runs: Selectors = None,
    file: Annotated[
        str, typer.Option("--csv", metavar="FILE|-", help="Where it goes; - is standard output.")
    ] = "-",
    log_dir: LogDir = RUNS,
) -> None:
    """Write every metric of every epoch as one long table, with the keys that differ as columns."""
    from backproplab import report
    from backproplab.files import write_atomic

    path = None if file == "-" else _usable(Path(file))
    records, warnings = report.read_records(report.chosen_runs(log_dir, runs or ()))
    text, more = report.long_table(report.compare(records))
    warn([*warnings, *more])
    if path is None:
        typer.echo(text, nl=False)
        return
    write_atomic(path, text)
    typer.echo(f"{text.count(chr(10)) - 1:,} rows in {path}")


def _usable(path: Path) -> Path:
    """The place of the table, unless something other than an export of ours is there."""
    from backproplab.errors import RefusedError
    from backproplab.report.series import is_long_table

    if path.is_symlink() or path.exists():
        ours = path.is_file() and not path.is_symlink()
        if ours:
            with path.open(encoding="utf-8", errors="replace", newline="") as lines:
                ours = is_long_table(next(csv.reader([lines.readline(2**16)]), []))
        if not ours:
            raise RefusedError(f"{path} exists and is no export of ours — choose another --csv")
    return path
