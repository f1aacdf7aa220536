"""What runs there are, found by a word, and their metrics: data for a table, no table.

``run.json`` is read as something that may be damaged or hostile: the worst that it can do is to
make its run "unreadable". This file must not know how a run is made.
"""

from __future__ import annotations

import csv
import io
import re
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from backproplab.errors import RunError, reason
from backproplab.runs.folders import created, read_json, read_marker
from backproplab.runs.locking import is_active
from backproplab.runs.run_folder import READS
from backproplab.status import Status

MESSAGE = 2000  # letters of a message
SHOWN = 5  # names in an error message


@dataclass(frozen=True)
class RunInfo:
    """One run as its ``run.json`` tells it.

    started: ISO 8601 text. seconds: of training. metrics: last values by name, such as val_loss.
    best: those of the epoch that was best by ``monitor``. message: why it diverged or failed.
    """

    folder: Path
    session: str
    name: str
    status: Status = Status.UNREADABLE
    stop_reason: str = ""
    epochs: int = 0
    started: str = ""
    seconds: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    restored_epoch: int = 0
    monitor: str = ""
    message: str = ""

    @property
    def selector(self) -> str:
        """``session/name``: what ``find_run`` finds this run by."""
        return f"{self.session}/{self.name}"

    @property
    def instant(self) -> float:
        """Its start in seconds since the epoch; 0 where ``started`` is no time."""
        try:
            return datetime.fromisoformat(self.started).timestamp()
        except (ValueError, OverflowError, OSError):
            return 0.0


def list_runs(root: Path) -> list[RunInfo]:
    """Every run in the log root, newest first; none where there is no root. RunError if unreadable.

    Sessions are in the order in which they were made, the runs of one session by their start.
    Links are left out, so that no run is listed twice.
    """
    sessions = sorted(_directories(root), key=lambda path: (created(path), path.name), reverse=True)
    return [run for session in sessions for run in _runs_of(session)]


def read_run(folder: Path) -> RunInfo:
    """The run in ``folder``, ``unreadable`` at worst.

    A run that says ``running`` while no process holds its session was killed: ``interrupted``.
    """
    record = read_json(folder / "run.json")
    run = RunInfo(folder, folder.parent.name, folder.name)
    status, epochs = Status.read(record.get("status")), record.get("epochs")
    if record.get("format") not in READS or status is Status.UNREADABLE:
        return run
    if status is Status.RUNNING and not is_active(folder.parent):
        status = Status.INTERRUPTED
    restored = record.get("restored_epoch")
    return replace(
        run,
        status=status,
        stop_reason=_text(record.get("stop_reason")),
        epochs=epochs if isinstance(epochs, int) else _epochs_so_far(folder),
        started=_text(record.get("started")),
        seconds=_number(record.get("seconds")) or 0.0,
        metrics=_numbers(record.get("metrics")),
        best=_numbers(record.get("best")),
        restored_epoch=restored if isinstance(restored, int) else 0,
        monitor=_text(record.get("monitor")),
        message=_text(record.get("message"), MESSAGE),
    )


def _epochs_so_far(folder: Path) -> int:
    """Of a run that is under way, or was killed: what its table has got to."""
    try:
        return max((int(row["epoch"]) for row in read_metrics(folder)), default=0)
    except (RunError, KeyError, ValueError):
        return 0


def _numbers(values: Any) -> dict[str, float]:
    """The entries of a JSON object that are numbers."""
    entries = values.items() if isinstance(values, dict) else ()
    return {_text(k): value for k, v in entries if (value := _number(v)) is not None}


def find_run(root: Path, selector: str) -> RunInfo:
    """The one run that ``selector`` means.

    ``latest``; a number, 1 being the newest; a session with one run; ``session/name``; the
    beginning of just one ``session/name``; a name, its newest run; or the path of a run or of a
    session with one run.
    An exact name goes before a number, a number before a beginning, a path comes last.

    Raises RunError that names the nearest runs, or the newest.
    """
    runs = list_runs(root)
    if selector == "latest" and runs:
        return runs[0]
    index = int(selector) if re.fullmatch("[0-9]{1,9}", selector) else 0
    ways: tuple[Callable[[], list[RunInfo]], ...] = (
        lambda: [run for run in runs if selector in (run.selector, run.session)],
        lambda: runs[index - 1 : index] if index else [],
        lambda: [run for run in runs if selector and run.selector.startswith(selector)],
        lambda: [run for run in runs if selector == run.name][:1],
        lambda: _runs_at(Path(selector)) if selector else [],
    )
    found = next(filter(None, (way() for way in ways)), [])
    if len(found) == 1:
        return found[0]
    raise RunError(_not_one(root, selector, runs, found))


def read_metrics(folder: Path) -> list[dict[str, str]]:
    """The rows of ``metrics.csv``: epoch, step (not in 0.1), split, loss, …; none when no epoch
    has ended.

    A last line without its line end is still being written, or was cut by a kill: it is left out.
    Raises RunError for a file that is not such a table.
    """
    path = folder / "metrics.csv"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunError(f"{path}: cannot read: {reason(error)}") from error
    except UnicodeDecodeError as error:
        raise RunError(f"{path}: damaged: not UTF-8 text") from error
    whole = text[: text.rfind("\n") + 1]
    reader = csv.DictReader(io.StringIO(whole, newline=""), strict=True)
    try:
        rows = [_checked(path, reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise RunError(f"{path}:{reader.reader.line_num}: damaged: {error}") from error
    if whole and not {"epoch", "split"} <= set(reader.fieldnames or ()):
        raise RunError(f"{path}:1: damaged: no columns 'epoch' and 'split'")
    return rows


def _checked(path: Path, line: int, row: dict[str, str]) -> dict[str, str]:
    """``row``, unless the reader marked it (with None) as longer or shorter than the heading."""
    if None in row or None in row.values():
        raise RunError(f"{path}:{line}: damaged: not as many fields as columns")
    return row


def _directories(parent: Path) -> Iterator[Path]:
    try:
        entries = list(parent.iterdir())
    except FileNotFoundError:
        return
    except OSError as error:
        raise RunError(f"{parent}: cannot read: {reason(error)} — check --log-dir") from error
    for entry in entries:
        if not entry.name.startswith(".") and _is(stat.S_ISDIR, entry):
            yield entry


def _is(kind: Callable[[int], bool], path: Path) -> bool:
    """``kind`` of what is at ``path``; a link is a link, what cannot be looked at is nothing."""
    try:
        return kind(path.lstat().st_mode)
    except OSError:
        return False


def _runs_of(session: Path) -> list[RunInfo]:
    """The runs of a session, newest first; one without marker has what holds a run.json."""
    marked = read_marker(session) is not None
    try:
        folders = [f for f in _directories(session) if marked or _is(stat.S_ISREG, f / "run.json")]
    except RunError:
        return []
    return sorted(map(read_run, folders), key=lambda run: (run.instant, run.name), reverse=True)


def _runs_at(path: Path) -> list[RunInfo]:
    try:
        path = path.resolve(strict=True)
    except (OSError, ValueError, RuntimeError):  # no such path, or no path at all
        return []
    return [read_run(path)] if _is(stat.S_ISREG, path / "run.json") else _runs_of(path)


def _not_one(root: Path, selector: str, runs: list[RunInfo], found: list[RunInfo]) -> str:
    if found:
        return f"{selector!r} means {len(found)} runs — give one of {_names(found)}"
    if not runs:
        return f"{root}: there are no runs — train one first"
    near = [run for run in runs if selector in run.selector]
    listed = f"near: {_names(near)}" if near else f"newest: {_names(runs)}"
    return f"no run {selector!r} among the {len(runs)} in {root} — {listed}"


def _names(runs: list[RunInfo]) -> str:
    names = ", ".join(_text(run.selector) for run in runs[:SHOWN])
    return f"{names}, …" if len(runs) > SHOWN else names


def _text(value: Any, length: int = 200) -> str:
    """Text that a terminal shows and does not obey."""
    text = value[:length] if isinstance(value, str) else ""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
