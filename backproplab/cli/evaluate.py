"""backproplab evaluate: how good a trained run is on other data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from backproplab.cli.drawings import ThemeName
from backproplab.cli.evaluation_figures import (
    figures_folder,
    grouped,
    judged,
    show_coefficients,
    write_figures,
)
from backproplab.cli.options import RUNS, LogDir, Weights
from backproplab.cli.piped import piped

if TYPE_CHECKING:
    from backproplab.assessing import Sample
    from backproplab.experiment import Model
    from backproplab.measures import Row

SHOWN = 12  # classes of a confusion matrix


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ] = "latest",
    data: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|-]", help="A table with targets, - for stdin; by default the run's own."
        ),
    ] = None,
    attack: Annotated[
        str | None,
        typer.Option(metavar="fgsm:EPSILON", help="Also on inputs that are moved to be worst."),
    ] = None,
    figures: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write confusion matrix, ROC, residuals and the like."),
    ] = None,
    by: Annotated[
        str, typer.Option(metavar="COLUMN", help="Also for each value of a column of the table.")
    ] = "",
    coefficients: Annotated[
        bool, typer.Option("--coefficients", help="Of a linear regression, and least squares.")
    ] = False,
    theme: ThemeName = "light",
    weights: Weights = "best",
    as_json: Annotated[bool, typer.Option("--json", help="For scripts.")] = False,
    log_dir: LogDir = RUNS,
) -> None:
    """Measure a trained run on a table with targets, or on each split of its own data.

    Metrics are in the units of the target; the loss is the one that was trained with. --attack
    fgsm:0.1 moves each input by 0.1 in the direction of the sign of its loss's slope. --figures
    and --by are of the table, else of the run's test split, its validation split or what it has.
    """
    import json

    from backproplab.assessing import Coefficients
    from backproplab.experiment import model
    from backproplab.runs import find_run

    folder = figures_folder(figures, theme)
    used = model(find_run(log_dir, run).folder, weights)
    table = None
    if data is not None:
        with piped(data) as file:
            table = used.intake.opened(file)
    found = used.evaluate(table, _epsilon(attack))
    sample = judged(used, table) if by or folder or table is not None else None
    groups = grouped(sample, by) if sample and by else None
    line = Coefficients.of(used) if coefficients else None
    written = write_figures(folder, sample, by, theme) if sample and folder else []
    if as_json:
        rows = {name: {"rows": count, **row} for name, (count, row) in found.items()}
        parts = {part.name: part.tree() for part in (groups, line) if part}
        typer.echo(json.dumps({"weights": used.weights, **rows, **parts}, indent=2))
    else:
        _show(found)
        if groups:
            _show(groups.found, by)
        if line:
            show_coefficients(line)
        if table is not None:
            _of_new_data(used, table, sample)
    if written:
        typer.echo(f"wrote {figures}: {', '.join(written)}", err=True)


def _of_new_data(used: Model, table: Any, sample: Sample | None) -> None:
    """The confusion matrix of what training has not seen, and what is to be known of it."""
    if sample and used.classes:
        _confusion(sample)
    for remark in used.intake.remarks(table):
        typer.echo(f"{'note':<8}{remark}", err=True)


def _epsilon(attack: str | None) -> float | None:
    """How far the attack moves each input."""
    from backproplab.errors import ConfigError, Problem

    if attack is None:
        return None
    name, _, text = attack.partition(":")
    try:
        epsilon = float(text)
    except ValueError:
        epsilon = -1.0
    if name != "fgsm" or not 0 <= epsilon < float("inf"):
        hint = "valid: fgsm:EPSILON, such as fgsm:0.1"
        raise ConfigError(Problem(f"--attack {attack}", "no such attack", hint))
    return epsilon


def _show(found: Mapping[str, tuple[int, Row]], by: str = "") -> None:
    """A row for each split, or for each value of a column."""
    from backproplab.cli.printing import lines, printable, table
    from backproplab.layout import Column

    if by:
        lines([""])
    head = by or ("split" if len(found) > 1 else "")
    names = list(next(iter(found.values()))[1])
    counts = [f"{count:,}" for count, _ in found.values()]
    cells = {name: [f"{row[name]:.4g}" for _, row in found.values()] for name in names}
    table([
        Column(head, list(map(printable, found)), is_name=True),
        Column("rows", counts, right=True),
        *(Column(name, texts, right=True) for name, texts in cells.items()),
    ])  # fmt: skip


def _confusion(sample: Sample) -> None:
    """How many rows of each class were taken for which."""
    import numpy as np

    from backproplab.assessing.classes import Confusion
    from backproplab.cli.printing import lines, printable, table
    from backproplab.layout import Column

    counts = Confusion.of(sample).counts
    right, of = np.diag(counts), counts.sum(axis=1)
    shares = [f"{r / n:.1%}" if n else "-" for r, n in zip(right, of, strict=True)]
    names = [printable(name) for name in sample.classes]
    lines([""])
    matrix = [Column(f"as {n}", [f"{x:,}" for x in counts[:, i]], right=True, rank=1)
              for i, n in enumerate(names)]  # fmt: skip
    table([
        Column("class", names, is_name=True),
        Column("rows", [f"{n:,}" for n in of], right=True),
        Column("right", shares, right=True),
        *(matrix if len(names) <= SHOWN else ()),
    ])  # fmt: skip
