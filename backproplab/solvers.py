"""Solvers of dy/dt = f(t, y): explicit Runge-Kutta methods, and the control of their steps.

A method only adds and multiplies, so that y may be an array or a tensor. This file must not know
what y is, nor who keeps its position between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array

LEAST, MOST, SAFETY = 0.2, 10.0, 0.9  # of the change of a step's length; SciPy, torchdiffeq
Slope = Callable[[float, Any], Any]


class Method(NamedTuple):
    """An explicit Runge-Kutta method, as a Butcher tableau.

    times, rows: of the stages after the first one, t + c h and y + h Σ a k; the last is the result.
    error: weights of all slopes, that of the result included, in the estimated error; empty for a
        method whose step has a fixed length.
    order: of the result.
    """

    times: tuple[float, ...]
    rows: tuple[tuple[float, ...], ...]
    error: tuple[float, ...]
    order: int

    def step(self, slope: Slope, t: float, y: Any, first: Any, h: float) -> tuple[Any, list[Any]]:
        """(y at t + h, the slopes of all stages).

        first: f(t, y).  With an error estimate the last slope is the first one of the next step.
        """
        slopes, stages = [first], zip(self.times, self.rows, strict=True)
        for number, (c, row) in enumerate(stages, start=1):
            end = y + sum(h * a * k for a, k in zip(row, slopes, strict=True) if a)
            if number < len(self.rows) or self.error:
                slopes.append(slope(t + c * h, end))
        return end, slopes

    def ratio(self, h: float, slopes: Sequence[Array], scale: Array) -> float:
        """The estimated error in units of ``scale``, root mean square; a step is good up to 1."""
        error = sum(h * e * k for e, k in zip(self.error, slopes, strict=True) if e)
        found = rms(error / scale)
        return found if np.isfinite(found) else np.inf

    def factor(self, ratio: float) -> float:
        """By what the step's length is multiplied after an error of this ratio."""
        return min(MOST, max(LEAST, SAFETY * ratio ** (-1 / self.order))) if ratio else MOST


EULER = Method((1.0,), ((1.0,),), (), 1)

# Dormand and Prince 1980, RK5(4)7M
DOPRI5 = Method(
    (1 / 5, 3 / 10, 4 / 5, 8 / 9, 1.0, 1.0),
    (
        (1 / 5,),
        (3 / 40, 9 / 40),
        (44 / 45, -56 / 15, 32 / 9),
        (19372 / 6561, -25360 / 2187, 64448 / 6561, -212 / 729),
        (9017 / 3168, -355 / 33, 46732 / 5247, 49 / 176, -5103 / 18656),
        (35 / 384, 0.0, 500 / 1113, 125 / 192, -2187 / 6784, 11 / 84),
    ),
    (71 / 57600, 0.0, -71 / 16695, 71 / 1920, -17253 / 339200, 22 / 525, -1 / 40),
    5,
)
METHODS = {"euler": EULER, "dopri5": DOPRI5}


def first_step(
    method: Method, slope: Slope, t: float, y: Array, first: Array, scale: Array
) -> float:
    """A length for the first step: Hairer, Nørsett and Wanner 1993, section II.4."""
    size, speed = rms(y / scale), rms(first / scale)
    trial = 0.01 * size / speed if min(size, speed) >= 1e-5 else 1e-6
    bend = rms((slope(t + trial, y + trial * first) - first) / scale) / trial
    steepest = max(speed, bend)
    if steepest <= 1e-15:
        return max(1e-6, trial * 1e-3)
    return min(100 * trial, (0.01 / steepest) ** (1 / method.order))


def rms(x: Array) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.mean(np.square(x))))
