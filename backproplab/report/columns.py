"""The ranked table for a terminal: which columns fall first where it is narrow.

This file must not know where a table is printed.
"""

from __future__ import annotations

from collections.abc import Sequence

from backproplab.diagnosis import Level
from backproplab.layout import Column, aligned
from backproplab.report.comparison import Comparison
from backproplab.report.followers import followers
from backproplab.report.pairing import BEST, TIE
from backproplab.report.tables import HEADS, PLAIN, RankedTable, default_columns, ranked_table
from backproplab.status import Status

SHORT = {"learning_rate": "lr", "optimizer": "optim.", "activation": "activ."}
OPTIONAL = {
    "wins": 2,
    "forward_passes": 2,
    "backward_passes": 2,
    "diagnosis": 2,
    "best_epoch": 3,
    "interval": 4,
    "seeds": 6,
    "epochs": 6,
    "seconds": 6,
    "run": 8,
}  # the largest falls first
METRIC, FOLLOWER = 5, 7
STYLES = {
    BEST: "green", TIE: "cyan", Status.COMPLETED: "green", Status.DIVERGED: "magenta",
    Status.FAILED: "red", Status.UNREADABLE: "red", Status.PRUNED: "dim",
    Status.RUNNING: "cyan", Status.PAUSED: "yellow", Status.INTERRUPTED: "yellow",
}  # fmt: skip
SAID = ("seeds", "epochs")  # equal in all trials: the line above the table says it


def columns_of(
    comparison: Comparison, columns: Sequence[str] = (), top: int | None = None, test: bool = False
) -> list[Column]:
    """The table's columns. Without a choice, those that say nothing are left out."""
    chosen = columns or _telling(comparison, default_columns(comparison, test))
    table = ranked_table(comparison, chosen, top, test)
    names = [name for name in table.columns if name in chosen or name == "#"]
    return [_column(comparison, table, name, bool(columns)) for name in names]


def _telling(comparison: Comparison, names: Sequence[str]) -> list[str]:
    """Without the diagnosis if all runs went well, and without counts that are equal for all."""
    found = [record.diagnosis for record in comparison.records]
    well = all(x and x.outcome.level is Level.GOOD and not x.cause for x in found)
    return [name for name in names if name not in SAID and not (name == "diagnosis" and well)]


def _column(comparison: Comparison, table: RankedTable, name: str, chosen: bool) -> Column:
    at = table.columns.index(name)
    cells = [row[at] for row in table.rows]
    key = name not in comparison.names and name not in PLAIN and name != "#"
    right = table.numeric[at] and not key
    if name in comparison.names or name == "delta":
        cells = aligned(cells)
    styles = [_style(cell) for cell in cells] if name in ("status", "verdict") else ()
    head, short = HEADS.get(name, (name, short_head(table.columns, name) if key else ""))
    is_name = name == "run" or (key and not table.numeric[at])
    return Column(head, cells, right, short, is_name, _rank(comparison, name, key, chosen), styles)


def _rank(comparison: Comparison, name: str, key: bool, chosen: bool) -> int:
    if name in ("#", "status", "verdict", comparison.metric.name):
        return 0
    if chosen and name == "diagnosis":
        return 0
    if chosen or name == "delta" or (key and name not in followers(comparison)):
        return 1
    return FOLLOWER if key else OPTIONAL.get(name, METRIC)


def _style(cell: str) -> str:
    """Repeats for the eye what the text says."""
    return next((style for word, style in STYLES.items() if word in cell), "")


def short_head(heads: Sequence[str], name: str) -> str:
    """``lr`` for a learning rate; else the last key of a path, if no other has the same."""
    last = name.rpartition(".")[2]
    alone = sum(head.rpartition(".")[2] == last for head in heads) == 1
    return SHORT.get(last, last) if alone and not last.isdecimal() else name
