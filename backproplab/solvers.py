"""Solvers of dy/dt = f(t, y): explicit Runge-Kutta methods, and the control of their steps.

They only add and multiply, so that y may be an array or a tensor; its size is taken by a function
that the caller brings. This file must not know what y is, nor who keeps its position between steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from backproplab.arrays import Array

LEAST, MOST, SAFETY = 0.2, 10.0, 0.9  # of the change of a step's length; SciPy, torchdiffeq
SHORTEST = 1e-13  # length of a step, as a share of the whole time
TRIES = 10_000  # steps of controlled length, rejected ones included, that a solution may take
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

    def defect(self, h: float, slopes: Sequence[Any]) -> Any:
        """The estimated error of a step."""
        return sum(h * e * k for e, k in zip(self.error, slopes, strict=True) if e)

    def factor(self, ratio: float) -> float:
        """By what the step's length is multiplied after an error of this ratio."""
        return min(MOST, max(LEAST, SAFETY * ratio ** (-1 / self.order))) if ratio else MOST


EULER = Method((1.0,), ((1.0,),), (), 1)
MIDPOINT = Method((0.5, 1.0), ((0.5,), (0.0, 1.0)), (), 2)
# the classic one, Kutta 1901; torchdiffeq's "rk4" is his other one, the 3/8 rule
RK4 = Method(
    (0.5, 0.5, 1.0, 1.0),
    ((0.5,), (0.0, 0.5), (0.0, 0.0, 1.0), (1 / 6, 1 / 3, 1 / 3, 1 / 6)),
    (),
    4,
)

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
METHODS = {"euler": EULER, "midpoint": MIDPOINT, "rk4": RK4, "dopri5": DOPRI5}


class Tolerance(NamedTuple):
    """The allowed error of a step: rtol |y| + atol for each entry."""

    rtol: float
    atol: float

    def ratio(self, x: Array, *positions: Array) -> float:
        """x in units of the error allowed at the largest of these positions, root mean square.

        An error is small enough up to 1. ∞ where anything is not finite.
        """
        scale = self.atol + self.rtol * np.max(np.abs(positions), axis=0)
        found = rms(x / scale)
        return found if np.isfinite(found) and np.isfinite(scale).all() else np.inf


class Taken(NamedTuple):
    """An accepted step: y and its slope at the end, its length, and that of the next one."""

    y: Any
    slope: Any
    length: float
    following: float


Ratio = Callable[..., float]  # as Tolerance.ratio, of what y is


def first_step(method: Method, slope: Slope, t: float, y: Any, first: Any, ratio: Ratio) -> float:
    """A length for the first step: Hairer, Nørsett and Wanner 1993, section II.4."""
    size, speed = ratio(y, y), ratio(first, y)
    trial = 0.01 * size / speed if min(size, speed) >= 1e-5 else 1e-6
    bend = ratio(slope(t + trial, y + trial * first) - first, y) / trial
    steepest = max(speed, bend)
    if steepest <= 1e-15:
        return max(1e-6, trial * 1e-3)
    return min(100 * trial, (0.01 / steepest) ** (1 / method.order))


def controlled_step(
    method: Method, slope: Slope, t: float, y: Any, first: Any,
    length: float, shortest: float, ratio: Ratio,
) -> Taken | None:  # fmt: skip
    """The first step whose error is small enough, from ``length`` on; None above ``shortest``."""
    growth = MOST
    while length > shortest:
        end, slopes = method.step(slope, t, y, first, length)
        found = ratio(method.defect(length, slopes), y, end)
        factor = method.factor(found)
        if found <= 1:
            return Taken(end, slopes[-1], length, length * min(factor, growth))
        length, growth = length * factor, 1.0
    return None


def solved(method: Method, slope: Slope, y: Any, until: float, steps: int) -> Any:
    """y at ``until``, from y at 0 by steps of equal length."""
    h = until / steps
    for k in range(steps):
        y, _ = method.step(slope, k * h, y, slope(k * h, y), h)
    return y


def solved_within(method: Method, slope: Slope, y: Any, until: float, ratio: Ratio) -> Any | None:
    """y at ``until``, from y at 0 by steps whose errors are small enough.

    None where they would have to be too short or too many.
    """
    t, first, shortest = 0.0, slope(0.0, y), SHORTEST * until
    length = first_step(method, slope, t, y, first, ratio)
    for _ in range(TRIES):
        rest = until - t
        taken = controlled_step(method, slope, t, y, first, min(length, rest), shortest, ratio)
        if taken is None or rest - taken.length < shortest:
            return taken and taken.y
        t, y, first, length = t + taken.length, taken.y, taken.slope, taken.following
    return None


def rms(x: Array) -> float:
    """The root of the mean square."""
    return float(np.sqrt(np.sum(np.square(x)) / max(x.size, 1)))
