"""backproplab report: write the results of runs as one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from backproplab.cli.compare import Least, MetricName, Selectors, Test, goal_word, warn
from backproplab.cli.options import RUNS, LogDir, check_free


def command(
    runs: Selectors = None,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="The .html file to write.", show_default="report-SESSION.html"
        ),
    ] = None,
    metric: MetricName = None,
    least: Least = None,
    test: Test = False,
    landscape: Annotated[
        bool,
        typer.Option("--landscape", help="With the loss around the best run; reads its data."),
    ] = False,
    log_dir: LogDir = RUNS,
) -> None:
    """Write one HTML file: what came out and how sure it is, then its evidence.

    Ranking, learning curves, the metric by key, what each key does within the others, seeds, notes
    and environment. The file needs no network and no scripts, follows a light or dark theme, and
    prints on A4. notes.md beside the runs is shown in it.
    """
    from backproplab import report
    from backproplab.files import write_atomic
    from backproplab.report.page import render

    chosen = report.chosen_runs(log_dir, runs or ())
    path = checked_page(out or Path(f"report-{chosen[0].session}.html"), "--out")
    records, warnings = report.read_records(chosen)
    comparison = report.compare(records, metric, goal_word(least))
    page, warnings = render(comparison, warnings, test, path.parent, landscape)
    warn(warnings)
    write_atomic(path, page)
    typer.echo(f"report  {path}")


def checked_page(path: Path, option: str) -> Path:
    """The page's path, unless something other than a page of ours is there."""
    from backproplab.errors import ConfigError
    from backproplab.report.markup import SIGNATURE

    if path.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"{option} {path}: must end in .html")
    check_free(path, "report", option, lambda page: SIGNATURE.encode() in page)
    return path
