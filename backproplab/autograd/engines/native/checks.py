"""Checks that the player makes itself; one that fails is made again here, and raises."""

from __future__ import annotations

import numpy as np

from backproplab.arrays import Array


class NotFinite(Exception):
    """NaN or infinity in an array that is to have neither."""


def require_finite(x: Array) -> None:
    """Raise NotFinite unless all numbers are finite."""
    if not np.isfinite(x).all():
        raise NotFinite
