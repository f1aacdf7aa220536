"""ParameterVector: all arrays of a network in one flat buffer, with a named view of each.

An optimizer works on ``trainable`` without names; a layer works on its views without the buffer.
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
    """Named arrays, one after the other in ``flat``: the weights, then the statistics.

    shapes: of the weights by name.  statistics: shapes of the arrays that no gradient changes.
    flat: shape (n,), or (P, n) for a population of P members.
    trainable: the part of ``flat`` that holds the weights.
    views: by name, the array's part of ``flat``, of shape ``shape`` or ``(P, *shape)``; it shares
        the memory of ``flat``.
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

    def fingerprint(self) -> str:
        """SHA-256 of names, shapes, dtype and bytes: equal exactly for bit-equal arrays."""
        digest = hashlib.sha256(repr((self.shapes, self.flat.dtype.str)).encode())
        digest.update(self.flat.tobytes())
        return digest.hexdigest()
