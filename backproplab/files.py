"""Whole files or none: the only place that writes a file which may not be found half-written."""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from backproplab.errors import MachineError

LIMITS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EMFILE: "too many open files",
    errno.EFBIG: "the file would exceed the allowed size",
    errno.ENAMETOOLONG: "the path is too long",
    errno.ENOTDIR: "a parent of it is a file",
    errno.ENOENT: "there is no such folder",
}


def is_plain_name(name: str) -> bool:
    """Whether a run may be called so: a folder's name on any system, and a readable one."""
    return bool(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name)) and ".." not in name


@contextmanager
def machine_limits(path: Path | str) -> Iterator[None]:
    """Turn an OSError that is the machine's limit into a MachineError that names the file."""
    try:
        yield
    except OSError as error:
        cause = LIMITS.get(error.errno or 0, (error.strerror or str(error)).lower())
        raise MachineError(f"{path}: cannot write: {cause}") from error


SYNCED = ContextVar("SYNCED", default=True)


@contextmanager
def unsynced() -> Iterator[None]:
    """Within, files are whole as ever, but need not survive a power cut: scratch space."""
    token = SYNCED.set(False)
    try:
        yield
    finally:
        SYNCED.reset(token)


def sync(descriptor: int) -> None:
    """Put what was written to the file on the disk itself (fsync)."""
    if SYNCED.get():
        os.fsync(descriptor)


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write ``content`` so that a reader, or a crash, sees the old file or the new one, whole.

    Temporary file in the same directory, fsync, rename, fsync of the directory.
    Raises MachineError; leaves no temporary file behind.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with machine_limits(path):
        try:
            with os.fdopen(os.open(temporary, flags, 0o644), "wb") as file:
                file.write(data)
                file.flush()
                sync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable, where the system lets a directory be synced."""
    if os.name != "posix" or not SYNCED.get():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
