"""Folder: where a run writes, on the disk or in memory; a writer is handed one.

Names are relative and may hold ``/``; folders in between are made as they are needed. Files are
either replaced as a whole or logs, which only grow. This file must not know what is in them.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from backproplab.errors import MachineError, RunError
from backproplab.files.atomic import (
    TEMPORARY,
    exclusive_folder,
    machine_limits,
    sync_directory,
    write_atomic,
)
from backproplab.files.reading import Limit, open_regular, read_regular

MOST = 2**30  # bytes of a file that is read without a limit of its own


class Log(Protocol):
    """A file that grows."""

    @property
    def length(self) -> int:
        """Bytes in it."""

    def append(self, data: bytes) -> None:
        """Write all of it: when this returns, it is with the operating system.

        Raises MachineError where it cannot be written, or the file was deleted meanwhile.
        """

    def cut(self, length: int) -> None:
        """Shorten it to its first ``length`` bytes."""

    def sync(self) -> None:
        """Put what was written on the disk itself, where it survives a power cut."""

    def close(self) -> None: ...


class Folder(Protocol):
    """Named files. Reading raises OSError, writing MachineError, either of them for what is not a
    regular file: UnusableFile and DamageError."""

    def create(self, files: Mapping[str, bytes]) -> None:
        """Make the folder with these files in it, all at once.

        Raises RunError if there is anything in it.
        """

    def read(self, name: str, limit: Limit = MOST) -> bytes:
        """The content of a file of at most ``limit`` bytes."""

    def replace(self, name: str, content: bytes) -> None:
        """Write the file; a reader, or a crash, finds the old one or the new one, whole."""

    def alias(self, name: str, other: str) -> None:
        """Let the file ``name``, as it is now, be found as ``other`` too, in the same folder."""

    def log(self, name: str) -> Log:
        """A file that grows, opened at its end; made if it is missing."""

    def names(self, below: str = "") -> list[str]:
        """The files below a folder; none where there is no such folder."""

    def size(self, name: str) -> int:
        """Bytes of a file that is there."""

    def remove(self, name: str) -> None: ...

    def sync(self) -> None:
        """Make the names of new logs durable."""

    def where(self, name: str = "") -> str:
        """How a message names a file, or the folder itself."""


class DiskFolder:
    """A folder on the disk, made when something is written; never again if it vanishes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._was_there = path.is_dir()
        self._unsynced: set[Path] = set()  # folders with new names

    def where(self, name: str = "") -> str:
        return str(self.path / name) if name else str(self.path)

    def create(self, files: Mapping[str, bytes]) -> None:
        exclusive_folder(self.path, files)
        self._was_there = True

    def read(self, name: str, limit: Limit = MOST) -> bytes:
        return read_regular(self.path / name, limit)

    def replace(self, name: str, content: bytes) -> None:
        self._prepare(name)
        self.sync()  # the name of a new folder, before the file in it is relied upon
        write_atomic(self.path / name, content)

    def alias(self, name: str, other: str) -> None:
        source, target = self.path / name, self.path / other
        temporary = target.with_name(f".{target.name}.00000000.tmp")
        with machine_limits(target):
            temporary.unlink(missing_ok=True)
            try:
                os.link(source, temporary)
            except OSError:  # a file system without links
                write_atomic(target, self.read(name))
                return
            temporary.replace(target)
            temporary.unlink(missing_ok=True)  # a rename to another link of itself does nothing

    def log(self, name: str) -> DiskLog:
        self._prepare(name)
        path = self.path / name
        if not path.exists():
            self._unsynced.add(path.parent)
        return DiskLog(path)

    def names(self, below: str = "") -> list[str]:
        found = (self.path / below).rglob("*")
        return [path.relative_to(self.path).as_posix() for path in found if _is_regular(path)]

    def size(self, name: str) -> int:
        return (self.path / name).lstat().st_size

    def remove(self, name: str) -> None:
        with machine_limits(self.path / name):
            (self.path / name).unlink(missing_ok=True)

    def remove_temporaries(self) -> None:
        """Delete what a killed process has left half-written."""
        for name in self.names():
            if TEMPORARY.fullmatch(name.rpartition("/")[2]):
                self.remove(name)

    def sync(self) -> None:
        with machine_limits(self.path):
            for folder in self._unsynced:
                sync_directory(folder)
        self._unsynced.clear()

    def _prepare(self, name: str) -> None:
        parent = (self.path / name).parent
        if not parent.is_dir():
            if self._was_there and not self.path.is_dir():
                raise MachineError(f"{self.path}: cannot write: the folder was deleted")
            with machine_limits(parent):
                parent.mkdir(parents=True, exist_ok=True)
            self._was_there = True
            self._unsynced.add(parent.parent)


def _is_regular(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False


class DiskLog:
    """A growing file on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with machine_limits(path):
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            self._file = os.fdopen(open_regular(path, flags), "ab", buffering=0)
            self.length = os.fstat(self._file.fileno()).st_size

    def append(self, data: bytes) -> None:
        if self._file.closed:
            raise MachineError(f"{self.path}: cannot write: the file was closed after an error")
        with machine_limits(self.path):
            try:
                written = self._file.write(data)
                while written < len(data):
                    written += self._file.write(memoryview(data)[written:])
                if os.fstat(self._file.fileno()).st_nlink == 0:
                    raise OSError(errno.ENOENT, "the file was deleted during the run")
            except OSError:
                with suppress(OSError):  # which gives its room back to the record of the failure
                    os.ftruncate(self._file.fileno(), self.length)
                self._file.close()  # a torn record can only be the last one
                raise
        self.length += len(data)

    def cut(self, length: int) -> None:
        with machine_limits(self.path):
            os.ftruncate(self._file.fileno(), length)
        self.length = length

    def sync(self) -> None:
        with machine_limits(self.path):
            if not self._file.closed:
                os.fsync(self._file.fileno())

    def close(self) -> None:
        with machine_limits(self.path):
            self._file.close()


class MemoryFolder:
    """A folder in memory, for a worker whose results travel as bytes.

    files: name -> content, what there is at first.
    """

    def __init__(self, files: Mapping[str, bytes] | None = None) -> None:
        self._files: dict[str, bytes | bytearray] = dict(files or {})

    @property
    def files(self) -> dict[str, bytes]:
        """Every file as it is now."""
        return {name: bytes(content) for name, content in self._files.items()}

    def where(self, name: str = "") -> str:
        return name

    def create(self, files: Mapping[str, bytes]) -> None:
        if self._files:
            raise RunError("the folder is not empty; give each run a folder of its own")
        self._files.update(files)

    def read(self, name: str, limit: Limit = MOST) -> bytes:
        if name not in self._files:
            raise FileNotFoundError(errno.ENOENT, "there is no such file", name)
        return bytes(self._files[name])

    def replace(self, name: str, content: bytes) -> None:
        self._files[name] = content

    def alias(self, name: str, other: str) -> None:
        self._files[other] = self._files[name]

    def log(self, name: str) -> MemoryLog:
        content = bytearray(self._files.get(name, b""))
        self._files[name] = content
        return MemoryLog(content)

    def names(self, below: str = "") -> list[str]:
        prefix = f"{below}/" if below else ""
        return [name for name in self._files if name.startswith(prefix)]

    def size(self, name: str) -> int:
        return len(self._files[name])

    def remove(self, name: str) -> None:
        self._files.pop(name, None)

    def remove_temporaries(self) -> None:
        pass

    def sync(self) -> None:
        pass


class MemoryLog:
    """A growing file in memory."""

    def __init__(self, content: bytearray) -> None:
        self._content = content

    def append(self, data: bytes) -> None:
        self._content += data

    @property
    def length(self) -> int:
        return len(self._content)

    def cut(self, length: int) -> None:
        del self._content[length:]

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass
