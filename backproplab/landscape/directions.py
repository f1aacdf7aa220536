"""Directions in the space of weights: random ones, normalized filter by filter, and those of a
path. Li et al. 2018, "Visualizing the loss landscape of neural nets" (arXiv 1712.09913)."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.nn import ParameterVector


def filter_normalized(parameters: ParameterVector, number: int) -> Array:
    """A random direction (n,) in which each filter is as long as the filter of the weights.

    A filter is what leads to one unit: a column of a dense kernel (in, out), a slice along the last
    axis of a convolution's kernel. Biases, scales and running statistics stay: so a step of 1 is
    as large for one network as for another whose units are scaled.
    number: each has its own direction, the same one each time.
    """
    chance = np.random.default_rng([number, 2018])
    found = np.zeros_like(parameters.flat)
    for name, part in parameters.named(found).items():
        weights = parameters.views[name]
        if name not in parameters.weights or weights.ndim < 2:
            continue
        drawn = chance.standard_normal(weights.shape)
        axes = tuple(range(weights.ndim - 1))
        sizes = np.sqrt(np.square(drawn).sum(axes)), np.sqrt(np.square(weights).sum(axes))
        part[...] = drawn / sizes[0] * sizes[1]
    return found


def principal(path: Array) -> tuple[Array, Array]:
    """The two directions (2, n), of length 1, in which a path (t, n) moves most around its end, and
    the share of its squared distances from there that each one has (2,)."""
    moves = (path[:-1] - path[-1]).astype(np.float64)
    _, sizes, rows = np.linalg.svd(moves, full_matrices=False)
    if len(rows) < 2:  # a single step: the second direction is any other
        rows = np.vstack([rows, np.eye(1, path.shape[1])])
        sizes = np.append(sizes, 0.0)
    total = float(np.square(sizes).sum()) or 1.0
    signs = np.where(rows[:2] @ moves[0] < 0, -1.0, 1.0)  # a path begins at the right and above
    return rows[:2] * signs[:, None], np.square(sizes[:2]) / total
