"""Layer: a frozen description with its shapes, its weights and its function; it holds no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod

from backproplab.autograd import Tensor
from backproplab.autograd.ops.shapes import expand_dims
from backproplab.nn.initializers import Initializer
from backproplab.spec import Family
from backproplab.streams import Chance

Shape = tuple[int, ...]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Weight:
    """One array of a layer: its shape and how it begins (None: as the model says).

    trainable: False for a statistic, which no gradient moves; the layer itself writes to it.
    """

    shape: Shape
    initializer: Initializer | None = None
    trainable: bool = True


@dataclass(frozen=True)
class Pass:
    """What a layer is told of the pass that it is in.

    shape: of one example's input.  generator: what chance is drawn from; None in evaluation.
    """

    shape: Shape
    generator: Chance | None = None

    @property
    def training(self) -> bool:
        return self.generator is not None

    @property
    def pooled(self) -> tuple[int, ...]:
        """The axes between a population's and the features': the batch's and the spatial ones."""
        return tuple(range(-len(self.shape) - 1, -1))

    def align(self, weight: Tensor) -> Tensor:
        """A weight (…, features) as (…, 1, …, 1, features), to meet (…, batch, *shape)."""
        return expand_dims(weight, axis=self.pooled)


class ShapeError(ValueError):
    """A layer cannot take such inputs.

    what: what it needs, after the layer's name: ``takes (units,)``.  hint: what to do next.
    path: where the layer stands, ``layers.2``; empty until a chain says so.
    """

    def __init__(self, what: str, hint: str = "", path: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.path = path


class Layer(Family):
    """A function from (…, batch, *shape) to (…, batch, *output_shape(shape))."""

    @property
    def mixes_examples(self) -> bool:
        """True if, in training, the result for an example depends on the others of its batch."""
        return False

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example's result. ShapeError if such an input makes no sense."""
        return shape

    def weights(self, shape: Shape) -> dict[str, Weight]:
        """The layer's arrays by name, for inputs of ``shape``."""
        return {}

    def footprint(self, shape: Shape) -> int:
        """About how many numbers a forward pass keeps for an example."""
        return prod(self.output_shape(shape))

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        """The layer's function."""
        raise NotImplementedError
