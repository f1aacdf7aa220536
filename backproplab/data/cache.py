"""Arrays that are slow to decode, kept in the user's cache folder and mapped into memory.

An entry is a ``.npy`` file with a seal after its array: the SHA-256 of the source's path and state,
and the CRC-32 of the ``.npy`` bytes. Each source file has one entry, replaced when the file
changes. A cache only saves time: an unreadable or damaged entry counts as missing.
This file must not know what the arrays mean or how they are decoded.
"""

from __future__ import annotations

import hashlib
import io
import os
import zlib
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import MachineError
from backproplab.files import cache_folder, open_regular, write_atomic

SEAL = 32 + 4  # bytes


@dataclass(frozen=True)
class Entry:
    """The cached array of the file ``source``, valid while the file has this ``state``.

    source: its real path. state: numbers that change when the file changes.
    """

    source: str
    state: tuple[int, ...]

    @property
    def path(self) -> Path:
        return cache_folder() / f"{hashlib.sha256(os.fsencode(self.source)).hexdigest()}.npy"

    def recall(self) -> Array | None:
        """The array, read-only and mapped; None if it is missing, damaged or of another state."""
        with suppress(OSError, ValueError):
            os.close(open_regular(self.path))  # np.memmap would wait for a pipe
            content = np.memmap(self.path, np.uint8, "r").data
            if content[-SEAL:] == self._seal(content[:-SEAL]):
                return np.asarray(np.load(self.path, mmap_mode="r"))
        return None

    def keep(self, array: Array) -> None:
        """Write the entry atomically; do nothing if it cannot be written."""
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        file.write(self._seal(file.getvalue()))
        with suppress(OSError, MachineError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, file.getvalue())

    def _seal(self, content: memoryview | bytes) -> bytes:
        key = hashlib.sha256(repr((self.source, self.state)).encode()).digest()
        return key + zlib.crc32(content).to_bytes(4, "little")
