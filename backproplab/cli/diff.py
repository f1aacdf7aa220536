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
    from backproplab.cli.printing import lines, sentence
    from backproplab.report import sameness
    from backproplab.runs import find_run

    found = [find_run(log_dir, word) for word in (first, second)]
    records, warnings = report.read_records(found)
    warn(warnings)
    pair = report.pair(records[0], records[1])
    names = (found[0].name, found[1].name)
    if names[0] == names[1]:
        names = (found[0].selector, found[1].selector)
    _show("config", names, pair.config or [("nothing differs", "", "")])
    lines([""])
    _show("results", names, pair.results)
    lines([""])
    sentence(pair.parting)
    sentence(sameness.sentence(records))


def _show(what: str, names: Sequence[str], rows: Sequence[tuple[str, str, str]]) -> None:
    """A table of both runs; a row that is too long for it stands below, a line for each run."""
    from backproplab.cli.printing import entries, lines, table, width
    from backproplab.layout import GAP, NARROW, Column, cells_of

    room = width()
    most = max(map(cells_of, (row[0] for row in rows)))
    each = None if room is None else max((room - min(most, room // 3) - 2 * len(GAP)) // 2, NARROW)
    long = [row for row in rows if each and max(map(cells_of, row[1:])) > each]
    short = [row for row in rows if row not in long]
    if short:
        keys, first, second = ([row[at] for row in short] for at in range(3))
        pairs = zip(names, (first, second), strict=True)
        both = [Column(_fitting(name, cells, each), cells) for name, cells in pairs]
        table([Column(what, keys, is_name=True), *both])
    else:
        lines([what])
    for key, ours, theirs in long:
        lines([key])
        entries([(f"  {names[0]}", ours), (f"  {names[1]}", theirs)])


def _fitting(name: str, cells: Sequence[str], room: int | None) -> str:
    from backproplab.layout import cells_of, middle

    return name if room is None else middle(name, max([room, *map(cells_of, cells)]))
