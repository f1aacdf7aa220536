"""Data sets drawn from a formula, where the right answer is known."""

from __future__ import annotations

from typing import Annotated, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.data.dataset import Dataset, Examples, RegressionDataset, Source
from backproplab.task import Task

Samples = Annotated[int, Field(ge=2, le=10**7)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Deviation = Annotated[float, Field(ge=0, le=1e6)]


class Moons(Dataset, name="moons"):
    """Two interleaving half circles with normal noise: scikit-learn's ``make_moons``.

    (cos t, sin t) and (1 − cos t, ½ − sin t) for t evenly from 0 to π.
    """

    samples: Samples = 500
    noise: Deviation = 0.1
    standardize: bool = False

    def read(self, generator: np.random.Generator) -> Source:
        outer, inner = self.samples // 2, self.samples - self.samples // 2
        t, s = np.linspace(0, np.pi, outer), np.linspace(0, np.pi, inner)
        x1 = np.concatenate([np.cos(t), 1 - np.cos(s)])
        x2 = np.concatenate([np.sin(t), 0.5 - np.sin(s)])
        points = generator.normal(np.stack([x1, x2], axis=1), self.noise)
        labels = np.repeat(np.arange(2), (outer, inner))
        return Source(Examples(points, labels), Task("classification", 2, ("outer", "inner")))


class Curve(RegressionDataset):
    """y = f(x) with normal noise of deviation ``noise``, x uniform: one input, one output."""

    noise: Deviation = 0.0
    standardize: bool = False

    def _noisy(self, x: Array, y: Array, generator: np.random.Generator) -> Source:
        noisy = generator.normal(y, self.noise)
        return Source(Examples(x[:, None], noisy[:, None]), Task("regression", 1))


class Sine(Curve, name="sine"):
    """y = sin x for x uniform in [low, high)."""

    samples: Samples = 500
    low: Coordinate = -3.0
    high: Coordinate = 3.0

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.low >= self.high:
            raise PydanticCustomError(
                "order", "must be above low ({low})", {"low": self.low, "path": "high"}
            )
        return self

    def read(self, generator: np.random.Generator) -> Source:
        x = generator.uniform(self.low, self.high, self.samples)
        return self._noisy(x, np.sin(x), generator)


class Linear(Curve, name="linear"):
    """y = slope · x + intercept for x uniform in [0, 1)."""

    samples: Samples = 100
    slope: Coordinate = 0.1
    intercept: Coordinate = 0.3

    def read(self, generator: np.random.Generator) -> Source:
        x = generator.uniform(0, 1, self.samples)
        return self._noisy(x, self.slope * x + self.intercept, generator)
