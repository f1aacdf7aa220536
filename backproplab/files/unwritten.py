"""UnwrittenFolder: a folder that is read as it is on the disk, and never written.

Of several processes that do the same work only one writes; the others hold this.
"""

from __future__ import annotations

from collections.abc import Mapping

from backproplab.files.folder import MOST, Folder, Log
from backproplab.files.reading import Limit


class UnwrittenFolder:
    """What is read comes from ``folder``; what is written vanishes."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def where(self, name: str = "") -> str:
        return self.folder.where(name)

    def create(self, files: Mapping[str, bytes]) -> None:
        pass

    def read(self, name: str, limit: Limit = MOST) -> bytes:
        return self.folder.read(name, limit)

    def replace(self, name: str, content: bytes) -> None:
        pass

    def alias(self, name: str, other: str) -> None:
        pass

    def log(self, name: str) -> Log:
        return UnwrittenLog()

    def names(self, below: str = "") -> list[str]:
        return self.folder.names(below)

    def size(self, name: str) -> int:
        return self.folder.size(name)

    def remove(self, name: str) -> None:
        pass

    def remove_temporaries(self) -> None:
        pass

    def sync(self) -> None:
        pass


class UnwrittenLog:
    """A growing file that keeps nothing but its length."""

    def __init__(self) -> None:
        self.length = 0

    def append(self, data: bytes) -> None:
        self.length += len(data)

    def cut(self, length: int) -> None:
        self.length = length

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass
