"""Contours of a function on a plane, with numbers; contourpy comes with Matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.explain.axes import Limits, Panel, ticks
from backproplab.explain.canvas import set_line
from backproplab.explain.typeset import Line
from backproplab.formulas.objective import Objective

GRID, LEVELS = 161, 14
CELL, CANDIDATES = 4.0, 150  # px of a place that is taken; places that are tried for a number
Contour = tuple[float, Array]  # a level, and a line of it (points, 2)
FREE, EDGE, FAR = 11.0, 22.0, 60.0  # px from a number to lines, the frame, other numbers


def contours(f: Objective, across: Limits, up: Limits) -> list[Contour]:
    """Lines of equal f; their levels grow about geometrically."""
    x, y = np.linspace(*across, GRID), np.linspace(*up, GRID)
    return contour_lines(x, y, f.on(*np.meshgrid(x, y)))


def contour_lines(x: Array, y: Array, values: Array) -> list[Contour]:
    """Lines of equal values (len(y), len(x)) on a grid."""
    from contourpy import contour_generator

    finite = np.isfinite(values)
    if not finite.any():
        return []
    generator = contour_generator(x, y, np.ma.masked_array(values, ~finite))
    return [
        (float(level), np.asarray(line))
        for level in levels(values[finite])
        for line in generator.lines(level)
    ]


def levels(values: Array) -> Array:
    """Heights above the least one, about in a geometric sequence, each rounded to the digits in
    which it differs from the one before; round and even ones if f falls on both sides."""
    low, high = float(values.min()), float(np.quantile(values, 0.98))
    if not high > low:
        return np.array([low])
    if float(np.median(values)) - low > 0.3 * (high - low):  # no valley: a saddle, or a hill
        return np.array(ticks((low, high), False, LEVELS))
    exact = low + (high - low) * np.geomspace(2e-3, 1.0, LEVELS)
    digits = -np.floor(np.log10(np.diff(exact, prepend=low))).astype(int)
    return np.unique([round(float(x), int(n)) for x, n in zip(exact, digits, strict=True)])


def drawn(panel: Panel, lines: Sequence[Contour], taken: Array) -> Iterator[str]:
    """The lines, with a number on every second level where there is room.

    taken: (n, 2), places in pixels where something else is drawn.
    """
    places = [(level, np.array([panel.at(*point) for point in line])) for level, line in lines]
    for _, line in lines:
        yield panel.polyline([(float(x), float(y)) for x, y in line], panel.theme.contours, 1.1)
    numbered: list[Array] = []
    for level in sorted({level for level, _ in places})[1::2]:
        own = np.concatenate([line for height, line in places if height == level])
        others = [line for height, line in places if height != level]
        near = _cells(np.concatenate([taken.reshape(-1, 2), *others]))
        place = _free(panel, own, near, np.array(numbered).reshape(-1, 2))
        if place is not None:
            numbered.append(place)
            yield from _number(panel, level, *place)


def _free(panel: Panel, own: Array, near: Array, numbered: Array) -> Array | None:
    """The point of a line that is farthest from all that is near, and far from other numbers."""
    low = np.array([panel.x, panel.y])
    size = np.array([panel.width, panel.height])
    inner = own[((own > low + EDGE) & (own < low + size - EDGE)).all(axis=1)]
    inner = inner[:: max(len(inner) // CANDIDATES, 1)]
    if len(numbered) and len(inner):
        inner = inner[_distances(inner, numbered) > FAR]
    if not len(inner):
        return None
    room = _distances(inner, near) if len(near) else np.ones(len(inner)) * FAR
    best: Array = inner[int(np.argmax(room))]
    return best if room.max() >= FREE else None


def _cells(places: Array) -> Array:
    """Each place once, rounded to a few pixels."""
    x, y = np.round(places.T / CELL)
    found = np.unique(x + 1j * y) * CELL  # much faster than unique rows
    return np.column_stack([found.real, found.imag])


def _distances(points: Array, others: Array) -> Array:
    """From each point to the nearest of the others; numbers are wider than high."""
    apart = (points[:, None] - others[None]) * np.array([0.6, 1.0])
    least: Array = np.sqrt(np.square(apart).sum(axis=-1).min(axis=1))
    return least


def _number(panel: Panel, level: float, x: float, y: float) -> Iterator[str]:
    label = Line(11).say(f"{level + 0.0:.10g}".replace("-", "−"), panel.theme.second)
    yield (
        f'<rect x="{x - label.width / 2 - 2:.1f}" y="{y - 7:.1f}" width="{label.width + 4:.1f}"'
        f' height="14" fill="{panel.theme.paper}"/>'
    )
    yield from set_line(label, x, y + 4, "middle")


def along(panel: Panel, points: Array) -> Array:
    """Places in pixels on the line through points (n, 2) of the axes, those in the panel."""
    known = points[np.isfinite(points).all(axis=1)]
    places = np.array([panel.at(*point) for point in known]).reshape(-1, 2)
    shares = np.linspace(0, 1, 16)[:, None, None]
    between = (places[:-1] + shares * np.diff(places, axis=0)).reshape(-1, 2)
    every = _cells(np.concatenate([places, between]))
    low, size = np.array([panel.x, panel.y]), np.array([panel.width, panel.height])
    return every[((every >= low) & (every <= low + size)).all(axis=1)]
