"""backproplab find-lr: which learning rate is worth a try? The range test of a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backproplab.learners.range_test import RangeTest

LARGEST = 1e4  # the largest learning rate that a config takes
ROWS = 13  # of the table


def command(
    path: Annotated[Path, typer.Argument(metavar="CONFIG", help="A YAML file.")],
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...")] = None,
    smallest: Annotated[float, typer.Option("--min", help="The rate of the first update.")] = 1e-6,
    largest: Annotated[
        float,
        typer.Option("--max", help="The rate of the last update, if the loss does not blow up."),
    ] = LARGEST,
    steps: Annotated[
        int, typer.Option(help="Updates from --min to --max.", min=20, max=10**6)
    ] = 160,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An .svg, .png or .pdf.", show_default="find-lr-NAME.svg"
        ),
    ] = None,
) -> None:
    """Find a learning rate: train briefly, each update with a larger one, until the loss blows up.

    The config's learning rate and schedule play no part. Nothing is logged; the figure is written
    to the current folder.
    """
    _check_limits(smallest, largest)

    from backproplab.errors import BackpropLabError
    from backproplab.experiment import find_learning_rate
    from backproplab.experiment.reading import parts_of
    from backproplab.files import write_atomic
    from backproplab.report.range_figure import range_figure

    parts = parts_of(path, overrides or [])
    experiment = parts.experiment
    file = _usable(figure or Path(f"find-lr-{experiment.name}.svg"))
    test = find_learning_rate(parts, smallest, largest, steps)
    _show(test)
    title = f"{experiment.name}: {experiment.optimizer.name}"
    write_atomic(file, range_figure(test, title, file.suffix[1:].lower()))
    typer.echo(f"figure  {file}")
    if test.suggested is None:
        raise BackpropLabError(
            f"the loss falls nowhere between {smallest:g} and {test.rates[-1]:g} — try another "
            "--min and --max, more --steps, or a larger batch_size"
        )
    typer.echo(f"try it  learning_rate={test.suggested:.2g}")


def _check_limits(smallest: float, largest: float) -> None:
    from backproplab.errors import ConfigError

    if not 0 < smallest < largest <= LARGEST:
        got = f"--min {smallest:g} and --max {largest:g}"
        raise ConfigError(f"{got}: must be 0 < min < max <= {LARGEST:g}")


def _usable(file: Path) -> Path:
    """The figure's path, unless something other than a figure of ours is there."""
    from backproplab.cli.options import check_free
    from backproplab.errors import ConfigError
    from backproplab.report.range_figure import FORMS, SIGNATURE

    if file.suffix[1:].lower() not in FORMS:
        valid = ", ".join(f".{form}" for form in FORMS)
        raise ConfigError(f"--figure {file}: must end in one of {valid}")
    if not file.parent.is_dir():
        raise ConfigError(f"--figure {file}: there is no folder {file.parent}")
    check_free(file, "figure", "--figure", lambda figure: SIGNATURE in figure)
    return file


def _show(test: RangeTest) -> None:
    """Some points of the curve, and what follows from it."""
    from backproplab import text
    from backproplab.cli.printing import sentence, table
    from backproplab.layout import Column

    count = len(test.rates)
    shown = sorted({round(i * (count - 1) / (ROWS - 1)) for i in range(ROWS)})
    table([
        Column("learning rate", [f"{test.rates[i]:.2e}" for i in shown], right=True),
        Column("loss", [text.number(test.losses[i]) for i in shown], right=True, rank=1),
        Column("smoothed", [text.number(test.smoothed[i]) for i in shown], right=True),
    ])  # fmt: skip
    if test.steepest is None:
        return
    typer.echo()
    sentence(f"steepest fall at {test.steepest:.2g}")
    if test.still_falling:
        more = "" if test.rates[-1] >= LARGEST else ": a larger --max may show more"
        sentence(f"the loss still falls at the last rate, {test.rates[-1]:.2g}{more}")
        return
    sentence(f"least loss at {test.lowest:.2g}, a tenth of it: {test.lowest / 10:.2g}")
    if test.blown_up:
        sentence(f"the loss blows up at {test.rates[-1]:.2g}")
