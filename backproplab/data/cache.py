"""Arrays that took long to decode, kept in the user's cache folder and mapped into memory.

An entry is a ``.npy`` file with a seal behind its array: the SHA-256 of what it was made from, and
the CRC-32 of every byte before. There is one entry a source file, so that a file which changes
replaces its own. A cache only saves time: whatever is wrong with it, the answer is "not here".
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
from backproplab.files import write_atomic

VARIABLE = "BACKPROPLAB_CACHE"
SEAL = 32 + 4  # bytes


def folder() -> Path:
    """``$BACKPROPLAB_CACHE``, or ``backproplab`` in ``$XDG_CACHE_HOME``, or in ``~/.cache``."""
    own, shared = os.environ.get(VARIABLE), os.environ.get("XDG_CACHE_HOME")
    chosen = own or os.path.join(shared or "~/.cache", "backproplab")  # noqa: PTH118
    return Path(os.path.expanduser(chosen))  # noqa: PTH111  # Path's raises without a home


@dataclass(frozen=True)
class Entry:
    """What is kept of the file ``source`` while its ``state`` is this one.

    source: its real path. state: whatever is different once the file has changed.
    """

    source: str
    state: tuple[int, ...]

    @property
    def path(self) -> Path:
        return folder() / f"{hashlib.sha256(os.fsencode(self.source)).hexdigest()}.npy"

    def recall(self) -> Array | None:
        """The array, read-only and mapped; None if it is not here, of another state or damaged."""
        with suppress(OSError, ValueError):
            content = np.memmap(self.path, np.uint8, "r").data
            if content[-SEAL:] == self._seal(content[:-SEAL]):
                return np.asarray(np.load(self.path, mmap_mode="r"))
        return None

    def keep(self, array: Array) -> None:
        """Write the entry, whole or, where that is impossible, not at all."""
        file = io.BytesIO()
        np.save(file, array, allow_pickle=False)
        file.write(self._seal(file.getvalue()))
        with suppress(OSError, MachineError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.path, file.getvalue())

    def _seal(self, content: memoryview | bytes) -> bytes:
        key = hashlib.sha256(repr((self.source, self.state)).encode()).digest()
        return key + zlib.crc32(content).to_bytes(4, "little")
