"""Whole files or none: the only place that writes a file which may not be found half-written."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from backproplab.errors import DamageError, MachineError, RunError, reason
from backproplab.files.reading import UnusableFile
from backproplab.files.syncing import sync, sync_names

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
TEMPORARY = re.compile(r"\.(.+)\.[0-9a-f]{8}\.tmp", re.DOTALL)  # a file that is being written
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)  # no link is followed
STALE = 60.0  # seconds after which nobody writes a file any more
HIDDEN = re.compile(r"\.(.+)\.new", re.DOTALL)  # a folder that is being written


class machine_limits:
    """Turn an OSError that is the machine's limit into a MachineError that names the file.

    DamageError if something else than a regular file is in the file's place.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UnusableFile):
            raise DamageError(f"{self.path}: cannot write: {reason(error)}") from error
        if isinstance(error, OSError):
            cause = LIMITS.get(error.errno or 0, reason(error))
            raise MachineError(f"{self.path}: cannot write: {cause}") from error


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write ``content`` so that a reader, or a crash, sees the old file or the new one, whole.

    Temporary file in the same directory, fsync, rename, fsync of the directory.
    Raises MachineError; leaves no temporary file behind, nor one of a killed process.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    data = content.encode(errors="replace") if isinstance(content, str) else content
    with machine_limits(path):
        try:
            with _synced(temporary, data):
                temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    remove_temporaries(path.parent, path.name, STALE)


def remove_temporaries(folder: Path, of: str = "", age: float = 0.0) -> None:
    """Delete the temporary files of killed processes in a folder.

    of: the file that they were to become; by default any. age: seconds that they must be old, where
    other processes may write: one is locked by its writer, but not from its first instant on.
    What is locked, or cannot be deleted, stays.
    """
    with suppress(OSError):
        for path in folder.iterdir():
            found = TEMPORARY.fullmatch(path.name)
            if found and of in ("", found[1]) and time.time() - path.lstat().st_mtime >= age:
                _remove_unless_locked(path)


def _remove_unless_locked(path: Path) -> None:
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        finally:
            os.close(descriptor)


def exclusive_folder(path: Path, files: Mapping[str, bytes]) -> None:
    """Create the folder ``path`` with these files in it: all of them appear at once.

    An empty folder there is used. Raises RunError for one that holds anything, MachineError.
    """
    path = path.absolute()
    hidden = path.with_name(f".{path.name}.new")  # what a killed process left is replaced
    with machine_limits(path):
        if path.is_dir() and any(path.iterdir()):
            raise RunError(f"{path} is not empty; give each run a folder of its own")
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir()
        try:
            write_together(hidden, files, path.joinpath)
            hidden.rename(path)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise
        sync_directory(path.parent)


def write_together(
    folder: Path, files: Mapping[str, bytes], named: Callable[[str], Path] | None = None
) -> None:
    """Write new files into a folder, and wait until all of them are on the disk.

    All are written before the first is waited for, and they are waited for together: measured on
    ext4, 30 ms for 512 files instead of 230 ms. A file that is there is replaced, but not its
    other links.
    named: what a message calls a file, by its name. Raises MachineError that names the file.
    """
    root, named = str(folder), named or folder.joinpath
    places = sorted({".", *(name.rpartition("/")[0] or "." for name in files)})

    def each(act: Callable[[str], None], names: Iterable[str]) -> None:
        for name in names:
            try:
                act(name)
            except OSError:
                with machine_limits(named(name)):
                    raise

    each(lambda name: (folder / name).mkdir(parents=True, exist_ok=True), places)
    each(lambda name: _write_new(f"{root}/{name}", files[name]), files)
    with machine_limits(named(".")):
        sync_names(root, [*files, *places], partial(each, lambda name: sync(f"{root}/{name}")))


def _write_new(path: str, content: bytes) -> None:
    try:
        descriptor = os.open(path, NEW, 0o644)
    except FileExistsError:
        Path(path).unlink()
        descriptor = os.open(path, NEW, 0o644)
    try:
        while content:  # a signal, or a full disk, cuts a write
            content = content[os.write(descriptor, content) :]
    finally:
        os.close(descriptor)


@contextmanager
def _synced(path: Path, content: bytes) -> Iterator[None]:
    """A new file that is on the disk, and locked within: see ``remove_temporaries``."""
    with os.fdopen(os.open(path, NEW, 0o644), "wb") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
        yield


def link(source: str, target: str) -> None:
    """The same file once more; a copy where the file system knows no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable, where the system lets a directory be synced."""
    if os.name == "posix":
        sync(path)
