"""Data sets drawn from a formula, so that the true function is known."""

from __future__ import annotations

import math
from typing import Annotated, Self

import numpy as np
from pydantic import Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.data.dataset import Dataset, Examples, RawData, RegressionDataset
from backproplab.data.scaling import Scaled
from backproplab.solvers import DOPRI5, solved
from backproplab.spec import Fraction, Off
from backproplab.task import Task

Samples = Annotated[int, Field(ge=2, le=10**7)]
Coordinate = Annotated[float, Field(ge=-1e6, le=1e6)]
Deviation = Annotated[float, Field(ge=0, le=1e6)]


class Moons(Dataset, name="moons"):
    """Two interleaved half circles with normal noise: scikit-learn's ``make_moons``.

    (cos t, sin t) and (1 − cos t, ½ − sin t) for t evenly spaced from 0 to π.
    """

    samples: Samples = 500
    noise: Deviation = 0.1
    standardize: Scaled = False

    def read(self, generator: np.random.Generator) -> RawData:
        outer, inner = self.samples // 2, self.samples - self.samples // 2
        t, s = np.linspace(0, np.pi, outer), np.linspace(0, np.pi, inner)
        x1 = np.concatenate([np.cos(t), 1 - np.cos(s)])
        x2 = np.concatenate([np.sin(t), 0.5 - np.sin(s)])
        points = generator.normal(np.stack([x1, x2], axis=1), self.noise)
        labels = np.repeat(np.arange(2), (outer, inner))
        return RawData(Examples(points, labels), Task("classification", 2, ("outer", "inner")))


class BarsAndStripes(Dataset, name="bars_and_stripes"):
    """Every image of side × side pixels in which all columns are of one color, or all rows.

    2 · 2^side - 2 images, each once; those of one color count as bars. MacKay 2003, "Information
    theory, inference, and learning algorithms", section 43.
    """

    side: Annotated[int, Field(ge=2, le=12)] = 3
    standardize: Scaled = False
    validation_split: Annotated[Fraction, Off(0.0)] = 0.0

    def read(self, generator: np.random.Generator) -> RawData:
        lines = np.arange(2**self.side)[:, None] >> np.arange(self.side) & 1
        columns = np.repeat(lines[:, None], self.side, axis=1)
        images = np.concatenate([columns, np.swapaxes(columns[1:-1], 1, 2)])
        labels = np.repeat(np.arange(2), (len(lines), len(lines) - 2))
        points = images.reshape(len(images), -1).astype(float)
        task = Task("classification", 2, ("bars", "stripes"))
        return RawData(Examples(points, labels), task, image=(self.side, self.side))


class GaussianMixture(Dataset, name="gaussian_mixture"):
    """Numbers from normal distributions of equal weight; the class is the distribution.

    means: of the distributions.  deviation: the standard deviation of each.
    """

    samples: Samples = 1000
    means: Annotated[
        tuple[Coordinate, ...],
        Field(strict=False, min_length=2, max_length=100),
        WithJsonSchema({"type": "array"}),
    ] = (-2.0, 2.0)
    deviation: Annotated[float, Field(gt=0, le=1e6)] = 0.5
    standardize: Scaled = False

    def read(self, generator: np.random.Generator) -> RawData:
        labels = np.arange(self.samples) % len(self.means)
        points = generator.normal(np.array(self.means)[labels], self.deviation)
        names = tuple(f"mean {mean:g}" for mean in self.means)
        task = Task("classification", len(names), names)
        return RawData(Examples(points[:, None], labels), task)


class CubicSpiral(RegressionDataset, name="cubic_spiral"):
    """States y(t) of dy/dt = (y1³, y2³) A from y(0) = (2, 0), and as targets y(t + interval).

    A = ((-0.1, 2), (-2, -0.1)); t is evenly spaced from 0 to ``until``, and examples are in its
    order. The field of torchdiffeq's ``examples/ode_demo.py``, Chen et al. 2018.
    """

    samples: Samples = 1000
    until: Annotated[float, Field(gt=0, le=1e3)] = 25.0
    interval: Annotated[float, Field(gt=0, le=1e3)] = 0.25
    standardize: Scaled = False

    def read(self, generator: np.random.Generator) -> RawData:
        states = [np.array([2.0, 0.0])]
        for _ in range(self.samples - 1):
            states.append(_cubic_flow(states[-1], self.until / (self.samples - 1)))
        y = np.stack(states)
        return RawData(Examples(y, _cubic_flow(y, self.interval)), Task("regression", 2))


def _cubic_flow(y: Array, time: float) -> Array:
    """The state (…, 2) after ``time``, in steps whose error is below 1e-9."""
    field = np.array([[-0.1, 2.0], [-2.0, -0.1]])
    return solved(DOPRI5, lambda t, y: y**3 @ field, y, time, math.ceil(time / 0.005))


class Curve(RegressionDataset):
    """y = f(x) for uniform x, with normal noise of standard deviation ``noise``."""

    noise: Deviation = 0.0
    standardize: Scaled = False

    def _noisy(self, x: Array, y: Array, generator: np.random.Generator) -> RawData:
        noisy = generator.normal(y, self.noise)
        return RawData(Examples(x[:, None], noisy[:, None]), Task("regression", 1))


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

    def read(self, generator: np.random.Generator) -> RawData:
        x = generator.uniform(self.low, self.high, self.samples)
        return self._noisy(x, np.sin(x), generator)


class Linear(Curve, name="linear"):
    """y = slope · x + intercept for x uniform in [0, 1)."""

    samples: Samples = 100
    slope: Coordinate = 0.1
    intercept: Coordinate = 0.3

    def read(self, generator: np.random.Generator) -> RawData:
        x = generator.uniform(0, 1, self.samples)
        return self._noisy(x, self.slope * x + self.intercept, generator)
