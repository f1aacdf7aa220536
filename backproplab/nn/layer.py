"""Layer: a frozen description with its shapes, its weights and its function; it holds no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from backproplab.autograd import Tensor
from backproplab.nn.initializers import Initializer
from backproplab.spec import Family

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Weight:
    """One parameter of a layer: its shape and how it begins (None: as the model says)."""

    shape: Shape
    initializer: Initializer | None = None


class Layer(Family):
    """A function from (…, batch, *shape) to (…, batch, *output_shape(shape))."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example's result. ValueError if such an input makes no sense."""
        return shape

    def weights(self, shape: Shape) -> dict[str, Weight]:
        """The parameters by name, for inputs of ``shape``."""
        return {}

    def apply(
        self, weights: Mapping[str, Tensor], x: Tensor, generator: np.random.Generator | None
    ) -> Tensor:
        """The layer's function. ``generator`` is given in training and None in evaluation."""
        raise NotImplementedError
