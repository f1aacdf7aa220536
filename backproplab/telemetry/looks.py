"""Looks: when a run is looked at closely."""

from __future__ import annotations

import numpy as np

MOST = 15  # looks of one run


def looks(epochs: int) -> tuple[int, ...]:
    """The numbers of finished epochs at which to look: 0, before the first update, then from 1 to
    ``epochs``, both included, evenly spaced in log; at most 15 in all.

    >>> looks(20)
    (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20)
    """
    spaced = np.geomspace(1, epochs, MOST - 1).round()
    return 0, *np.unique(spaced.astype(int)).tolist()
