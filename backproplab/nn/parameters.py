"""ParameterVector: every weight of a network in one flat buffer, with a named view for each.

An optimizer works on ``flat`` and knows no names; a layer gets its views and knows no buffer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np

from backproplab.autograd import Tensor


class ParameterVector:
    """Named arrays laid out one after the other in ``flat``.

    flat: shape (n,), or (P, n) for a population of P members.
    views: name -> its part of ``flat``, of shape ``shape`` or ``(P, *shape)``; writing to a view
        writes to ``flat``.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        dtype: Any = np.float32,
        population: tuple[int, ...] = (),
    ) -> None:
        self.shapes = dict(shapes)
        self.population = population
        self.flat = np.zeros((*population, sum(map(prod, self.shapes.values()))), dtype)
        self.views: dict[str, np.ndarray[Any, Any]] = {}
        start = 0
        for name, shape in self.shapes.items():
            part = self.flat[..., start : start + prod(shape)]
            self.views[name] = part.reshape((*population, *shape))
            start += prod(shape)

    def __len__(self) -> int:
        """The number of parameters of one member."""
        return int(self.flat.shape[-1])

    def twin(self) -> ParameterVector:
        """Zeros in the same layout: for gradients and for the slots of an optimizer."""
        return ParameterVector(self.shapes, self.flat.dtype, self.population)

    def tensors(self, tracked: bool = False) -> dict[str, Tensor]:
        """The views as tensors, tracked if a gradient is wanted."""
        return {name: Tensor(view, None, tracked) for name, view in self.views.items()}

    def fingerprint(self) -> str:
        """SHA-256 of names, shapes and bytes: equal exactly for bit-equal weights."""
        digest = hashlib.sha256(repr((self.shapes, self.flat.dtype.str)).encode())
        digest.update(self.flat.tobytes())
        return digest.hexdigest()
