"""backproplab landscape: the loss around a run, along its path, or towards another run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.drawings import Pdf, Png, Svg, ThemeName, checked, image, report, write
from backproplab.cli.options import RUNS, LogDir, Weights

if TYPE_CHECKING:
    from backproplab.landscape import View

CURVE = 40  # cells of a sparkline
INDENT = 11


def command(
    run: Annotated[
        str,
        typer.Argument(help="latest, a number of the list (1 = newest), session/name, or a path."),
    ] = "latest",
    to: Annotated[
        str | None, typer.Option(metavar="RUN", help="The straight line to another run's weights.")
    ] = None,
    path: Annotated[
        bool,
        typer.Option(
            "--path", help="Its path in its own plane: kept by trajectory, or trained again."
        ),
    ] = False,
    points: Annotated[int, typer.Option(help="On each axis of the plane.", min=5, max=201)] = 25,
    reach: Annotated[
        float, typer.Option(help="How far a direction goes, in lengths of the weights.")
    ] = 1.0,
    weights: Weights = "last",
    svg: Svg = None,
    png: Png = None,
    pdf: Pdf = None,
    theme: ThemeName = "light",
    as_json: Annotated[bool, typer.Option("--json", help="All numbers as JSON.")] = False,
    log_dir: LogDir = RUNS,
) -> None:
    """Show the loss around a trained run, and how curved it is there.

    Along random directions in which each filter is as long as the run's own (Li et al. 2018).
    Nothing is written but the figures.
    """
    import json

    from backproplab.errors import ConfigError
    from backproplab.landscape import trained, view
    from backproplab.runs import find_run

    if not 0 < reach <= 100:
        raise ConfigError(f"--reach {reach:g}: must be above 0 and at most 100")
    if path and (to or weights == "best"):
        raise ConfigError("--path ends at the run's own last weights; leave out --to and --weights")
    files = checked(theme, svg=svg, png=png, pdf=pdf)
    found = trained(find_run(log_dir, run).folder, weights)
    other = trained(find_run(log_dir, to).folder, weights) if to else None
    shown = view(found, other, path, points, reach)
    piped = write(files, lambda form: image(form, shown.figure(theme)))
    report(files)
    if piped:
        return
    if as_json:
        typer.echo(json.dumps(shown.tree(), indent=1))
    else:
        _say(shown)


def _say(shown: View) -> None:
    """A sentence for each part, and the line as a curve."""
    from backproplab.cli.printing import is_drawable, lines, sentence
    from backproplab.layout import sparkline

    for label, text in shown.sentences():
        sentence(text, label, INDENT)
        if label == "line" and shown.line and is_drawable("▁"):
            losses = [float(x) for x in shown.line.losses["train"]]
            lines([" " * INDENT + sparkline(losses, CURVE, logarithmic=min(losses) > 0)])
