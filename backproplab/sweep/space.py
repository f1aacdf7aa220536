"""Sweep: what a sweep asks, checked to the last trial before the first one runs.

This file knows how blocks multiply; it must not know how trials are run or chosen.
"""

from __future__ import annotations

from backproplab.config.wording import TreePath

Origins = dict[str, TreePath]
"""Path in an experiment -> where in the sweep's document its value stands."""

FORBIDDEN = {
    "name": "every trial is named by what differs",
    "seed": "write seeds: 5, or seeds: [0, 1]",
    "tensorboard": "set it in the base",
    "sweep": "a trial holds no sweep",
    "engine": "it changes no number; set it in the base",
}
