"""How one run ended, as train and show print it: status, curves, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from backproplab import text
from backproplab.cli.printing import (
    command,
    is_drawable,
    pieces,
    printable,
    sentence,
    table,
    values,
    width,
)
from backproplab.cli.signs import STYLES, signed
from backproplab.errors import DamageError
from backproplab.layout import NARROW, Column, cell_of, cells_of, joined, middle, sparkline
from backproplab.measures import LOSS, Row, goal_of, of_split, parsed
from backproplab.runs import read_metrics
from backproplab.runs.metrics_table import by_epoch
from backproplab.status import Status
from backproplab.text import counted

if TYPE_CHECKING:
    from backproplab.diagnosis import Diagnosis
    from backproplab.runs import RunInfo

INDENT = 8
CURVES = {60: 14, 80: 24, 120: 30}  # cells of a curve, from this width of the terminal on


def ended(run: RunInfo, verdict: Diagnosis | None, *more: str) -> None:
    """Status and extent, the curves of its metrics, why it went so and what to try.

    more: further facts for the first line.
    """
    heading(run, *more)
    try:
        epochs = by_epoch(read_metrics(run.folder))
    except DamageError:  # reported by show
        epochs = {}
    if epochs:
        sentence("")
        table(curves(run, epochs))
    if test := of_split("test", run.metrics):
        texts = [f"{name} {text.measured(name, value)}" for name, value in test.items()]
        values(f"{'test':<{INDENT}}", texts)
    if epochs or verdict:
        sentence("")
    diagnosis(verdict)
    kept(run)


def heading(run: RunInfo, *more: str) -> None:
    """``✓ completed  exp1 · 30 of 30 epochs · 30 updates · 0.20 s``; the status is never cut."""
    status = signed(run.status)
    room = width()
    name = printable(run.name)
    if room is not None:
        name = middle(name, max(room - cells_of(status) - 2, NARROW))
    first, *rest = joined([name, *_extent(run), *more], room, f"{status}  ")
    named = f"{status}  {name}"
    pieces((status, f"bold {STYLES[run.status]}"), (f"  {name}", "bold"), (first[len(named) :], ""))
    for line in rest:
        pieces((line, ""))
    if run.message and run.status is Status.FAILED:
        sentence(run.message, "", 2)


def _extent(run: RunInfo) -> list[str]:
    """How far the run got, and what ended it if its length did not."""
    spent = text.spent(run.seconds)
    if run.status is Status.DIVERGED:
        if run.unit:
            return [f"at {run.unit} {run.steps + 1:,} of {run.planned:,}", spent]
        return [
            f"in epoch {run.epochs + 1} of {run.planned}",
            f"at update {run.steps + 1:,}",
            spent,
        ]
    why = printable(run.stop_reason).replace("_", " ")
    why = "" if run.stop_reason in ("", "max_steps" if run.unit else "max_epochs") else f" ({why})"
    if run.unit:
        return [f"{run.steps:,} of {counted(run.planned, run.unit)}{why}", spent]
    updates = [counted(run.steps, "update")] if run.steps else []
    return [f"{run.epochs:,} of {counted(run.planned, 'epoch')}{why}", *updates, spent]


def curves(run: RunInfo, epochs: Mapping[int, Row]) -> list[Column]:
    """A row for each metric: its value at the best and at the last epoch, and its curve."""
    numbers = sorted(epochs)
    best, last = int(run.best.get("epoch", 0)), numbers[-1]
    names = metric_order(epochs[last], run.monitor)
    columns = [Column("", [f"  {printable(name)}" for name in names], styles=["dim"] * len(names))]
    if best and best != last:
        columns.append(_at(f"best @ {best}", epochs.get(best, {}), names))
    head = f"best = last @ {last}" if best == last else f"last @ {last}"
    columns.append(_at(head, epochs[last], names, "bold" if best == last else ""))
    drawn = curve_column(
        f"{run.stretch}s {numbers[0]} to {last}", names, [epochs[epoch] for epoch in numbers],
        numbers.index(best) if best in epochs else None, _room(), run.status,
    )  # fmt: skip
    return [*columns, drawn] if is_drawable("▁") else columns


def metric_order(names: Sequence[str] | Row, monitor: str) -> list[str]:
    """The monitored metric, the losses, then the others, validation before training."""
    bare = list(dict.fromkeys(parsed(name)[1] for name in names))

    def place(name: str) -> tuple[bool, bool, int, bool]:
        split, measure = parsed(name)
        return name != monitor, measure != LOSS.name, bare.index(measure), split == "train"

    shown = [name for name in names if name not in ("epoch", "step") and parsed(name)[0] != "test"]
    return sorted(shown, key=place)


def curve_column(
    head: str,
    names: Sequence[str],
    rows: Sequence[Row],
    best: int | None,
    cells: int,
    status: Status,
) -> Column:
    """The sparkline of each metric over the rows of the epochs; ``best``: the one to mark."""
    lost = [float("nan")] if status is Status.DIVERGED else []
    drawn = []
    for name in names:
        found = [*(row.get(name, float("nan")) for row in rows), *lost]
        logarithmic = goal_of(name) == "min" and all(x > 0 for x in found if x == x)
        drawn.append(sparkline(found, cells, logarithmic))
    mark = None if best is None else cell_of(best, len(rows) + len(lost), cells)
    return Column(head, drawn, rank=1, marks=[mark] * len(drawn))


def _at(head: str, row: Row, names: Sequence[str], style: str = "bold") -> Column:
    cells = [text.measured(name, row[name]) if name in row else "–" for name in names]
    return Column(
        head, cells, right=True, styles=[style if not at else "" for at in range(len(cells))]
    )


def _room() -> int:
    room = width() or 120
    return next(
        (cells for least, cells in sorted(CURVES.items(), reverse=True) if room >= least), 8
    )


def diagnosis(found: Diagnosis | None) -> None:
    """How the run went and why, in a line or two, and what to try."""
    for label, line in found.closing if found else ():
        sentence(line, label, INDENT)
    if found and found.command:
        command("try", found.command, INDENT)


def kept(run: RunInfo) -> None:
    """Which weights a run ended with, if these are not those of its best epoch."""
    best = int(run.best.get("epoch", 0))
    files = sorted((run.folder / "checkpoints").glob("best-*.safetensors"))
    if run.restored_epoch:
        sentence(f"the weights of {run.stretch} {run.restored_epoch}", "kept", INDENT)
    elif files and best and best != run.epochs and run.status is Status.COMPLETED:
        where = f"those of {run.stretch} {best} are in checkpoints/{files[-1].name}"
        sentence(f"the weights of {run.stretch} {run.epochs}; {where}", "kept", INDENT)
