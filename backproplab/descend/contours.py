"""Contours of a function on a plane, by contourpy, which comes with Matplotlib."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array
from backproplab.explain.axes import Limits
from backproplab.formulas.objective import Objective

GRID, LEVELS = 161, 14


def contours(f: Objective, across: Limits, up: Limits) -> list[Array]:
    """Lines of equal f, (points, 2) each; their levels grow about geometrically."""
    x, y = np.linspace(*across, GRID), np.linspace(*up, GRID)
    return contour_lines(x, y, f.on(*np.meshgrid(x, y)))


def contour_lines(x: Array, y: Array, values: Array) -> list[Array]:
    """Lines of equal values (len(y), len(x)) on a grid, (points, 2) each."""
    from contourpy import contour_generator

    finite = np.isfinite(values)
    if not finite.any():
        return []
    generator = contour_generator(x, y, np.ma.masked_array(values, ~finite))
    return [np.asarray(line) for level in levels(values[finite]) for line in generator.lines(level)]


def levels(values: Array) -> Array:
    """Heights above the least one, in a geometric sequence; evenly if f falls on both sides."""
    low, high = float(values.min()), float(np.quantile(values, 0.98))
    if not high > low:
        return np.array([low])
    shares = np.geomspace(2e-3, 1.0, LEVELS)
    middle = float(np.median(values))
    if middle - low > 0.3 * (high - low):  # no valley: a saddle, or a hill
        shares = np.linspace(0.04, 0.96, LEVELS)
    return low + (high - low) * shares
