"""Samples: inputs that an op is checked with, part of its declaration.

A sample draws float64 arrays from a seeded generator and holds the settings of the call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Draw = Callable[[np.random.Generator], tuple[Any, ...]]


class Sample(NamedTuple):
    """``draw(generator)`` returns the arrays; ``settings`` are the keywords of the call."""

    draw: Draw
    settings: dict[str, Any]


def sample(draw: Draw, **settings: Any) -> Sample:
    """A sample with arrays from ``draw(generator)``."""
    return Sample(draw, settings)


def uniform(*shapes: tuple[int, ...], low: float, high: float, **settings: Any) -> Sample:
    """One array of each shape, uniform in [low, high)."""
    return Sample(lambda rng: tuple(rng.uniform(low, high, shape) for shape in shapes), settings)


def reals(*shapes: tuple[int, ...], **settings: Any) -> Sample:
    """One array of each shape, of both signs and at least 0.1 away from 0, where kinks are."""

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        return tuple(rng.uniform(0.1, 2, s) * rng.choice([-1.0, 1.0], s) for s in shapes)

    return Sample(draw, settings)


def positives(*shapes: tuple[int, ...], **settings: Any) -> Sample:
    """One array of each shape, between 0.2 and 2."""
    return uniform(*shapes, low=0.2, high=2.0, **settings)


def distinct(*shapes: tuple[int, ...], **settings: Any) -> Sample:
    """One array of each shape with entries at least 0.1 apart, so without ties."""

    def draw(rng: np.random.Generator) -> tuple[Any, ...]:
        return tuple(0.1 * rng.permutation(int(np.prod(s))).reshape(s) - 0.5 for s in shapes)

    return Sample(draw, settings)
