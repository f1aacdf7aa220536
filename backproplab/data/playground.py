"""The data sets of the TensorFlow Playground, with the distributions of its web page.

Source: https://github.com/tensorflow/playground, ``src/dataset.ts``. The page's random numbers
are JavaScript's, so distributions are reproduced, not points. Its labels −1 and +1 become classes
0 and 1.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.data.dataset import Dataset, Examples, RawData, RegressionDataset
from backproplab.data.scaling import Scaled
from backproplab.data.synthetic import Samples
from backproplab.spec import Off
from backproplab.task import Task

FEATURES = {
    "x1": lambda x1, x2: x1,
    "x2": lambda x1, x2: x2,
    "x1^2": lambda x1, x2: x1 * x1,
    "x2^2": lambda x1, x2: x2 * x2,
    "x1*x2": lambda x1, x2: x1 * x2,
    "sin_x1": lambda x1, x2: np.sin(x1),
    "sin_x2": lambda x1, x2: np.sin(x2),
}
Feature = Literal["x1", "x2", "x1^2", "x2^2", "x1*x2", "sin_x1", "sin_x2"]


def _distinct(features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    for place, feature in enumerate(features):
        if feature in features[:place]:
            raise PydanticCustomError("duplicate", "'{item}' is given twice", {"item": feature})
    return features


Features = Annotated[
    tuple[Feature, ...], Field(strict=False, min_length=1), AfterValidator(_distinct)
]


def expand(points: Array, features: tuple[Feature, ...]) -> Array:
    """The network's inputs ``(n, features)``: the chosen features of ``points`` ``(n, 2)``."""
    return np.stack([FEATURES[feature](*points.T) for feature in features], axis=1)


class Playground(Dataset):
    """Points of the plane, given as ``features``; not standardized, as on the page.

    noise: the page's slider (0 to 50) divided by 100; each set states its effect.
    features: the functions of x1 and x2 that are the inputs, in this order; distinct, at least one.
    """

    samples: Samples = 500
    noise: Annotated[float, Field(ge=0, le=0.5), Off(0.0)] = 0.0
    features: Features = ("x1", "x2")
    standardize: Scaled = False


class PlaygroundClasses(Playground):
    """A set whose ``draw`` returns points ``(n, 2)`` and whether each is positive ``(n,)``."""

    def draw(self, generator: np.random.Generator) -> tuple[Array, Array]:
        raise NotImplementedError

    def read(self, generator: np.random.Generator) -> RawData:
        points, positive = self.draw(generator)
        examples = Examples(expand(points, self.features), positive.astype(np.int64))
        return RawData(examples, Task("classification", 2, ("-1", "+1")))

    def _halves(self) -> Array:
        """``(n,)`` booleans: True for the first half of the samples, which has the odd one."""
        return np.arange(self.samples) < (self.samples + 1) // 2


class Circle(PlaygroundClasses, name="circle"):
    """A disc of radius 2.5 inside a ring of radii 3.5 to 5; noise flips labels near the edge."""

    def draw(self, generator: np.random.Generator) -> tuple[Array, Array]:
        inside = self._halves()
        r = generator.uniform(np.where(inside, 0.0, 3.5), np.where(inside, 2.5, 5.0))
        points = _polar(r, generator.uniform(0, 2 * np.pi, self.samples))
        jitter = self.noise * generator.uniform(-5, 5, points.shape)
        return points, np.hypot(*(points + jitter).T) < 2.5


class Xor(PlaygroundClasses, name="xor"):
    """Positive if x1 and x2 have the same sign; no point within 0.3 of an axis."""

    def draw(self, generator: np.random.Generator) -> tuple[Array, Array]:
        points = generator.uniform(-5, 5, (self.samples, 2))
        points += np.where(points > 0, 0.3, -0.3)
        jitter = self.noise * generator.uniform(-5, 5, points.shape)
        return points, (points + jitter).prod(axis=1) >= 0


class Gauss(PlaygroundClasses, name="gauss"):
    """Normal clouds around (2, 2) and (−2, −2), of variance 0.5 + 7·noise along each axis."""

    def draw(self, generator: np.random.Generator) -> tuple[Array, Array]:
        positive = self._halves()
        center = np.where(positive, 2.0, -2.0)[:, None]
        deviation = np.sqrt(0.5 + 7 * self.noise)
        return generator.normal(center, deviation, (self.samples, 2)), positive


class Spiral(PlaygroundClasses, name="spiral"):
    """Two arms of 1¾ turns, half a turn apart: r = 5·i/m, angle = 3.5·π·i/m for i in 0 … m−1."""

    def draw(self, generator: np.random.Generator) -> tuple[Array, Array]:
        positive = self._halves()
        arm = np.where(positive, positive.sum(), (~positive).sum())
        along = (np.arange(self.samples) - np.where(positive, 0, positive.sum())) / arm
        angle = 3.5 * np.pi * along + np.where(positive, 0.0, np.pi)
        jitter = self.noise * generator.uniform(-1, 1, (self.samples, 2))
        return _polar(5 * along, angle) + jitter, positive


def _polar(r: Array, angle: Array) -> Array:
    """Points ``(n, 2)`` at radius ``r``, the angle counted from the x2 axis, as the page does."""
    return np.stack([r * np.sin(angle), r * np.cos(angle)], axis=1)


class PlaygroundSurface(Playground, RegressionDataset):
    """A surface over the square [−6, 6]²; noise moves the point at which the height is computed."""

    samples: Samples = 1200

    def height(self, points: Array) -> Array:
        """The target ``(n,)`` at ``points`` ``(n, 2)``."""
        raise NotImplementedError

    def read(self, generator: np.random.Generator) -> RawData:
        points, jitter = generator.uniform(-6, 6, (2, self.samples, 2))
        height = self.height(points + self.noise * jitter)
        return RawData(
            Examples(expand(points, self.features), height[:, None]), Task("regression", 1)
        )


class Plane(PlaygroundSurface, name="plane"):
    """(x1 + x2) / 10."""

    def height(self, points: Array) -> Array:
        return points.sum(axis=1) / 10


class Bumps(PlaygroundSurface, name="bumps"):
    """Six cones of radius 2 and height ±1 in two rows, with alternating signs (``reg-gauss``)."""

    def height(self, points: Array) -> Array:
        centers = np.array([(x1, x2) for x2 in (2.5, -2.5) for x1 in (-4.0, 0.0, 4.0)])
        signs = np.array([1, -1, 1, -1, 1, -1])
        distance = np.linalg.norm(points[:, None] - centers, axis=-1)  # (n, 6)
        # The cones are disjoint, so their sum is the page's "largest in absolute value".
        return np.clip(1 - distance / 2, 0, 1) @ signs
