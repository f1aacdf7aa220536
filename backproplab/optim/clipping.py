"""Gradient clipping: a gradient that explodes is made small enough to follow.

Between the gradient and the update, in place, on the flat vector and its named views. It knows no
network and no optimizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.spec import Family


class Clipping(Family):
    """How large a gradient may be.

    limit: of what the member measures.
    """

    limit: Annotated[float, Field(gt=0, le=1e30)]  # a float32

    def clip(self, flat: Array, views: Mapping[str, Array]) -> None:
        """Clip the gradient in place; a population's members each by their own measure.

        flat: (n,), or (P, n).  views: its named parts, (…) or (P, …), which share its memory.
        """
        raise NotImplementedError


class Value(Clipping, name="value"):
    """Each entry into [-limit, limit]. Keras' clipvalue, PyTorch's clip_grad_value_."""

    def clip(self, flat: Array, views: Mapping[str, Array]) -> None:
        np.clip(flat, -self.limit, self.limit, out=flat)


class Norm(Clipping, name="norm"):
    """g ← g min(1, limit/‖g‖₂), each named array by its own norm. Keras' clipnorm."""

    def clip(self, flat: Array, views: Mapping[str, Array]) -> None:
        population = flat.shape[:-1]
        for view in views.values():
            shrink(view.reshape(*population, -1), self.limit)


class GlobalNorm(Clipping, name="global_norm"):
    """g ← g min(1, limit/‖g‖₂), by the norm of the whole vector: its direction stays.

    Pascanu et al. 2013; Keras' global_clipnorm, PyTorch's clip_grad_norm_ (which adds 1e-6 to ‖g‖).
    """

    def clip(self, flat: Array, views: Mapping[str, Array]) -> None:
        shrink(flat, self.limit)


def shrink(vector: Array, limit: float) -> None:
    """Scale a vector (…, n) in place to the 2-norm ``limit``, where it is longer."""
    norm, peak = length(vector), np.ones(1, vector.dtype)
    if np.isinf(norm).any():  # the squares overflowed: measure in units of the largest entry
        largest = np.maximum(vector.max(-1, keepdims=True), -vector.min(-1, keepdims=True))
        peak = np.where(np.isinf(norm), largest, peak)
        vector /= peak
        norm = length(vector)
    vector *= limit / np.maximum(norm, limit / peak)


def length(vector: Array) -> Array:
    """The 2-norm over the last axis, which stays."""
    with np.errstate(over="ignore"):
        return np.sqrt(np.vecdot(vector, vector))[..., None]
