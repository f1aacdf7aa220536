"""Telemetry: looks inside the network a few times a run, and writes what it finds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from backproplab.arrays import Array
from backproplab.learners import Arrays, Inside, Json
from backproplab.loop import Callback, Lane
from backproplab.telemetry.charts import charts
from backproplab.telemetry.figures import (
    figures,
    spreads,
    spreads_of,
    update_ratios,
    weights_before,
)
from backproplab.telemetry.jacobians import jacobian_sizes
from backproplab.telemetry.schedule import Both, Looks

Measured = Callable[[Inside], Sequence[dict[str, float]]]  # scalars by tag, for each member


class Telemetry(Callback):
    """Scalars and histograms of every layer at looks, in ``train``.

    scalars, histograms: when to write which.  more: measured with the scalars, on request.
    Steps are those of ``epoch_*``, from 0 after the first epoch; the look before the first update
    has step -1. The update that it describes is the last one of the epoch.
    """

    def __init__(self, scalars: Looks, histograms: Looks, more: Sequence[Measured] = ()) -> None:
        self.scalars = scalars
        self.histograms = histograms
        self.more = more
        self.when = self.looks = Both(scalars, histograms)
        self.begun = False
        self.before: Array | None = None  # the weights before a look's last update

    def start(self, lane: Lane) -> None:
        if not self.begun:
            self.begun = True
            lane.journal.layout(charts(lane.journal.columns, jacobian_sizes in self.more))
            self.look(lane)

    def look(self, lane: Lane) -> None:
        step, learning = lane.progress.step, lane.learning
        if self.looks.at(step):
            update = {} if self.before is None else _difference(learning.weights, self.before)
            at = lane.progress.epoch if step else -1
            if self.scalars.at(step):
                self._write_scalars(lane, at, update)
            if self.histograms.at(step):
                found = learning.inspect(spreads) or spreads_of("weights", learning.weights)
                lane.journal.histograms(at, {**found, **spreads_of("updates", update)})
        self.before = learning.inspect(weights_before) if self.looks.at(step + 1) else None

    def _write_scalars(self, lane: Lane, at: int, update: Arrays) -> None:
        row = lane.learning.inspect(figures)
        if row is None:
            return
        row = row | update_ratios(update, row)
        for measured in self.more:
            row |= lane.learning.inspect(measured) or {}
        lane.journal.scalars("train", at, row)

    def state(self) -> tuple[Arrays, Json]:
        before = {} if self.before is None else {"before": self.before}
        return before, {"begun": self.begun}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.before = arrays.get("before")
        self.begun = state["begun"]


def _difference(weights: Arrays, before: Array) -> dict[str, Array]:
    """What was added to the weights, by name; statistics, which come last, are none."""
    ends = accumulate(x.size for x in weights.values())
    return {
        name: x - before[end - x.size : end].reshape(x.shape)
        for (name, x), end in zip(weights.items(), ends, strict=True)
        if end <= before.size
    }
