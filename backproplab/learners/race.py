"""Race: several descents that take the same batches, for some updates; how far each one gets.

This file knows no files and no config.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backproplab.arrays import Array
from backproplab.data import Order
from backproplab.learners.descent import Descent
from backproplab.learners.learner import Learning, NoBrake, Span

LOOKS = 10  # evaluations of a race


def race(
    learning: Learning, members: Sequence[Descent], order: Order, steps: int, split: str
) -> Array:
    """The least loss of the split that each member had at one of ten looks, (members,).

    learning: advances all of them; of one member it may be that member. Infinite for one that
    diverges before its first look.
    """
    least, live = np.full(len(members), np.inf), np.ones(len(members), bool)
    done = 0
    with np.errstate(all="ignore"):  # a rate may be too large
        for look in np.unique(np.linspace(0, steps, LOOKS + 1).round().astype(int))[1:]:
            while done < look and live.any():
                count = min(look - done, order.batches - order.taken)
                made = learning.advance(_span(order, done, count, members), {}, NoBrake())
                for number in made.diverged:
                    live[number] = False
                order.done(count)
                done += count
            if not live.any():
                break
            rows = learning.measure(split, NoBrake()) or []
            found = np.array([row["loss"] for row in rows])
            least[live] = np.fmin(least, found)[live]
    return least


def _span(order: Order, start: int, steps: int, members: Sequence[Descent]) -> Span:
    rows = order.upcoming(steps)
    drawn = rows if len(members) == 1 else np.stack([rows] * len(members))
    return Span(start, steps, drawn, order.length, whole=order.mode == "batch")
