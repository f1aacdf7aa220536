"""Whole files or none: the only place that writes a file which may not be found half-written.

What a run writes goes through here too, so that a worker can have it in memory.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Literal

from backproplab.errors import MachineError, reason

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


class machine_limits:
    """Turn an OSError that is the machine's limit into a MachineError that names the file."""

    def __init__(self, path: Path | str) -> None:
        self.path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            cause = LIMITS.get(error.errno or 0, reason(error))
            raise MachineError(f"{self.path}: cannot write: {cause}") from error


class _Kept(BytesIO):
    """A file in memory, whose bytes stay when it is closed."""

    def close(self) -> None:
        pass


MEMORY = Path(os.devnull)  # the root of the files in memory: on the disk nothing can be below it
Files = dict[Path, dict[str, _Kept]]  # by folder and name
IN_MEMORY: ContextVar[Files | None] = ContextVar("IN_MEMORY", default=None)


@contextmanager
def files_in_memory(files: Mapping[Path, bytes]) -> Iterator[dict[Path, bytes]]:
    """Within, what the functions of this file find and write below ``MEMORY`` is in memory.

    files: what there is at first. Gives a dictionary that holds, afterwards, what there is then.
    """
    memory, left = defaultdict[Path, dict[str, _Kept]](dict), dict[Path, bytes]()
    for path, content in files.items():
        memory[path.parent][path.name] = _Kept(content)
    token = IN_MEMORY.set(memory)
    try:
        yield left
    finally:
        IN_MEMORY.reset(token)
        for folder, within in memory.items():
            left |= {folder / name: file.getvalue() for name, file in within.items()}


def _memory(folder: Path) -> dict[str, _Kept] | None:
    """The files of a folder that is in memory."""
    memory = IN_MEMORY.get()
    return memory[folder] if memory is not None and folder.is_relative_to(MEMORY) else None


def make_folder(path: Path, parents: bool = False) -> None:
    """If it is missing."""
    if _memory(path) is None:
        path.mkdir(parents=parents, exist_ok=True)


def names_in(folder: Path) -> list[str]:
    within = _memory(folder)
    return [path.name for path in folder.iterdir()] if within is None else list(within)


def exists(path: Path) -> bool:
    within = _memory(path.parent)
    return path.exists() if within is None else path.name in within


def read_whole(path: Path) -> bytes:
    """Raises OSError."""
    within = _memory(path.parent)
    if within is None:
        return path.read_bytes()
    if path.name not in within:
        raise FileNotFoundError(errno.ENOENT, "there is no such file", str(path))
    return within[path.name].getvalue()


def open_log(path: Path, mode: Literal["ab", "xb"]) -> BinaryIO:
    """A file that grows, opened at its end, or made; ``append`` writes to it."""
    within = _memory(path.parent)
    if within is None:
        return path.open(mode, buffering=0)
    if mode == "xb" and path.name in within:
        raise FileExistsError(errno.EEXIST, "it is there already", str(path))
    file = within.setdefault(path.name, _Kept())
    file.seek(0, os.SEEK_END)
    return file


def append(file: BinaryIO, data: bytes) -> None:
    """Write all of it: when the call returns, it is with the operating system."""
    written = file.write(data)
    while written < len(data):
        written += file.write(memoryview(data)[written:])


def is_deleted(file: BinaryIO) -> bool:
    """Whether an open file has no name any more."""
    return not isinstance(file, _Kept) and os.fstat(file.fileno()).st_nlink == 0


def sync(file: BinaryIO) -> None:
    """Put what was written to the file on the disk itself (fsync)."""
    if not isinstance(file, _Kept):
        os.fsync(file.fileno())


def write_atomic(path: Path, content: bytes | str) -> None:
    """Write ``content`` so that a reader, or a crash, sees the old file or the new one, whole.

    Temporary file in the same directory, fsync, rename, fsync of the directory.
    Raises MachineError; leaves no temporary file behind.
    """
    data = content.encode() if isinstance(content, str) else content
    if (within := _memory(path.parent)) is not None:
        within[path.name] = _Kept(data)
        return
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    with machine_limits(path):
        try:
            with os.fdopen(os.open(temporary, flags, 0o644), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in ``path`` durable, where the system lets a directory be synced."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
