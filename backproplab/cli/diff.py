"""backproplab diff: show the differences of two runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from backproplab.cli.compare import warn
from backproplab.cli.options import RUNS, LogDir

if TYPE_CHECKING:
    from collections.abc import Sequence


def command(
    first: Annotated[str, typer.Argument(metavar="RUN", help="As for show.")],
    second: Annotated[str, typer.Argument(metavar="RUN")],
    log_dir: LogDir = RUNS,
) -> None:
    """Show how two runs' configs and results differ, and the epoch at which metrics diverge."""
    from backproplab import report
    from backproplab.report.sameness import sentence
    from backproplab.runs import find_run

    found = [find_run(log_dir, word) for word in (first, second)]
    records, warnings = report.read_records(found)
    warn(warnings)
    pair = report.pair(records[0], records[1])
    names = (found[0].name, found[1].name)
    if names[0] == names[1]:
        names = (found[0].selector, found[1].selector)
    _show(("config", *names), pair.config or [("nothing differs", "", "")])
    typer.echo()
    _show(("results", *names), pair.results)
    typer.echo(f"\n{pair.parting}\n{sentence(records)}")


def _show(head: tuple[str, str, str], rows: Sequence[tuple[str, str, str]]) -> None:
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        typer.echo("  ".join(f"{t:<{w}}" for t, w in zip(line, widths, strict=True)).rstrip())
