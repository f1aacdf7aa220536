"""Whereabouts: where a descent of a function is, and its end where the function is flat."""

from __future__ import annotations

import numpy as np

from backproplab.learners.descent import CONVERGED
from backproplab.learners.objective import SLOPE, VALUE, Objective
from backproplab.loop.callbacks import Callback
from backproplab.loop.lane import Lane
from backproplab.measures import Measure


class Whereabouts(Callback):
    """After each epoch the variables, f and ‖∇f‖, in float64 from the weights as they are."""

    def __init__(self, objective: Objective) -> None:
        self.f, self.tolerance = objective.formula, objective.tolerance
        columns = (*self.f.names, VALUE, SLOPE)
        self.declares = tuple(Measure(name, None, name.replace("_", " ")) for name in columns)

    def look(self, lane: Lane) -> None:
        point = np.array([float(x) for x in lane.learning.weights.values()])
        value, slope = self.f.slope(point)
        norm = float(np.linalg.norm(slope))
        lane.report(
            {**dict(zip(self.f.names, point.tolist(), strict=True)), VALUE: value, SLOPE: norm}
        )
        if norm <= self.tolerance and self.tolerance:
            lane.request_stop(CONVERGED)
