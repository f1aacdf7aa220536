"""Checkpoint: arrays and a JSON state in one file, which is whole or absent.

The file is safetensors, so it never runs code and other tools can read its arrays. The state sits
in the metadata, with a digest of everything, because safetensors notices a cut file but not a
flipped bit. This file must not know what the arrays are, nor when a checkpoint is due.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import RunError, reason
from backproplab.files import read_regular

FORMAT = 2
READS = (1, FORMAT)  # 1: of version 0.1, whose arrays can be used, but not continued from
KEY = "backproplab"  # one metadata key: safetensors writes several in a random order
METADATA = "__metadata__"
HEADER = 10**8  # bytes of the longest header that safetensors reads
SMALL = 2**20  # bytes read of a file that is no safetensors file: enough to say so
HINT = "use another checkpoint, or train again from the run's config.yaml"


@dataclass(frozen=True, eq=False)  # == of arrays is not a truth value
class Checkpoint:
    """Arrays, and the position of the run when they were taken.

    arrays: name to array of bool, integer or float, of any shape; loaded ones are writable copies.
    state: strict JSON: text keys, lists, no tuples, NaN or infinities; whole numbers of any size.
    """

    arrays: Mapping[str, Array]
    state: dict[str, Any]
    format: int = FORMAT


def load(path: Path) -> Checkpoint:
    """Read a checkpoint file.

    Raises RunError, never returns a wrong state, when the file is missing, cut, changed in any
    bit, not a checkpoint, or of another format version.
    """
    try:
        return decode(read_regular(path, size_named, follow=True))
    except OSError as error:
        raise RunError(f"{path}: cannot read the checkpoint: {reason(error)} — {HINT}") from error
    except RunError as error:
        raise RunError(f"{path}: {error}") from error


def size_named(file: BinaryIO) -> int:
    """The size of a whole checkpoint by its header, so that no byte beyond it is read."""
    try:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length)) if length <= HEADER else {}
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name != METADATA]
        return int(8 + length + max(ends, default=0)) if header else SMALL
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return SMALL


def encode(checkpoint: Checkpoint) -> bytes:
    """The file's content; equal checkpoints give equal bytes.

    Raises ValueError for a state or an array that would not load as it was saved.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save as to_bytes

    # safetensors copies memory as it lies: C order and little-endian (asarray keeps 0-d arrays)
    arrays = {
        name: np.asarray(array, dtype=array.dtype.newbyteorder("<"), order="C")
        for name, array in checkpoint.arrays.items()
    }
    state = strict_json(checkpoint.state)
    record = f'{{"format": {FORMAT}, "sha256": "{_digest(arrays, state)}", "state": {state}}}'
    try:
        return to_bytes(arrays, {KEY: record})
    except SafetensorError as error:
        raise ValueError(f"an array cannot be stored: {error}") from error


def decode(content: bytes) -> Checkpoint:
    """What ``encode`` was given. Raises RunError for anything else."""
    from safetensors import SafetensorError
    from safetensors.numpy import load as from_bytes

    try:
        record = _record(content)
        if record["format"] not in READS:
            raise RunError(
                f"checkpoint of format {record['format']}, this backproplab reads {FORMAT} — "
                "use the version that wrote it"
            )
        if not isinstance(record["state"], dict):
            raise TypeError("the state is not a JSON object")
        arrays = from_bytes(content)
        intact = record["sha256"] == _digest(arrays, json.dumps(record["state"]))
    except (SafetensorError, ValueError, LookupError, TypeError, RecursionError) as error:
        raise RunError(f"damaged, or not a checkpoint of backproplab — {HINT}") from error
    if not intact:
        raise RunError(f"damaged: its content does not match its SHA-256 — {HINT}")
    return Checkpoint(arrays, record["state"], record["format"])


def _record(content: bytes) -> dict[str, Any]:
    """Our metadata. A safetensors file starts with the header's length, uint64, and its JSON."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    record: dict[str, Any] = json.loads(header[METADATA][KEY])
    return record


def strict_json(state: dict[str, Any]) -> str:
    """Its JSON. Raises ValueError for a state that would not load as it was saved."""
    try:
        text = json.dumps(state, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the state is not strict JSON: {error}") from error
    if json.loads(text) != state:
        raise ValueError("the state would not load as it was saved: a tuple, or a key not a text")
    return text


def _digest(arrays: Mapping[str, Array], state: str) -> str:
    """SHA-256 of the state's JSON and, by name, of each array's name, dtype, shape and bytes."""
    digest = hashlib.sha256(state.encode())
    for name, array in sorted(arrays.items()):
        digest.update(_title(name, array.dtype.str, array.shape))
        digest.update(array.ravel().data)
    return digest.hexdigest()


@lru_cache(maxsize=1024)  # the runs of a sweep have the same arrays
def _title(name: str, dtype: str, shape: tuple[int, ...]) -> bytes:
    return json.dumps([name, dtype, shape]).encode()
