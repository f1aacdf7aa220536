"""backproplab find-lr: which learning rate is worth a try? The range test of a config."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from backproplab.experiment.rates import FoundRates
    from backproplab.learners.range_test import RangeTest
    from backproplab.optim import Optimizer

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
    ] = 400,
    seeds: Annotated[
        int, typer.Option(help="Short runs: the config's seed and those after it.", min=1, max=99)
    ] = 5,
    figure: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="An .svg, .png or .pdf.", show_default="find-lr-NAME.svg"
        ),
    ] = None,
) -> None:
    """Find a learning rate: train briefly, each update with a larger one, until the loss blows up.

    From the largest stable rate down, half a decade apart, six rates are tried for as many updates
    (or the run's, if it has fewer); the one with the least validation loss, in the mean of the
    seeds, is suggested. The config's learning rate and schedule play no part. Nothing is logged;
    the figure is written to the current folder.
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
    found = find_learning_rate(parts, smallest, largest, steps, seeds)
    _show(found, experiment.optimizer)
    title = f"{experiment.name}: {experiment.optimizer.name}"
    write_atomic(file, range_figure(found, title, file.suffix[1:].lower()))
    typer.echo(f"figure  {file}")
    if found.suggested is None:
        raise BackpropLabError(
            f"no rate between {smallest:g} and {found.test.rates[-1]:g} lowers the loss — try "
            "another --min and --max, more --steps, or a larger batch_size"
        )
    typer.echo(f"try it  learning_rate={found.suggested:.2g}")


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


def _show(found: FoundRates, optimizer: Optimizer) -> None:
    """Some points of the range test, what follows from it, and the trials."""
    from backproplab import text
    from backproplab.cli.printing import table
    from backproplab.layout import Column

    test, count = found.test, len(found.test.rates)
    shown = sorted({round(i * (count - 1) / (ROWS - 1)) for i in range(ROWS)})
    columns = [
        Column("learning rate", [f"{test.rates[i]:.2e}" for i in shown], right=True),
        Column("smoothed loss", [text.number(test.median[i]) for i in shown], right=True),
    ]
    if len(test.smoothed) > 1:
        for head, of in (("least", test.smoothed.min(axis=0)), ("most", test.smoothed.max(axis=0))):
            columns.append(Column(head, [text.number(of[i]) for i in shown], right=True, rank=1))
    table(columns)
    typer.echo()
    _conclude(test)
    _compare(found, optimizer)
    typer.echo()
    heads = (f"loss of {found.split}", found.means), ("of the worst seed", found.scores.max(axis=1))
    table([
        Column(f"{found.steps} updates with", [f"{rate:.2g}" for rate in found.tried], right=True),
        *(Column(head, [text.number(x) for x in of], right=True) for head, of in heads),
    ])  # fmt: skip
    typer.echo()


def _conclude(test: RangeTest) -> None:
    """Steepest and largest stable."""
    from backproplab.cli.printing import sentence

    if test.steepest is not None:
        sentence(f"steepest fall at {test.steepest:.2g}")
    if test.stable is None:
        more = "" if test.rates[-1] >= LARGEST else ": a larger --max may show more"
        sentence(f"the loss does not rise until the last rate, {test.rates[-1]:.2g}{more}")
        return
    blows = f"; it blows up at {test.rates[-1]:.2g}" if test.blown_up else ""
    sentence(
        f"largest stable rate {test.stable:.2g}: there the loss is at most a quarter above its "
        f"least, at {test.lowest:.2g}{blows}"
    )


def _compare(found: FoundRates, optimizer: Optimizer) -> None:
    """The limit by the curvature, beside the largest stable rate."""
    from backproplab.cli.printing import sentence

    if not optimizer.limit:
        sentence(f"{optimizer.name} has no limit by the curvature")
    elif found.limits:
        low, high = min(found.limits), max(found.limits)
        spread = "" if len(found.limits) == 1 else f" to {high:.2g}"
        sentence(f"{optimizer.limit} is {low:.2g}{spread} at the first weights")
