"""How a descent ended and in what manner, as two facts, each with its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from backproplab.arrays import Array
from backproplab.descend.path import Descent, period_of
from backproplab.descend.scan import newton_step, polished
from backproplab.formulas.objective import Objective

End = Literal["minimum", "local minimum", "saddle", "maximum", "cycle", "stalled", "out of steps",
              "gone"]  # fmt: skip
Manner = Literal["straight", "oscillating", "slow"]
SLOW = 0.97  # of the distance that a step leaves: 76 steps for each digit
SIDES = 4  # changes of sides from which on a descent oscillates
LOWER = 1e-9  # relative difference of values from which on a minimum is lower


@dataclass(frozen=True)
class Verdict:
    """end, manner: see the module. target: where it ended or would have ended, None if unknown.

    eigenvalues: of the Hessian there. factor: what a late step leaves of the distance.
    limit: the largest stable rate of the optimizer there, None if it has none.
    """

    end: End
    manner: Manner
    target: Array | None
    eigenvalues: Array | None
    factor: float
    limit: float | None
    period: int = 0


def judge(f: Objective, run: Descent, minima: Sequence[Array]) -> Verdict:
    """The verdict on one run; a minimum is local only if a lower one is known."""
    end, target, period = _end(f, run, minima)
    reference = target if target is not None else _closest(run, minima)
    eigen = f.eigenvalues(reference) if reference is not None else None
    factor = _factor(run.points, reference) if reference is not None else np.nan
    steep = float(eigen[-1]) if eigen is not None else np.nan
    limit = run.setting.optimizer.stable_rate(steep)
    manner: Manner = "straight"
    if end == "cycle" or (reference is not None and _sides(run.points, reference) >= SIDES):
        manner = "oscillating"
    elif end == "out of steps" or factor > SLOW:
        manner = "slow"
    return Verdict(end, manner, reference, eigen, factor, limit, period)


def _end(f: Objective, run: Descent, minima: Sequence[Array]) -> tuple[End, Array | None, int]:
    last = run.points[-1]
    if run.stop == "gone":
        return "gone", None, 0
    if run.stop == "near":
        return _which(f, minima[run.near], minima), minima[run.near], 0
    if run.stop == "flat":
        step = newton_step(f, last, run.slopes[-1])
        if step is None or np.linalg.norm(step) > 1e-3 * (1 + np.linalg.norm(last)):
            return "stalled", None, 0
        exact = polished(f, last)
        target = last if exact is None else exact
        eigen = f.eigenvalues(target)
        if (eigen > 0).all():
            return _which(f, target, minima), target, 0
        return ("maximum" if (eigen < 0).all() else "saddle"), target, 0
    period = period_of(run.points, 1e-6)
    if period or _wanders(run):
        return "cycle", None, period
    return "out of steps", None, 0


def _which(f: Objective, target: Array, minima: Sequence[Array]) -> End:
    here = f.sign * f.value(target)
    lowest = min((f.sign * f.value(point) for point in minima), default=here)
    return "local minimum" if lowest < here - LOWER * max(1.0, abs(here)) else "minimum"


def _closest(run: Descent, minima: Sequence[Array]) -> Array | None:
    """The minimum nearest to the last finite point."""
    finite = run.points[np.isfinite(run.points).all(axis=1)]
    if not len(minima) or not len(finite):
        return None
    here = finite[-1] if run.stop != "gone" else finite[0]
    return min(minima, key=lambda point: float(np.linalg.norm(point - here)))


def _factor(points: Array, target: Array) -> float:
    """The factor by which a late step shrinks the distance, as a geometric mean."""
    distances = np.linalg.norm(points - target, axis=1)
    distances = distances[np.isfinite(distances) & (distances > 0)]
    if len(distances) < 2:
        return 0.0
    late = distances[len(distances) * 2 // 3 - 1 :] if len(distances) > 6 else distances
    return float((late[-1] / late[0]) ** (1 / max(len(late) - 1, 1)))


def _sides(points: Array, target: Array) -> int:
    """How often the most restless coordinate changes its side of the target."""
    offsets = points - target
    size = np.nanmax(np.abs(offsets[np.isfinite(offsets).all(axis=1)]), axis=0, initial=0.0)
    counts = []
    for column, largest in zip(offsets.T, size, strict=True):
        seen = column[np.isfinite(column) & (np.abs(column) > 1e-9 * largest)]
        counts.append(int(np.count_nonzero(np.diff(np.sign(seen)))))
    return max(counts, default=0)


def _wanders(run: Descent) -> bool:
    """Whether f has stopped falling although the steps stay large."""
    count = len(run.values) // 4
    if count < 20:
        return False
    early, late = run.values[2 * count : 3 * count], run.values[3 * count :]
    moves = np.abs(np.diff(run.points[3 * count :], axis=0)).max()
    flat = np.median(late) > 0.9 * np.median(early) if np.median(early) > 0 else False
    return bool(flat and moves > 1e-3)
