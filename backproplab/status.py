"""Status: whether a run is under way, or how it ended, as run.json holds it."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """``paused`` after one of several slices; ``pruned`` by a sweep that preferred other trials;
    ``unreadable`` of a run.json that is missing or damaged, never written."""

    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    PRUNED = "pruned"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    UNREADABLE = "unreadable"

    @classmethod
    def read(cls, value: Any) -> Status:
        """The status that a run.json, maybe a damaged one, holds."""
        return cls(value) if value in list(cls) else cls.UNREADABLE

    @property
    def is_final(self) -> bool:
        """Whether a sweep takes such a run as it is; it repeats or continues any other."""
        return self in (Status.COMPLETED, Status.PRUNED, Status.DIVERGED)

    @property
    def has_ended(self) -> bool:
        """Whether nothing but a repetition can come of it."""
        return self.is_final or self is Status.FAILED

    @property
    def is_under_way(self) -> bool:
        """Whether it has neither ended nor failed: what it has measured so far is sound."""
        return self in (Status.RUNNING, Status.PAUSED, Status.INTERRUPTED)

    @property
    def counts(self) -> bool:
        """Whether the run's metrics count in tables and rankings."""
        return self in (Status.COMPLETED, Status.PRUNED)
