"""The log root, its sessions and experiments: their names, their markers, their creation.

    runs/.backproplab                     a log root
    runs/20191003-153452/.backproplab     a session: one invocation; binds its name to its inode
    runs/20191003-153452/exp1/            an experiment of it

A directory comes into being by an exclusive ``mkdir``, so no two processes ever share one. This
file must not know what an experiment writes, nor how anything is deleted.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
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

TOOL = "backproplab"
MARKER = ".backproplab"
SESSION = re.compile(r"[0-9]{8}-[0-9]{6}(-[0-9]{1,9})?")

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
    with machine_limits(root):
        session = _make_first_free(root, now.strftime("%Y%m%d-%H%M%S"))
        try:
            inode, created = session.stat().st_ino, now.timestamp()
            marker = Marker(session.name, inode, created, dict(runs or {}))
            write_atomic(session / MARKER, json.dumps(asdict(marker)))
            sync_directory(root)
        except BaseException:
            (session / MARKER).unlink(missing_ok=True)
            session.rmdir()
            raise
    return session


def _make_first_free(root: Path, stamp: str) -> Path:
    for number in count():
        session = root / (f"{stamp}-{number}" if number else stamp)
        try:
            session.mkdir()
        except FileExistsError:
            continue
        return session
    raise AssertionError("count() does not end")


def experiment_folder(session: Path, name: str) -> Path:
    """The place of the experiment ``name``, which the run itself makes.

    Raises ConfigError for a name that is not a plain file name or that the session already has.
    """
    if not is_plain_name(name):
        raise ConfigError(
            Problem(
                "name",
                f"{name[:100]!r} cannot be a directory's name",
                "use 1 to 80 of A-Z a-z 0-9 . _ -, a letter or digit first, no '..'",
            )
        )
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
