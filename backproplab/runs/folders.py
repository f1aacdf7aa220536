"""The log root, its sessions and experiments: their names, their markers, their creation.

    runs/.backproplab                     a log root
    runs/20191003-153452/.backproplab     a session: one invocation; binds its name to its inode
    runs/20191003-153452/exp1/            an experiment of it

A session appears whole, under a name that no other process has. This file must not know what an
experiment writes.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from itertools import count
from math import isfinite
from pathlib import Path
from typing import Any

from backproplab.errors import ConfigError, MachineError, Problem
from backproplab.files import (
    is_plain_name,
    machine_limits,
    parse_object,
    read_regular,
    sync_directory,
    write_atomic,
)
from backproplab.files.atomic import STALE, remove_temporaries

TOOL = "backproplab"
MARKER = ".backproplab"
SESSION = re.compile(r"[0-9]{8}-[0-9]{6}(-[0-9]{1,9})?")

UNMADE = re.compile(r"\.[0-9]{8}-[0-9]{6}\.[0-9a-f]{8}\.new")  # a session that is being made

Folder = Path | int  # a path, or the descriptor of an open directory


@dataclass(frozen=True)
class Marker:
    """What a session's marker says: the name and inode of the directory that it was made for.

    created: when, in seconds since the epoch. The name has the local time, which has no order.
    runs: those that it was made for, and the command that trains each alone.
    """

    directory: str
    inode: int
    created: float
    runs: dict[str, str] = field(default_factory=dict)
    tool: str = TOOL


def open_log_root(path: Path) -> Path:
    """The log root ``path``, made and marked where it is not yet; what is in it stays as it is.

    Raises ConfigError for a session, MachineError for a file or where nothing can be written.
    """
    if str(path).startswith("~"):
        hint = "give the whole path"
        raise ConfigError(f"{path}: no home directory is known by {path.parts[0]} — {hint}")
    if path.resolve() in (Path.cwd(), Path.home(), Path(path.anchor or "/")):
        raise ConfigError(f"{path} cannot be a log directory: 'clean' would never touch it")
    if read_marker(path) is not None:
        raise ConfigError(f"{path} is a session, not a log root — give {path.parent} instead")
    with machine_limits(path):
        if path.exists() and not path.is_dir():
            raise MachineError(f"{path}: cannot write: it is a file — choose another --log-dir")
        path.mkdir(parents=True, exist_ok=True)
        if not os.path.lexists(path / MARKER):
            write_atomic(path / MARKER, json.dumps({"tool": TOOL}))
    return path


def create_session(
    root: Path, runs: Mapping[str, str] | None = None, now: datetime | None = None
) -> Path:
    """A new directory ``%Y%m%d-%H%M%S`` (local time) in ``root``; ``-1``, ``-2`` … when taken.

    runs: the runs that it is for, each with the command that trains it alone.
    Raises MachineError and leaves nothing behind.
    """
    now = now or datetime.now()
    stamp = now.strftime("%Y%m%d-%H%M%S")
    place = root / f".{stamp}.{secrets.token_hex(4)}.new"
    with machine_limits(root):
        remove_unmade(root, STALE)
        place.mkdir()
        try:
            with _locked(place):
                inode = place.stat().st_ino
                for name in _names(root, stamp):
                    marker = Marker(name, inode, now.timestamp(), dict(runs or {}))
                    write_atomic(place / MARKER, json.dumps(asdict(marker)))
                    if _renamed(place, root / name):
                        place = root / name
                        break
            sync_directory(root)
        except BaseException:
            (place / MARKER).unlink(missing_ok=True)
            place.rmdir()
            raise
    return place


def _names(root: Path, stamp: str) -> Iterator[str]:
    """The names for a session that are free: the stamp, or the stamp with a number."""
    every = (f"{stamp}-{number}" if number else stamp for number in count())
    return (name for name in every if not os.path.lexists(root / name))


def _renamed(place: Path, session: Path) -> bool:
    """False if another process has just taken the session's name."""
    try:
        place.rename(session)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
            return False
        raise
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Around the making of a session. Raises BlockingIOError if another process makes it."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def remove_unmade(root: Path, age: float = 0.0) -> None:
    """Delete the sessions that killed processes were about to make, this many seconds ago."""
    for path in root.iterdir():
        if UNMADE.fullmatch(path.name) and time.time() - _modified(path) >= age:
            with suppress(OSError), _locked(path):
                remove_temporaries(path)
                (path / MARKER).unlink(missing_ok=True)
                path.rmdir()


def experiment_folder(session: Path, name: str) -> Path:
    """The place of the experiment ``name``, which the run itself makes.

    Raises ConfigError for a name that is not a plain file name or that the session already has,
    MachineError if the session is not there any more.
    """
    if not is_plain_name(name):
        raise ConfigError(
            Problem(
                "name",
                f"{name[:100]!r} cannot be a directory's name",
                "use 1 to 80 letters, digits, . _ -, a letter or digit first, no '..'",
            )
        )
    if not session.is_dir():
        raise MachineError(f"{session}: cannot write: the folder was deleted")
    folder = session / name
    if folder.exists():
        raise ConfigError(Problem("name", f"two experiments are called {name!r}", "rename one"))
    return folder


def never_begun(session: Path) -> dict[str, str]:
    """The runs that the session was made for and that have no folder, each with its command."""
    marker = read_marker(session)
    runs = marker.runs if marker else {}
    return {name: command for name, command in runs.items() if not (session / name).exists()}


def marker_path(folder: Folder) -> tuple[Path | str, int | None]:
    """The marker of ``folder`` as the (path, dir_fd) of an ``os`` call."""
    return (MARKER, folder) if isinstance(folder, int) else (folder / MARKER, None)


def read_marker(folder: Folder) -> Marker | None:
    """The marker of the session ``folder``; None when it has none that is whole."""
    path, descriptor = marker_path(folder)
    found = read_json(path, descriptor)
    directory, inode, created = (found.get(key) for key in ("directory", "inode", "created"))
    if found.get("tool") != TOOL or not (isinstance(directory, str) and isinstance(inode, int)):
        return None
    if not (isinstance(created, float) and isfinite(created)):  # version 0.1 did not write it
        created = _modified(path, descriptor)
    runs = found.get("runs")
    entries = runs.items() if isinstance(runs, dict) else ()
    return Marker(directory, inode, created, {name: str(command) for name, command in entries})


def is_marked(root: Path) -> bool:
    """Whether ``root`` has the marker of a log root, or of a session."""
    return read_json(root / MARKER).get("tool") == TOOL


def created(session: Folder) -> float:
    """When the session was made, in seconds since the epoch: what sessions are ordered by.

    A directory without a marker counts by the time when an entry was last made in it.
    """
    marker = read_marker(session)
    return marker.created if marker else _modified(session)


def _modified(path: Folder | str, directory: int | None = None) -> float:
    try:
        return os.stat(path, dir_fd=directory).st_mtime
    except OSError:
        return 0.0


def read_json(path: Path | str, directory: int | None = None) -> dict[str, Any]:
    """The object in a small JSON file; empty for anything else: see ``files.read_object``."""
    try:
        return parse_object(read_regular(path, directory=directory))
    except (OSError, ValueError):
        return {}
