"""Sparklines: a curve in one line of text, ▁ for the least and █ for the largest value."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, log
from statistics import median

BLOCKS = "▁▂▃▄▅▆▇█"
LOST = "✗"  # a value that is not finite


def sparkline(
    values: Sequence[float],
    width: int,
    logarithmic: bool = False,
    limits: tuple[float, float] | None = None,
) -> str:
    """The values in at most ``width`` cells, each the median of those that fall into it.

    logarithmic: equal ratios are equal heights; a value of 0 or less stands at the bottom.
    limits: of the scale; by default the least and the largest cell.
    """
    cells = [_median(values[start:end]) for start, end in _spans(len(values), width)]
    if limits:
        cells = [x if x is None else min(max(x, limits[0]), limits[1]) for x in cells]
    if logarithmic:
        least = min((x for x in cells if x is not None and x > 0), default=1.0)
        cells = [x if x is None else log(max(x, least)) for x in cells]
        limits = limits and (log(limits[0]), log(limits[1]))
    known = [x for x in cells if x is not None]
    low, high = limits or (min(known, default=0.0), max(known, default=0.0))
    scale = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(LOST if x is None else BLOCKS[round((x - low) * scale)] for x in cells)


def cell_of(at: int, count: int, width: int) -> int | None:
    """The cell of a sparkline that holds the value ``at`` of ``count``; None if none does."""
    spans = enumerate(_spans(count, width))
    return next((cell for cell, (start, end) in spans if start <= at < end), None)


def _spans(count: int, width: int) -> list[tuple[int, int]]:
    cells = min(count, width)
    return [(at * count // cells, (at + 1) * count // cells) for at in range(cells)]


def _median(values: Sequence[float]) -> float | None:
    """None if one of them is not finite: there the curve ended."""
    return median(values) if all(map(isfinite, values)) else None
