"""ByPasses: what every epoch measured, by the passes of training that it took until then."""

from __future__ import annotations

from backproplab.loop import Callback, Lane
from backproplab.measures import of_split


class ByPasses(Callback):
    """``passes/loss``, …, whose step is the number of forward and backward passes.

    On this axis learners compare at equal cost, whatever a step of theirs is. A learner that makes
    none has no such axis.
    """

    def look(self, lane: Lane) -> None:
        progress = lane.progress
        for split in lane.journal.splits if progress.passes.total else ():
            row = of_split(split, progress.metrics)
            lane.journal.scalars(split, progress.passes.total, row, "passes/{}")
