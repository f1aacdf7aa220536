"""Reading what may not be what it should: the one place that opens files of runs and sweeps.

A run's folder may hold anything. A pipe blocks its reader for ever, a link to /dev/zero has no end,
a sparse file is larger than memory. So a file is opened without waiting and without following a
link, must be a regular file, and is at most as large as its kind can be.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from backproplab.errors import DamageError, reason

KIB, MIB = 2**10, 2**20
DEEPEST = 64  # containers inside each other in a JSON file
KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
Limit = int | Callable[[BinaryIO], int]  # bytes, or what gives them from the file's beginning


class UnusableFile(OSError):
    """What is at a path cannot be used as a file of its kind, whatever the permissions."""


def open_regular(
    path: Path | str, flags: int = os.O_RDONLY, directory: int | None = None, follow: bool = False
) -> int:
    """The descriptor of a regular file; it never waits.

    directory: the descriptor of an open directory that ``path`` is relative to.
    follow: open the target of a symbolic link, for a file that the user names.
    Raises UnusableFile if anything else is at the path, OSError.
    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        descriptor = os.open(path, flags, 0o644, dir_fd=directory)
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENXIO, errno.EISDIR):  # a link, a socket or pipe
            status = os.stat(path, dir_fd=directory, follow_symlinks=follow)
            raise _not_regular(status.st_mode) from error
        raise
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return descriptor
    os.close(descriptor)
    raise _not_regular(mode)


def _not_regular(mode: int) -> UnusableFile:
    kind = KINDS.get(stat.S_IFMT(mode), "of an unknown kind")
    return UnusableFile(errno.EINVAL, f"it is {kind}, not a regular file")


def read_regular(
    path: Path | str, limit: Limit = MIB, directory: int | None = None, follow: bool = False
) -> bytes:
    """The content of a regular file of at most ``limit`` bytes.

    Raises UnusableFile for anything else, OSError.
    """
    descriptor = open_regular(path, directory=directory, follow=follow)
    with os.fdopen(descriptor, "rb") as file:
        size = os.fstat(descriptor).st_size
        most = limit if isinstance(limit, int) else limit(file)
        file.seek(0)
        content = file.read(size or most + 1) if size <= most else b""  # /proc hides sizes
        if max(size, len(content)) > most:
            bound = f"{most // MIB} MiB" if most % MIB == 0 else f"{most:,} bytes"
            raise UnusableFile(errno.EFBIG, f"it is larger than {bound}")
        return content


def read_object(path: Path, limit: int = MIB) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file.

    Raises DamageError, which names the file, for anything that is not a JSON object.
    """
    try:
        return parse_object(read_regular(path, limit))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DamageError(f"{path}: {unusable(error)}") from error


def parse_object(text: bytes) -> dict[str, Any]:
    """The object that the JSON holds. Raises ValueError for anything else."""
    if not text:
        raise ValueError("it is empty")
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(found, dict):
        raise ValueError("it is not a JSON object")
    brackets = text.count(b"{") + text.count(b"[")  # as few as a record has cannot be deep
    if brackets >= DEEPEST and _is_deep(found):
        raise ValueError(f"it is nested deeper than {DEEPEST}")
    return found


def _is_deep(value: Any) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        inside = [v.values() if isinstance(v, dict) else v for v in level if _is_container(v)]
        if not inside:
            return False
        level = [item for items in inside for item in items]
    return True


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list)


def unusable(error: Exception) -> str:
    """How a message says that a file cannot be read, or that its content is damaged."""
    word = "damaged" if isinstance(error, ValueError) else "cannot read"
    return f"{word}: {reason(error)}"
