"""Where minima are: those of the table, and those that a grid and Newton's method find."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.formulas.objective import Objective

LINE, PLANE = 801, 81  # grid points of a line, and along each axis of a plane
NEWTON = 60  # steps of Newton's method
SAME = 1e-4  # two minima that are nearer are one


def minima(f: Objective, known: Sequence[Sequence[float]], starts: Sequence[Array]) -> list[Array]:
    """Points with ∇f = 0 and a positive curvature, the lowest first; of -f for a maximum."""
    found: list[Array] = []
    for point in [*(np.array(p, float) for p in known), *_on_grid(f, starts)]:
        exact = polished(f, point)
        if exact is None or not (f.eigenvalues(exact) > 0).all():
            continue
        if all(np.linalg.norm(exact - other) > SAME for other in found):
            found.append(exact)
    return sorted(found, key=lambda point: f.sign * f.value(point))


def box(starts: Sequence[Array], more: Sequence[Array] = ()) -> list[tuple[float, float]]:
    """Limits for each axis: the starts and as much again on both sides, 0 among them."""
    points = np.array([*starts, *more])
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.maximum(high - low, np.maximum(2 * np.abs(points).max(axis=0), 2.0))
    return [(float(a - r), float(b + r)) for a, b, r in zip(low, high, room, strict=True)]


def _on_grid(f: Objective, starts: Sequence[Array]) -> list[Array]:
    """The grid's local minima, the lowest ten."""
    limits = box(starts)
    count = LINE if len(limits) == 1 else PLANE
    axes = [np.linspace(a, b, count) for a, b in limits]
    grid = np.meshgrid(*axes, indexing="ij")
    values = f.sign * f.on(*grid)
    values = np.where(np.isfinite(values), values, np.inf)
    padded = np.pad(values, 1, constant_values=np.inf)
    lowest = np.isfinite(values)
    for axis in range(values.ndim):
        for step in (-1, 1):
            near = np.roll(padded, step, axis)[(slice(1, -1),) * values.ndim]
            lowest &= values <= near
    places = np.argwhere(lowest)
    order = np.argsort(values[lowest], kind="stable")[:10]
    return [np.array([axis[i] for axis, i in zip(axes, places[n], strict=True)]) for n in order]


def polished(f: Objective, point: Array) -> Array | None:
    """The stationary point that Newton's method reaches from near one; None if it reaches none."""
    here = np.array(point, float)
    for _ in range(NEWTON):
        _, slope = f.slope(here)
        step = newton_step(f, here, slope)
        if step is None or np.linalg.norm(step) > 10 * (1 + np.linalg.norm(here)):
            return None
        here = here - step
        if np.linalg.norm(step) <= 1e-14 * (1 + np.linalg.norm(here)):
            return here
    return here if np.linalg.norm(f.slope(here)[1]) < 1e-8 else None


def newton_step(f: Objective, point: Array, slope: Array) -> Array | None:
    """H⁻¹ ∇f: about the distance to the stationary point; None where H has no inverse."""
    matrix = f.curvature(point)
    if not (np.isfinite(matrix).all() and np.isfinite(slope).all()):
        return None
    try:
        return np.linalg.solve(matrix, slope)
    except np.linalg.LinAlgError:
        return None
