"""Trajectory: keeps the weights of a run at its beginning and after some of its epochs."""

from __future__ import annotations

import numpy as np

from backproplab.journal.trajectory import encode_row
from backproplab.learners import Arrays, Json
from backproplab.loop.callbacks import Callback
from backproplab.loop.lane import Lane


class Trajectory(Callback):
    """The first weights, and those after every n-th epoch, to the run's trajectory."""

    def __init__(self, every: int) -> None:
        self.every, self.begun = every, False

    def start(self, lane: Lane) -> None:
        if not self.begun:
            self.begun = True
            self._keep(lane)

    def look(self, lane: Lane) -> None:
        if lane.progress.epoch % self.every == 0:
            self._keep(lane)

    def _keep(self, lane: Lane) -> None:
        weights = np.concatenate([x.ravel() for x in lane.learning.weights.values()])
        lane.journal.visited(encode_row(lane.progress.epoch, lane.progress.step, weights))

    def state(self) -> tuple[Arrays, Json]:
        return {}, {"begun": self.begun}

    def restore(self, arrays: Arrays, state: Json) -> None:
        self.begun = bool(state["begun"])
