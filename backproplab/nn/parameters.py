"""ParameterVector: every array of a network in one flat buffer, with a named view for each.

An optimizer works on ``trainable`` and knows no names; a layer gets its views and knows no buffer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import accumulate
from math import prod
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor


class ParameterVector:
    """Named arrays laid out one after the other in ``flat``: the weights, then the statistics.

    shapes: of the weights, by name.  statistics: of the arrays that no gradient moves.
    flat: shape (n,), or (P, n) for a population of P members.
    trainable: the part of ``flat`` that holds the weights.
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
        self.flat = np.zeros((*population, sum(map(prod, self.shapes.values()))), dtype)
        self.trainable = self.flat[..., : sum(map(prod, self.weights.values()))]
        self.views = self.named(self.flat)

    def __len__(self) -> int:
        """The number of weights of one member."""
        return int(self.trainable.shape[-1])

    def named(self, flat: Array) -> dict[str, Array]:
        """The parts of a vector that is laid out as ``flat`` is, by name."""
        ends = accumulate(map(prod, self.shapes.values()))
        return {
            name: flat[..., end - prod(shape) : end].reshape((*self.population, *shape))
            for (name, shape), end in zip(self.shapes.items(), ends, strict=True)
        }

    def twin(self) -> ParameterVector:
        """Zeros laid out as the weights: for gradients and for the slots of an optimizer."""
        return ParameterVector(self.weights, self.flat.dtype, self.population)

    def tensors(self, tracked: bool = False) -> dict[str, Tensor]:
        """The views as tensors; the weights are tracked if a gradient is wanted."""
        return {
            name: Tensor(view, None, tracked and name in self.weights)
            for name, view in self.views.items()
        }

    def fingerprint(self) -> str:
        """SHA-256 of names, shapes and bytes: equal exactly for bit-equal arrays."""
        digest = hashlib.sha256(repr((self.shapes, self.flat.dtype.str)).encode())
        digest.update(self.flat.tobytes())
        return digest.hexdigest()
