"""One root seed, many independent random streams, each known by its name.

Changing how many numbers one stream draws (another initializer, say) leaves every other stream's
numbers alone. The names: ``data split init shuffle dropout search``.
"""

from __future__ import annotations

import zlib

import numpy as np

NAMES = ("data", "split", "init", "shuffle", "dropout", "search")


def stream(seed: int, name: str) -> np.random.Generator:
    """The generator of stream ``name`` under the root ``seed``: PCG64 on a spawned SeedSequence.

    >>> stream(42, "init").integers(100) == stream(42, "init").integers(100)
    np.True_
    """
    if name not in NAMES:
        raise ValueError(f"no stream {name!r}; one of {', '.join(NAMES)}")
    sequence = np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))
    return np.random.Generator(np.random.PCG64(sequence))
