"""One descent by the optimizer's own updates, until it is near a minimum, flat, or gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.formulas.objective import Objective
from backproplab.optim import Optimizer, Schedule, Updater

FLAT = 1e-6  # a slope that is this small ends a descent
FAR = 1e3  # times the start's size: it has left
LOOK = 500  # steps after which an exact cycle ends a descent
EXACT = 1e-12
PERIOD = 32  # longest cycle that is recognized

Stop = Literal["near", "flat", "gone", "steps"]


@dataclass(frozen=True)
class Setting:
    """What one run does: its start, optimizer, rate and schedule."""

    start: tuple[float, ...]
    optimizer: Optimizer
    learning_rate: float
    schedule: Schedule


@dataclass(frozen=True)
class Descent:
    """points: (steps + 1, n), the start first. values, slopes: of f there.

    stop: near a minimum, where the slope is flat, gone, or out of steps. near: the index of the
    minimum in the list, or -1.
    """

    setting: Setting
    points: Array
    values: Array
    slopes: Array
    stop: Stop
    near: int = -1

    @property
    def steps(self) -> int:
        return len(self.points) - 1


def descend(
    f: Objective, setting: Setting, steps: int, tolerance: float, minima: Sequence[Array]
) -> Descent:
    """At most ``steps`` updates; it has arrived within ``tolerance`` of one of the ``minima``."""
    theta = np.array(setting.start, float)
    gradient = np.zeros_like(theta)
    slots = {name: np.zeros_like(theta) for name in setting.optimizer.slots}
    update = Updater(setting.optimizer, theta, gradient, slots)
    rate = setting.schedule.begin(setting.learning_rate, steps)
    targets = np.array(minima) if len(minima) else np.empty((0, theta.size))
    bound = FAR * max(1.0, float(np.abs(theta).max()))
    points, values, slopes = [theta.copy()], [], []
    stop: Stop = "steps"
    near = -1
    for t in range(steps + 1):
        value, slope = f.slope(theta)
        values.append(value)
        slopes.append(slope)
        near = _nearest(theta, targets, tolerance)
        found = _stop(theta, value, slope, near, bound)
        if found is not None:
            stop = found
            break
        if t == steps or (t and t % LOOK == 0 and period_of(np.array(points[-128:]), EXACT)):
            break
        gradient[...] = f.sign * slope
        with np.errstate(all="ignore"):
            update(rate(t), t + 1)
        points.append(theta.copy())
    return Descent(setting, np.array(points), np.array(values), np.array(slopes), stop, near)


def _stop(theta: Array, value: float, slope: Array, near: int, bound: float) -> Stop | None:
    if near >= 0:
        return "near"
    if not (np.isfinite(theta).all() and np.isfinite(value)) or np.abs(theta).max() > bound:
        return "gone"
    if not np.isfinite(slope).all():
        return "gone"
    return "flat" if np.linalg.norm(slope) <= FLAT else None


def _nearest(theta: Array, targets: Array, tolerance: float) -> int:
    if not len(targets):
        return -1
    distances = np.linalg.norm(targets - theta, axis=1)
    best = int(np.argmin(distances))
    return best if distances[best] <= tolerance else -1


def period_of(points: Array, tolerance: float) -> int:
    """The length of a cycle that the last points repeat, up to ``tolerance``; 0 if they do not."""
    tail = points[-4 * PERIOD :]
    scale = max(float(np.abs(tail).max()), 1e-300)
    moves = float(np.abs(np.diff(tail, axis=0)).max(initial=0.0))
    if moves < 1e-6 * scale:
        return 0
    for period in range(2, PERIOD + 1):
        if len(tail) <= 2 * period:
            break
        if np.abs(tail[period:] - tail[:-period]).max() <= tolerance * scale:
            return period
    return 0
