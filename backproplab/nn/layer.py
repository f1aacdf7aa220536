"""Layer: a frozen description of a layer's shapes, weights and function; it holds no arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import ClassVar

from backproplab.autograd import Tensor
from backproplab.autograd.ops.shapes import expand_dims
from backproplab.nn.initializers import Initializer
from backproplab.spec import Family
from backproplab.streams import Chance

Shape = tuple[int, ...]
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Weight:
    """One array of a layer: its shape and its initializer (None: the model's).

    trainable: False for a statistic, which the layer updates instead of the optimizer.
    """

    shape: Shape
    initializer: Initializer | None = None
    trainable: bool = True


@dataclass(frozen=True)
class Pass:
    """What a layer knows about the current forward pass.

    shape: of one example's input.  generator: the random source; None in evaluation.
    """

    shape: Shape
    generator: Chance | None = None

    @property
    def training(self) -> bool:
        return self.generator is not None

    @property
    def pooled(self) -> tuple[int, ...]:
        """The batch and spatial axes, counted from the end: all but population and features."""
        return tuple(range(-len(self.shape) - 1, -1))

    def align(self, weight: Tensor) -> Tensor:
        """A weight (…, features) as (…, 1, …, 1, features), to broadcast to (…, batch, *shape)."""
        return expand_dims(weight, axis=self.pooled)


class ShapeError(ValueError):
    """A layer cannot take inputs of this shape.

    what: what it needs, after the layer's name: ``takes (units,)``.  hint: what to do next.
    path: of the layer, ``layers.2``; empty until a chain sets it.
    """

    def __init__(self, what: str, hint: str = "", path: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint
        self.path = path


class Layer(Family):
    """A function from (…, batch, *shape) to (…, batch, *output_shape(shape))."""

    required: ClassVar[tuple[str, ...]] = ("apply",)

    @property
    def mixes_examples(self) -> bool:
        """True if, in training, an example's result depends on the other examples of its batch."""
        return False

    @property
    def mixes_members(self) -> bool:
        """True if a result depends on the other members of a population: it computes no crew."""
        return False

    @property
    def differs_in_training(self) -> bool:
        """True if a training pass computes something else than an evaluation."""
        return self.mixes_examples

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example's result. Raises ShapeError if ``shape`` does not fit."""
        return shape

    def weights(self, shape: Shape) -> dict[str, Weight]:
        """The layer's arrays by name, for inputs of ``shape``."""
        return {}

    def factors(self, shape: Shape) -> Mapping[str, float]:
        """What it multiplies its arrays by before it uses them, by name; others by nothing."""
        return {}

    def footprint(self, shape: Shape) -> int:
        """The approximate number of values that a forward pass keeps for one example."""
        return prod(self.output_shape(shape))

    def blocked(self, shape: Shape, examples: int) -> str:
        """Why nothing is learned through it from a batch of so few examples; empty if it is."""
        return ""

    def apply(self, weights: Weights, x: Tensor, at: Pass) -> Tensor:
        """The layer's output for the inputs ``x`` and its own ``weights``."""
        raise NotImplementedError
