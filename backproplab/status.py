"""Status: how a run stands or ended, as run.json holds it."""

from __future__ import annotations

from enum import StrEnum


class Status(StrEnum):
    """``paused`` after one of several slices; ``pruned`` by a sweep that preferred other trials."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"

    @property
    def is_final(self) -> bool:
        """Whether a sweep takes such a run as it is; it repeats or continues any other."""
        return self in (Status.COMPLETED, Status.PRUNED, Status.DIVERGED)

    @property
    def is_resumable(self) -> bool:
        """Whether training can continue from the last checkpoint, without more epochs."""
        return self in (Status.RUNNING, Status.PAUSED, Status.INTERRUPTED, Status.FAILED)

    @property
    def counts(self) -> bool:
        """Whether the run's metrics count in tables and rankings."""
        return self in (Status.COMPLETED, Status.PRUNED)
