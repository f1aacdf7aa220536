"""Lines and planes through weights, and the loss on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import RunError
from backproplab.landscape.directions import filter_normalized
from backproplab.landscape.trained import Trained

BEYOND = 0.5  # of the distance between two runs, at both ends of their line


@dataclass(frozen=True)
class Line:
    """The losses of each split at places along a line, (m,) each; 0 is the run, 1 the other one."""

    places: Array
    losses: dict[str, Array]


@dataclass(frozen=True)
class Plane:
    """The training loss on a grid: ``losses[j, i]`` at ``(across[i], up[j])``."""

    across: Array
    up: Array
    losses: Array


def around(run: Trained, points: int, reach: float) -> tuple[Line, Plane]:
    """Along one random direction, filter by filter as long as the weights, and along two.

    points: on each axis of the plane, from -reach to reach.
    """
    first, second = (filter_normalized(run.parameters, number) for number in range(2))
    places = np.linspace(-reach, reach, 2 * points - 1)
    line = Line(places, _along(run, run.center, first, places))
    axis = np.linspace(-reach, reach, points)
    return line, crossed(run, run.center, (first, second), axis, axis)


def between(run: Trained, other: Trained, points: int) -> Line:
    """On the straight line through the weights of two runs, by the data of the first one.

    Raises RunError for networks of different shapes.
    """
    if run.parameters.shapes != other.parameters.shapes:
        raise RunError(f"{other.folder}: its network has other weights than that of {run.folder}")
    places = np.linspace(-BEYOND, 1 + BEYOND, 2 * points - 1)
    return Line(places, _along(run, run.center, other.center - run.center, places))


def crossed(
    run: Trained, origin: Array, directions: Sequence[Array], across: Array, up: Array
) -> Plane:
    """On the plane that two directions span."""
    first, second = directions
    rows = [
        run.losses(_points(run, origin + y * second, first, across)) for y in up
    ]  # a row at a time: the points of a whole plane need not fit into memory
    return Plane(across, up, np.array(rows))


def _along(run: Trained, origin: Array, direction: Array, places: Array) -> dict[str, Array]:
    points = _points(run, origin, direction, places)
    return {split: run.losses(points, split) for split in run.splits}


def _points(run: Trained, origin: Array, direction: Array, places: Array) -> Array:
    return np.asarray(origin + places[:, None] * direction, run.center.dtype)
