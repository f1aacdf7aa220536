"""May this be deleted? What a clean refuses as its root, and what it leaves alone in it.

Everything is judged through the descriptor of an open directory, so that what was judged is what
is deleted, whatever takes its name meanwhile. This file must not delete anything.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backproplab.errors import RefusedError, reason
from backproplab.runs.folders import SESSION, read_marker

TRASH = re.compile(r"\.trash-[0-9a-f]{32}")
OPEN = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW


def is_absent(root: Path | str) -> bool:
    """True where nothing is, not even a link to nowhere."""
    try:
        _given(root).lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        pass
    return False


@contextmanager
def opened_root(root: Path | str) -> Iterator[tuple[int, Path]]:
    """The root's descriptor, and its path without links.

    Raises RefusedError for a link, no directory, a place that is or holds the home or current
    directory, the top of a git work tree, and a session.
    """
    path = _given(root)
    try:
        if path.is_symlink():
            raise RefusedError(f"refused: {path} is a symbolic link — give the directory itself")
        folder = os.open(path, OPEN)
    except (OSError, ValueError) as error:
        raise RefusedError(f"refused: {path}: {reason(error)} — give a log directory") from error
    try:
        _refuse_unsafe(path, folder)
        yield folder, path.resolve()
    finally:
        os.close(folder)


def _given(root: Path | str) -> Path:
    if not str(root):
        raise RefusedError("refused: the log directory's name is empty — give one with --log-dir")
    return Path(root)  # drops a last slash, which would make the system follow a link


def _refuse_unsafe(path: Path, folder: int) -> None:
    for what, place in _precious():
        for above in (place, *place.parents):
            with suppress(OSError):
                if os.path.samestat(os.fstat(folder), above.stat()):
                    raise RefusedError(f"refused: {path} is or holds {what} — give a log directory")
    if ".git" in names_in(folder):
        raise RefusedError(f"refused: {path} is the top of a git work tree — give a log directory")
    if read_marker(folder) is not None:
        raise RefusedError(f"refused: {path} is a session — give its log root, {path.parent}")


def _precious() -> Iterator[tuple[str, Path]]:
    """The home directory, by the environment and by the system, and the current directory."""
    with suppress(RuntimeError, OSError):
        yield "your home directory", Path.home().resolve()
    with suppress(KeyError, OSError):
        yield "your home directory", Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    with suppress(OSError):
        yield "the current directory", Path.cwd()


@contextmanager
def opened(root: int, name: str) -> Iterator[int]:
    """The descriptor of the directory ``name`` in ``root``; OSError for a link or no directory."""
    folder = os.open(name, OPEN, dir_fd=root)
    try:
        yield folder
    finally:
        os.close(folder)


def not_ours(root: int, path: Path, folder: int) -> str:
    """Why the open directory ``folder`` must not be deleted; "" if it may."""
    status, leftover, marker = os.fstat(folder), TRASH.fullmatch(path.name), read_marker(folder)
    if status.st_uid != os.geteuid():
        return "belongs to another user"
    if status.st_dev != os.fstat(root).st_dev or _is_mounted_in(path):
        return "another file system is mounted in it"
    if leftover and not names_in(folder):
        return ""
    if marker is None:
        return "no session of ours: it has no valid marker"
    if marker.inode != status.st_ino or not SESSION.fullmatch(marker.directory):
        return "a copy: its marker was made for another directory"
    if not leftover and marker.directory != path.name:
        return f"renamed: its marker was made for {marker.directory}"
    return ""


def _is_mounted_in(path: Path) -> bool:
    """True when ``path`` or something in it is a mount point: a bind mount has the same device."""
    try:
        lines = Path("/proc/self/mountinfo").read_bytes().splitlines()
    except OSError:
        return False
    inside = os.fsencode(path) + b"/"
    points = (
        re.sub(rb"\\([0-7]{3})", lambda m: bytes([int(m[1], 8)]), l.split()[4]) for l in lines
    )
    return any((point + b"/").startswith(inside) for point in points)


def names_in(folder: int) -> list[str]:
    """The names in an open directory, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)
