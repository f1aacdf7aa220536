"""RunState: where a training run stands, and the one way to end it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Status = Literal["running", "paused", "completed", "pruned", "diverged", "interrupted", "failed"]
Row = dict[str, float]


@dataclass
class RunState:
    """The position of a run and what was measured there.

    epoch: epochs evaluated, one that ``steps`` cut short included. step: finished updates.
    examples: examples seen.
    metrics: the newest row, by Keras' names: ``loss``, ``accuracy``, ``val_loss``, …
    seconds: from the first step to the newest evaluation, with what callbacks do in between; of a
        run in lockstep its share of them.
    status: ``paused`` after one slice of several, ``pruned`` by a sweep, which chose others.
    best: the row (with its ``epoch``) where the monitored value was best.
    signal: the number of the signal that asked for the end, 0 if none did.
    """

    epoch: int = 0
    step: int = 0
    examples: int = 0
    metrics: Row = field(default_factory=dict)
    best: Row = field(default_factory=dict)
    seconds: float = 0.0
    signal: int = 0
    status: Status = "running"
    stop_reason: str = ""

    def request_stop(self, reason: str) -> None:
        """End the run after this step; the first reason given is the one that is told."""
        self.stop_reason = self.stop_reason or reason
