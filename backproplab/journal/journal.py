"""Journal: everything that a run writes while it trains, and how it continues after a crash.

    metrics.csv  train/…tfevents…  validation/…tfevents…       logs, which only grow
    trajectory.bin                                             another one, of a run that keeps it
    checkpoints/best-120.safetensors                           the best weights, never changed
    checkpoints/last.safetensors  previous.safetensors         the newest position, the one before

A commit syncs the logs, writes new best weights, and then replaces ``last``, which names the length
of each log and the best weights with their SHA-256; what nothing names is deleted after that. So a
crash at any moment leaves a position and all that belongs to it. To continue, each log is cut to
its length in ``last`` and appended to: the same numbers give events of the same lengths, so even a
reader that has the file open sees every step once.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from backproplab.arrays import Array
from backproplab.errors import DamageError, RunError, reason
from backproplab.files import Folder, Log
from backproplab.journal.checkpoint import (
    FORMAT,
    Checkpoint,
    decode,
    encode,
    size_named,
    strict_json,
)
from backproplab.journal.distributions import Distribution
from backproplab.journal.table import Table

if TYPE_CHECKING:
    from backproplab.journal.events import EventWriter

METRICS, TRAJECTORY = "metrics.csv", "trajectory.bin"
CHECKPOINTS = "checkpoints"
LAST, PREVIOUS = (f"{CHECKPOINTS}/{name}.safetensors" for name in ("last", "previous"))
OWN = re.compile(rf"{CHECKPOINTS}/[a-z_]+-\d+\.safetensors")  # of one part, such as best-120
EVENTS = re.compile(r"(train|validation)/events\.out\.tfevents\.[^/]+")
STATE = {"identity", "logs", "position", "files", "sha256"}  # what a position's state holds
IDENTITY = {"run", "config", "data", "numerics"}


class Part(Protocol):
    """A part of a run's position.

    name: unique in the run.  file: where its arrays are kept, if not with the others.
    """

    name: str

    @property
    def file(self) -> str: ...

    def state(self) -> tuple[Mapping[str, Array], dict[str, Any]]: ...

    def restore(self, arrays: Mapping[str, Array], state: dict[str, Any]) -> None: ...


class Journal:
    """The logs and checkpoints of one run.

    columns: of the metrics table.  splits: those that are measured every epoch.
    identity: what must be the same when the run continues, kept in each checkpoint.
    """

    def __init__(
        self,
        folder: Folder,
        columns: Sequence[str],
        splits: Sequence[str],
        identity: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self.columns = tuple(columns)
        self.splits = tuple(splits)
        self.identity = dict(identity)
        self.table: Table | None = None
        self.events: dict[str, EventWriter] = {}
        self._aside: EventWriter | None = None
        self._trajectory: Log | None = None
        self.older: dict[str, int] = {}  # length of logs that are no longer written to
        self._kept: dict[str, str] = {}  # files that ``last`` names, with their SHA-256

    def open(self, names: Mapping[str, str] | None = None) -> None:
        """Open the logs. names: by split, of event files to append to; others are new."""
        from backproplab.journal.events import EventWriter

        self.table = Table(self.folder.log(METRICS), self.columns)
        for split in self.splits:
            self.events[split] = EventWriter(self.folder, split, (names or {}).get(split, ""))

    def row(self, epoch: int, step: int, split: str, values: Mapping[str, float]) -> None:
        """A row of the metrics table."""
        assert self.table is not None
        self.table.row(epoch, step, split, values)

    def scalars(self, split: str, step: int, values: Mapping[str, float], form: str = "{}") -> None:
        """Scalars of one step, by name. form: of their tags."""
        self.events[split].scalars(step, values, form)

    def series(
        self, split: str, found: Mapping[str, tuple[Sequence[int], Sequence[float]]]
    ) -> None:
        """Scalars at several steps, (steps, values) by tag."""
        self.events[split].series(found)

    def histograms(self, step: int, found: Mapping[str, Distribution]) -> None:
        """Distributions of arrays, by tag."""
        self.events["train"].histograms(step, found)

    def layout(self, charts: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        """Which charts Custom Scalars shows: category -> title -> tags, as regular expressions."""
        from backproplab.journal.events import layout

        self.records("train", layout(charts))

    def records(self, split: str, found: bytes) -> None:
        """Whole event records, as ``events.record`` makes them, that hold no time."""
        self.events[split].log.append(found)

    def visited(self, row: bytes) -> None:
        """A row of the trajectory, whose log is opened with its first one."""
        self._trajectory = self._trajectory or self.folder.log(TRAJECTORY)
        self._trajectory.append(row)

    @property
    def aside(self) -> EventWriter:
        """The event file of what holds a time, such as how long a node takes.

        No checkpoint names it, so that going on deletes it whole. Its name is the first in
        ``train``: a reader that takes file after file then stays at the one that grows.
        """
        from backproplab.journal.events import EventWriter, named

        if self._aside is None:
            self._aside = EventWriter(self.folder, "train", named("train", 0))
        return self._aside

    def sync(self) -> None:
        """Put all logs on the disk."""
        for log in self._open_logs():
            log.sync()
        self.folder.sync()

    def close(self) -> None:
        for log in self._open_logs():
            log.close()

    def _open_logs(self) -> list[Log]:
        return [*self._logs().values(), *([self._aside.log] if self._aside else [])]

    def _logs(self) -> dict[str, Log]:
        found = {METRICS: self.table.log} if self.table else {}
        found |= {TRAJECTORY: self._trajectory} if self._trajectory else {}
        return found | {writer.name: writer.log for writer in self.events.values()}

    def commit(self, position: Sequence[Part]) -> None:
        """Make the position the one that the run continues from."""
        self.sync()
        lengths = self.older | {name: log.length for name, log in self._logs().items()}
        arrays: dict[str, Array] = {}
        parts: dict[str, Any] = {}
        files: dict[str, str] = {}  # by part
        for part in position:
            own, parts[part.name] = part.state()
            if part.file:
                files[part.name] = self._keep(f"{CHECKPOINTS}/{part.file}.safetensors", own, files)
            else:
                arrays |= {f"{part.name}/{name}": array for name, array in own.items()}
        kept = {name: self._kept[name] for name in files.values()}
        state = {"identity": self.identity, "logs": lengths, "position": parts}
        content = encode(Checkpoint(arrays, state | {"files": files, "sha256": kept}))
        if LAST in (present := self.folder.names(CHECKPOINTS)):
            self.folder.alias(LAST, PREVIOUS)
        self.folder.replace(LAST, content)
        for name in present:
            if OWN.fullmatch(name) and name not in self._kept:
                self.folder.remove(name)
        self._kept = kept

    def check(self, position: Sequence[Part]) -> None:
        """Raise ValueError for a part whose state could not be kept: it is no strict JSON."""
        for part in position:
            strict_json(part.state()[1])

    def _keep(self, name: str, arrays: Mapping[str, Array], files: Mapping[str, str]) -> str:
        """Write a file that never changes, unless it is known; its name. files: of other parts."""
        if not OWN.fullmatch(name) or name in files.values():
            raise ValueError(f"{name}: a part's own file is called word-number, and is its alone")
        if name not in self._kept:
            content = encode(Checkpoint(arrays, {"identity": self.identity}))
            self.folder.replace(name, content)
            self._kept[name] = hashlib.sha256(content).hexdigest()
        return name

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a position to continue from."""
        return LAST in self.folder.names(CHECKPOINTS)

    def read(self, name: str = LAST) -> Checkpoint | None:
        """The position of this name; None in a run that has none yet.

        Raises DamageError if it cannot be used, or if it is missing beside another one.
        """
        where = self.folder.where(name)
        try:
            found = decode(self.folder.read(name, size_named))
        except FileNotFoundError:
            if {LAST, PREVIOUS}.isdisjoint(self.folder.names(CHECKPOINTS)):
                return None
            raise DamageError(f"{where}: there is no such checkpoint") from None
        except OSError as error:
            raise DamageError(f"{where}: cannot read: {reason(error)}") from error
        except RunError as error:
            raise DamageError(f"{where}: {error}") from error
        if found.format != FORMAT or not _is_position(found.state):
            raise DamageError(f"{where}: not the position of a run that can be continued")
        return found

    def restore(self, checkpoint: Checkpoint, position: Sequence[Part]) -> None:
        """Put every part where it was.

        Raises RunError for a part that the checkpoint lacks or has beyond these, and for best
        weights that are not those it names.
        """
        parts = checkpoint.state["position"]
        if unlike := set(parts) ^ {part.name for part in position}:
            names = ", ".join(sorted(unlike))
            raise RunError(f"the checkpoint and this run do not have the same parts: {names}")
        for part in position:
            prefix = f"{part.name}/"
            arrays = {
                name.removeprefix(prefix): array
                for name, array in checkpoint.arrays.items()
                if name.startswith(prefix)
            }
            arrays = dict(self.kept(checkpoint, part.name)) or arrays
            try:
                part.restore(arrays, parts[part.name])
            except (LookupError, TypeError, ValueError, AttributeError) as error:
                where = f"{self.folder.where()}: the checkpoint's part {part.name!r}"
                raise DamageError(f"{where} is not of this run: {error}") from error

    def _read_kept(self, name: str, digest: str) -> Mapping[str, Array]:
        try:
            content = self.folder.read(name, size_named)
        except OSError as error:
            what = f"cannot read: {reason(error)}"
            raise DamageError(f"{self.folder.where(name)}: {what}") from error
        if hashlib.sha256(content).hexdigest() != digest:
            raise DamageError(f"{self.folder.where(name)}: damaged, or of another checkpoint")
        self._kept[name] = digest
        return decode(content).arrays

    def kept(self, checkpoint: Checkpoint, part: str) -> Mapping[str, Array]:
        """The arrays that a part of a checkpoint has in a file of its own; empty if it has none.

        Raises DamageError.
        """
        file = checkpoint.state["files"].get(part)
        return self._read_kept(file, checkpoint.state["sha256"].get(file, "")) if file else {}

    def reopen(self, lengths: Mapping[str, int], append: bool, name: str = LAST) -> None:
        """Cut each log to its length in the checkpoint, delete younger ones, and continue.

        name: of the checkpoint; it becomes the last one before anything is cut to it.
        append: to the same event files; else new ones are begun, as after another machine's
        numbers. Raises DamageError for a log that is shorter than that.
        """
        self._check_logs(lengths)
        found = self._found_logs()
        if name != LAST:
            self.folder.replace(LAST, self.folder.read(name, size_named))
        for log_name in set(found) - lengths.keys():
            self.folder.remove(log_name)
        for log_name, length in lengths.items():
            log = self.folder.log(log_name)
            log.cut(length)
            log.close()
        self._continue(lengths, append)

    def verify(self) -> None:
        """Raise DamageError unless the last position, and all that it names, can be used."""
        if checkpoint := self.read():
            for name in checkpoint.state["files"].values():
                self._read_kept(name, checkpoint.state["sha256"].get(name, ""))
            self._check_logs(checkpoint.state["logs"])

    def _check_logs(self, lengths: Mapping[str, int]) -> None:
        """Raise DamageError for a log that is shorter than the checkpoint says."""
        found = self._found_logs()
        for name, length in lengths.items():
            present = self.folder.size(name) if name in found else 0
            if present < length:
                raise DamageError(
                    f"{self.folder.where(name)}: damaged: {present:,} bytes, "
                    f"the checkpoint names {length:,}"
                )

    def extend(self, lengths: Mapping[str, int]) -> None:
        """Continue where the older event files are elsewhere: new ones are begun."""
        self._continue(lengths, append=False)

    def _continue(self, lengths: Mapping[str, int], append: bool) -> None:
        events = sorted(name for name in lengths if EVENTS.fullmatch(name))
        newest = {name.partition("/")[0]: name for name in events}
        self.open(newest if append else {})
        self.older = {n: size for n, size in lengths.items() if n not in self._logs()}

    def discard(self) -> None:
        """Delete all logs of a run that was killed before its first checkpoint."""
        own = [name for name in self.folder.names(CHECKPOINTS) if OWN.fullmatch(name)]
        for name in [*self._found_logs(), *own]:
            self.folder.remove(name)

    def _found_logs(self) -> list[str]:
        return [name for name in self.folder.names() if _is_log(name)]


def _is_log(name: str) -> bool:
    return name in (METRICS, TRAJECTORY) or EVENTS.fullmatch(name) is not None


def _is_position(state: Mapping[str, Any]) -> bool:
    """Whether a checkpoint's state is of the shape that ``commit`` writes."""
    return (
        state.keys() >= STATE
        and all(isinstance(state[key], dict) for key in STATE)
        and state["identity"].keys() >= IDENTITY
        and isinstance(state["identity"]["numerics"], dict)
        and all(isinstance(length, int) and length >= 0 for length in state["logs"].values())
        and all(map(_is_log, state["logs"]))
        and all(OWN.fullmatch(str(name)) for name in state["files"].values())
        and all(isinstance(part, dict) for part in state["position"].values())
    )
