"""Saved: what a run has learned, for another one that begins with it.

A process keeps what it has read, or was sent, by its SHA-256: workers need no disk of the run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from backproplab.arrays import Array
from backproplab.errors import RunError
from backproplab.files import DiskFolder
from backproplab.files.reading import MIB
from backproplab.journal.journal import Journal

PREPARATION = "preparation.json"
LARGEST = 256 * MIB  # of preparation.json
WEIGHTS = "learner/weights/"  # of the checkpoint's arrays
Which = Literal["best", "last"]


@dataclass(frozen=True, eq=False)
class Saved:
    """Weights by name, and how inputs and targets were prepared, as JSON; empty if that is gone."""

    weights: Mapping[str, Array]
    preparation: bytes

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256(self.preparation)
        for name, array in sorted(self.weights.items()):
            digest.update(f"{name} {array.shape} {array.dtype.str};".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()


_known: dict[str, Saved] = {}


def read_weights(run: Path, wanted: Which = "best") -> tuple[Mapping[str, Array], Which]:
    """The weights of a run's checkpoint, and which they are: the last where none are best.

    Raises RunError for a run without a checkpoint, DamageError for a damaged one.
    """
    journal = Journal(DiskFolder(run), (), (), {})
    checkpoint = journal.read()
    if checkpoint is None:
        raise RunError(f"{run} has no checkpoint: it was stopped before its first one")
    if wanted == "best" and (best := journal.kept(checkpoint, "best")):
        return best, "best"
    start, last = len(WEIGHTS), checkpoint.arrays.items()
    return {name[start:]: x for name, x in last if name.startswith(WEIGHTS)}, "last"


def read_saved(run: Path) -> Saved:
    """What the run in this folder has learned, with the weights of its best epoch.

    Raises RunError for a folder without a run that has any.
    """
    try:
        preparation = DiskFolder(run).read(PREPARATION, LARGEST)
    except OSError:
        preparation = b""
    found = Saved(read_weights(run)[0], preparation)
    return _known.setdefault(found.sha256, found)


def saved(run: Path, sha256: str) -> Saved:
    """The same by its SHA-256. Raises RunError where the run has other weights now."""
    if sha256 in _known:
        return _known[sha256]
    found = read_saved(run)
    if found.sha256 != sha256:
        what = f"{run} has changed: SHA-256 {found.sha256[:12]}…, it was {sha256[:12]}…"
        raise RunError(f"{what} — begin a new run with it")
    return found


def keep(sent: Iterable[Saved]) -> None:
    """Know what another process has read."""
    for each in sent:
        _known.setdefault(each.sha256, each)
