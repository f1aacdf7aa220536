"""The trajectory: the weights of a run at its beginning and after some of its epochs, a log.

A row is ``int64 epoch, int64 step, the weights, uint32 crc`` (CRC-32 of what is before it),
little-endian. It must not know which epochs are kept, nor what the weights are of.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DamageError, reason
from backproplab.files import DiskFolder
from backproplab.journal.journal import TRAJECTORY, Journal

MOST = 2**30  # bytes of a trajectory


def row_type(weights: np.dtype[Any], size: int) -> np.dtype[Any]:
    """A row with ``size`` weights, as NumPy reads it."""
    own = (weights.newbyteorder("<"), (size,))
    return np.dtype([("epoch", "<i8"), ("step", "<i8"), ("weights", *own), ("crc", "<u4")])


def encode_row(epoch: int, step: int, weights: Array) -> bytes:
    """A row of the log. weights: (n,)."""
    row = np.zeros((), row_type(weights.dtype, len(weights)))
    row["epoch"], row["step"], row["weights"] = epoch, step, weights
    row["crc"] = _crc(row.tobytes())
    return row.tobytes()


def read_trajectory(run: Path, like: Array) -> tuple[Array, Array] | None:
    """(epochs (t,), weights (t, n)) up to the run's last checkpoint; None if it kept none.

    like: weights (n,) of the run.
    Raises DamageError for rows that are not whole, or not those of such weights.
    """
    folder = DiskFolder(run)
    journal = Journal(folder, (), (), {})
    checkpoint = journal.read()
    length = checkpoint.state["logs"].get(TRAJECTORY, 0) if checkpoint else 0
    if not length:
        return None
    where, form = folder.where(TRAJECTORY), row_type(like.dtype, len(like))
    try:
        content = folder.read(TRAJECTORY, MOST)[:length]
    except OSError as error:
        raise DamageError(f"{where}: cannot read: {reason(error)}") from error
    if len(content) < length or length % form.itemsize:
        raise DamageError(
            f"{where}: damaged: it is not made of whole rows of {len(like):,} weights"
        )
    rows = np.frombuffer(content, form)
    for number, row in enumerate(rows, start=1):
        if row["crc"] != _crc(row.tobytes()):
            raise DamageError(f"{where}: damaged: row {number} does not match its CRC-32")
    return rows["epoch"], rows["weights"]


def _crc(row: bytes) -> int:
    return zlib.crc32(row[:-4])
