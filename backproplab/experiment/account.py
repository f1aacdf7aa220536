"""What a run says of itself in TensorBoard: its texts, and its row of the HPARAMS tab.

All of it is in the event file of what holds a time (``Journal.aside``), which a resumed run deletes
and writes anew. In the tab a run is a row from its start on. Its end and its best values are
written once it has ended for good, since a TensorBoard that runs keeps the first end that it reads.
This file must not know which other runs there are.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any

from backproplab.config.brief import exact
from backproplab.errors import DamageError
from backproplab.files import Folder
from backproplab.journal import METRICS, Journal
from backproplab.measures import Row, listed, parsed
from backproplab.runs.epochs import best_row
from backproplab.runs.metrics_table import LIMIT, by_epoch, parsed_metrics
from backproplab.status import Status

LENGTH = 60  # letters of a setting that is text
BAR = r"\|"  # within a cell
HPARAMS = "hparams"  # its key in run.json

Setting = bool | int | float | str


@dataclass(frozen=True)
class HParams:
    """A run's row of the HPARAMS tab.

    group: what the row is called; TensorBoard makes one row, of means, of runs with one group.
    settings: columns by name: what differs between the runs.
    metric, minimizes, at: the value that ranks the runs, at each one's best or last epoch.
    """

    group: str
    settings: dict[str, Setting] = field(default_factory=dict)
    metric: str = "val_loss"
    minimizes: bool = True
    at: str = "best"

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> HParams | None:
        """The row of a run.json; None of a run that has none. Raises DamageError."""
        try:
            return cls(**record[HPARAMS]) if HPARAMS in record else None
        except TypeError as error:
            raise DamageError(f"run.json: damaged: {HPARAMS!r} is not of the right type") from error

    @property
    def entry(self) -> dict[str, Any]:
        """What ``read`` reads."""
        return {HPARAMS: vars(self) | {"settings": dict(self.settings)}}


def setting(value: Any) -> Setting:
    """A number or truth value as it is, any other value as a short text."""
    if isinstance(value, int | float):
        return value
    text = exact(value)
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 1]}…"


def begin(journal: Journal, config: str, record: Mapping[str, Any]) -> None:
    """A run begins, or continues: its config, its environment, its settings."""
    from backproplab.journal.messages import session_start, text

    values = [text("run/config", f"```yaml\n{config}```\n")]
    if "versions" in record:  # else it could not be built
        values.append(text("run/environment", _table(dict(_environment(record)))))
    if hparams := HParams.read(record):
        began = datetime.fromisoformat(record["started"]).timestamp()
        values.append(session_start(hparams.group, hparams.settings, began))
    journal.aside.write(0, values)


def end(journal: Journal, record: Mapping[str, Any]) -> None:
    """A run has ended, as its record says; nothing is written of one that may continue."""
    from backproplab.journal.messages import session_end, text

    if not Status.read(record["status"]).has_ended:
        return
    journal.aside.write(0, [text("run/summary", _table(dict(_summary(record))))])
    if hparams := HParams.read(record):
        counts = Status.read(record["status"]).counts
        epoch, values = _values(journal, record, hparams) if counts else (0, {})
        if values:
            journal.aside.scalars(epoch, {f"best/{name}": x for name, x in values.items()})
        journal.aside.write(0, [session_end(success=counts)])
    journal.sync()


def diagnosed(folder: Folder, markdown: str) -> None:
    """What is said of a run that has ended, after its summary."""
    from backproplab.journal.messages import text

    journal = Journal(folder, (), (), {})
    with closing(journal):
        journal.aside.write(0, [text("run/diagnosis", markdown)])
        journal.sync()


def _values(journal: Journal, record: Mapping[str, Any], hparams: HParams) -> tuple[int, Row]:
    """(epoch from 0, the values of results.csv there), except those of the test split."""
    metrics = {name: x for name, x in record["metrics"].items() if x is not None}
    best = metrics
    if hparams.at == "best":
        own = {name: x for name, x in record["best"].items() if x is not None}
        if record["monitor"] == hparams.metric:
            best = own
        else:
            rows = parsed_metrics(METRICS, journal.folder.read(METRICS, LIMIT))
            best = best_row(by_epoch(rows), hparams.metric, hparams.minimizes) or own
    names = dict.fromkeys([hparams.metric, *listed(metrics)])
    found = {name: best.get(name, metrics.get(name)) for name in names if parsed(name)[0] != "test"}
    epoch = int(best.get("epoch", record["epochs"])) - 1
    return epoch, {name: x for name, x in found.items() if x is not None and isfinite(x)}


def _environment(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "command", shlex.join(record.get("argv", ()))
    yield "python", record.get("python")
    yield from record.get("versions", {}).items()
    yield from record.get("machine", {}).items()
    if git := record.get("git"):
        yield "commit", git["commit"] + (", with changes" if git["dirty"] else "")


def _summary(record: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key in ("status", "stop_reason", "message", "epochs", "steps", "examples", "seconds"):
        yield key.replace("_", " "), record.get(key)
    metrics, best = record.get("metrics", {}), dict(record.get("best", {}))
    yield "best epoch", best.pop("epoch", None)
    yield "weights restored from epoch", record.get("restored_epoch") or None
    for name, value in metrics.items():
        yield name, value if name not in best else f"{best[name]} at the best epoch, {value} last"


def _table(entries: Mapping[str, Any]) -> str:
    """Markdown; without what is empty or unknown."""
    rows = [(key, str(value)) for key, value in entries.items() if value not in (None, "")]
    lines = [f"| {key} | {' '.join(text.split()).replace('|', BAR)} |" for key, text in rows]
    return "\n".join(["| | |", "|---|---|", *lines])
