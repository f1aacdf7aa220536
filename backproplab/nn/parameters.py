"""ParameterVector: all arrays of a network in one flat buffer, with a named view of each.

An optimizer works on ``trainable`` without names; a layer works on its views without the buffer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array, aligned
from backproplab.autograd import Tensor


class ParameterVector:
    """Named arrays, one after the other in ``flat``: the weights, then the statistics.

    shapes: of the weights by name.  statistics: shapes of the arrays that no gradient changes.
    flat: shape (n,), or (P, n) for a population of P members.
    trainable, statistics: the parts of ``flat`` that gradients move, and do not move.
    views: name -> its part of ``flat``, of shape ``shape`` or ``(P, *shape)``; writing to a view
        writes to ``flat``.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any = np.float32,
        population: tuple[int, ...] = (),
        statistics: Mapping[str, tuple[int, ...]] | None = None,
    ) -> None:
        self.weights = dict(shapes)
        self.shapes = self.weights | dict(statistics or {})
        self.population = population
        flat = aligned((*population, sum(map(prod, self.shapes.values()))), dtype)
        flat.fill(0)
        self._use(flat)

    def _use(self, flat: Array) -> None:
        self.flat = flat
        moved = sum(map(prod, self.weights.values()))
        self.trainable, self.statistics = flat[..., :moved], flat[..., moved:]
        vars(self).pop("views", None)

    @cached_property
    def views(self) -> dict[str, Array]:
        return self.named(self.flat)

    def move_to(self, flat: Array) -> None:
        """Continue in this memory, which gets the present values."""
        flat[...] = self.flat
        self._use(flat)

    @classmethod
    def stacked(cls, vectors: Sequence[ParameterVector]) -> ParameterVector:
        """The vectors of P members as one, (P, n); they become views of its rows."""
        first = vectors[0]
        statistics = {n: s for n, s in first.shapes.items() if n not in first.weights}
        whole = cls(first.weights, first.flat.dtype, (len(vectors),), statistics)
        for row, vector in zip(whole.flat, vectors, strict=True):
            vector.move_to(row)
        return whole

    def __len__(self) -> int:
        """The number of weights of one member."""
        return int(self.trainable.shape[-1])

    def named(self, flat: Array) -> dict[str, Array]:
        """The parts, by name, of a vector with the layout of ``flat``."""
        ends = accumulate(map(prod, self.shapes.values()))
        return {
            name: flat[..., end - prod(shape) : end].reshape((*self.population, *shape))
            for (name, shape), end in zip(self.shapes.items(), ends, strict=True)
        }

    def twin(self) -> ParameterVector:
        """Zeros with the layout of the weights, for gradients and for optimizer slots."""
        return ParameterVector(self.weights, self.flat.dtype, self.population)

    def tensors(self, tracked: bool = False) -> dict[str, Tensor]:
        """The views as tensors; ``tracked`` applies to the weights only."""
        return {
            name: Tensor(view, None, tracked and name in self.weights)
            for name, view in self.views.items()
        }
