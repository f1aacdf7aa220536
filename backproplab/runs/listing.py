"""What runs there are, found by a word, and their metrics: data for a table, no table.

``run.json`` is read as something that may be damaged or hostile: the worst that it can do is to
make its run "unreadable". This file must not know how a run is made.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from backproplab.errors import DamageError, RunError, reason
from backproplab.files import read_object, read_regular
from backproplab.runs.folders import created, read_marker
from backproplab.runs.locking import is_active
from backproplab.runs.metrics_table import TABLE, by_epoch, read_metrics
from backproplab.runs.run_folder import CONFIG, READS, wrong_entry
from backproplab.status import Status

MESSAGE = 2000  # letters of a message
LENGTH = re.compile(rb"^(epochs|steps): (\d{1,9})$", re.MULTILINE)  # of a resolved config
SHOWN = 5  # names in an error message
PATIENCE = 60.0  # seconds between a record's time and its file's, for clocks that differ


@dataclass(frozen=True)
class RunInfo:
    """One run as its ``run.json`` describes it; one that has not ended also by its metrics table.

    started: ISO 8601 text. seconds: of training, None if unknown. metrics: last values by name,
    such as val_loss. best: those of the epoch that was best by ``monitor``. message: why it
    diverged or failed. verdict: its diagnosis in a word. faults: a message for each file that could
    not be read. unit: the word for a step, of a run whose length is said in steps; else empty.
    """

    folder: Path
    session: str
    name: str
    status: Status = Status.UNREADABLE
    stop_reason: str = ""
    epochs: int = 0
    steps: int = 0
    unit: str = ""
    started: str = ""
    seconds: float | None = None
    metrics: dict[str, float] = field(default_factory=dict)
    best: dict[str, float] = field(default_factory=dict)
    restored_epoch: int = 0
    monitor: str = ""
    message: str = ""
    verdict: str = ""
    faults: tuple[str, ...] = ()

    @property
    def selector(self) -> str:
        """``session/name``: what ``find_run`` finds this run by."""
        return f"{self.session}/{self.name}"

    @cached_property
    def planned(self) -> int:
        """The epochs, or steps of its unit, of its config; those it has if that cannot be read."""
        try:
            found = dict(LENGTH.findall(read_regular(self.folder / CONFIG)))
        except OSError:
            found = {}
        key, done = (b"steps", self.steps) if self.unit else (b"epochs", self.epochs)
        return int(found.get(key, done))

    @property
    def stretch(self) -> str:
        """The word for the steps that end with an evaluation."""
        return "evaluation" if self.unit else "epoch"

    @property
    def instant(self) -> float:
        """Its start in seconds since the epoch; 0 where ``started`` is no time."""
        return _instant(self.started)


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
    path = folder / "run.json"
    try:
        record = read_object(path)
    except DamageError as error:
        return _named(folder, str(error))
    return _named(folder, f"{path}: no such file") if record is None else run_of(folder, record)


def _named(folder: Path, *faults: str) -> RunInfo:
    return RunInfo(folder, folder.parent.name, folder.name, faults=faults)


def run_of(folder: Path, record: Mapping[str, Any]) -> RunInfo:
    """The run in ``folder``, whose run.json holds this."""
    run, path = _named(folder), folder / "run.json"
    status = Status.read(record.get("status"))
    if record.get("format") not in READS or status is Status.UNREADABLE:
        return replace(run, faults=(f"{path}: damaged: no known 'format' or 'status'",))
    if key := wrong_entry(record):
        run = replace(run, faults=(f"{path}: damaged: {key!r} is not of the right type",))
    epochs, restored, steps = map(record.get, ("epochs", "restored_epoch", "steps"))
    run = replace(
        run,
        status=status,
        stop_reason=_text(record.get("stop_reason")),
        epochs=epochs if isinstance(epochs, int) else 0,
        steps=steps if isinstance(steps, int) else 0,
        unit=_text(record.get("unit")),
        started=_text(record.get("started")),
        seconds=_number(record.get("seconds")),
        metrics=_numbers(record.get("metrics")),
        best=_numbers(record.get("best")),
        restored_epoch=restored if isinstance(restored, int) else 0,
        monitor=_text(record.get("monitor")),
        message=_text(record.get("message"), MESSAGE),
        verdict=_text(record.get("verdict")),
    )
    return _under_way(run, record) if status is Status.RUNNING else run


def _under_way(run: RunInfo, record: Mapping[str, Any]) -> RunInfo:
    """A run without its last record: what it has measured so far, by its metrics table.

    If no process holds its session, it was killed.
    """
    status = Status.RUNNING if is_active(run.folder.parent) else Status.INTERRUPTED
    run = replace(run, status=status, seconds=_seconds_so_far(run, record))
    try:
        epochs = by_epoch(read_metrics(run.folder))
    except DamageError as error:
        return replace(run, faults=(*run.faults, str(error)))
    metrics = epochs[max(epochs)] if epochs else {}
    epoch = int(metrics.pop("epoch", 0))
    return replace(run, epochs=epoch, metrics=metrics)


def _seconds_so_far(run: RunInfo, record: Mapping[str, Any]) -> float | None:
    """Seconds of training up to the newest row: the record is written just before the first step.

    None before the first row; if the run was resumed after a kill, whose time nobody wrote down;
    and for copies, whose files have other times than the record says.
    """
    resumed = record.get("resumed")
    entries = resumed if isinstance(resumed, list) else []
    events = [event for event in entries if isinstance(event, dict)]
    before = _number(record.get("seconds")) if events else 0.0
    begun = _instant(_text(events[-1].get("at") if events else record.get("started")))
    try:
        since, until = (_written(run.folder / name) for name in ("run.json", TABLE))
    except OSError:
        return None
    if before is None or abs(since - begun) > PATIENCE or until < since:
        return None
    return before + until - since


def _written(path: Path) -> float:
    return path.lstat().st_mtime


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


def _instant(text: str) -> float:
    """Seconds since the epoch; 0 for text that is no time."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except (ValueError, OverflowError, OSError):
        return 0.0


def _number(value: Any) -> float | None:
    try:
        return float(value) if isinstance(value, int | float) else None
    except OverflowError:
        return None
