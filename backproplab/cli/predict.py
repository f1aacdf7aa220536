"""backproplab predict: a trained run and a table in, a table of predictions out."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.options import RUNS, LogDir, Weights, check_free
from backproplab.cli.piped import piped

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from backproplab.arrays import Array
    from backproplab.data import Others
    from backproplab.experiment import Model
    from backproplab.tables import Table

FIRST = "row"  # the first column of what is written


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ],
    data: Annotated[
        Path, typer.Argument(metavar="FILE|-", help="A table like that of the run; - for stdin.")
    ],
    proba: Annotated[
        bool, typer.Option("--proba", help="Write how sure it is of each class, p_<class>.")
    ] = False,
    keep: Annotated[
        bool, typer.Option("--keep", help="Write the columns of the table, too.")
    ] = False,
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE|-", help="Where to; - for stdout.")
    ] = "-",
    weights: Weights = "best",
    log_dir: LogDir = RUNS,
) -> None:
    """Predict a row for each row of the table, which needs no target; columns are known by name.

    Writes CSV: row, the id if the run's data name one, prediction, with --proba p_<class>, and with
    --keep all columns of the table as they were.
    """
    from backproplab.experiment import model
    from backproplab.files import write_atomic
    from backproplab.runs import find_run

    path = None if output == "-" else Path(output)
    if path:
        check_free(path, "predictions", "--output", _is_ours)
    used = model(find_run(log_dir, run).folder, weights)
    with piped(data) as file:
        table = used.intake.opened(file)
    text = _written(used, table, proba, keep)
    for remark in used.intake.remarks(table):
        typer.echo(f"{'note':<8}{remark}", err=True)
    if path is None:
        typer.echo(text, nl=False)
        return
    write_atomic(path, text)
    typer.echo(f"{len(table):,} predictions by the {used.weights} weights in {path}")


def _written(used: Model, table: Table | Array | Others, proba: bool, keep: bool) -> str:
    """The CSV of the predictions."""
    from backproplab.data import Others
    from backproplab.errors import ConfigError, Problem
    from backproplab.tables import Table
    from backproplab.text import csv_cell

    if proba and not used.classes:
        raise ConfigError(
            Problem("--proba", "the run predicts a number, not classes", "leave it out")
        )
    outputs = used.outputs(used.intake.inputs(table))
    columns: dict[str, Sequence[object] | Array] = {FIRST: range(1, len(table) + 1)}
    if isinstance(table, Table) and (name := used.intake.row_name):
        columns[name] = _cells(table, name)
    if isinstance(table, Others):
        columns[table.key] = table.names
    decided = used.decided(outputs)
    if decided.ndim == 1:
        columns["prediction"] = decided.tolist()
    else:
        columns |= {f"prediction_{i + 1}": x.tolist() for i, x in enumerate(decided.T)}
    if proba:
        shares = used.loss.probabilities(outputs).T
        columns |= {f"p_{c}": x.tolist() for c, x in zip(used.classes, shares, strict=True)}
    if keep:
        columns |= _kept(table, columns)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(map(csv_cell, columns))
    writer.writerows(map(csv_cell, row) for row in zip(*columns.values(), strict=True))
    return file.getvalue()


def _cells(table: Table, name: str) -> list[str]:
    """A column as texts."""
    column = table.column(name)
    return ["" if gap else column.text(i) for i, gap in enumerate(column.missing)]


def _kept(table: Table | Array | Others, written: Collection[str]) -> dict[str, list[str]]:
    """The columns of the table that are not written; ConfigError for what is none."""
    from backproplab.errors import ConfigError, Problem
    from backproplab.tables import Table

    if not isinstance(table, Table):
        raise ConfigError(Problem("--keep", "an array has no columns", "leave it out"))
    names = [name for name in table.columns if name not in written]
    return {name: _cells(table, name) for name in names}


def _is_ours(content: bytes) -> bool:
    names = content.partition(b"\n")[0].decode(errors="replace").split(",")
    return names[0] == FIRST and any(name.startswith("prediction") for name in names)
