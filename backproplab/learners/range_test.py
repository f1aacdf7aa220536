"""Learning-rate range test: one short run whose rate grows at each update; where does it learn?

Smith 2017, "Cyclical learning rates for training neural networks" (arXiv 1506.01186), section 3.3.
This file knows no terminal, no config and no figure. It moves the weights and does not put them
back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import DivergedError
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.descent import Descent

SMOOTHING = 0.9  # of the exponential average: about 10 updates
BLOW_UP = 4.0  # times the best smoothed loss: there it stops
WINDOW = 0.1  # the share of the curve over which a slope is taken: over less it is noise


@dataclass(frozen=True)
class RangeTest:
    """The curve, point by point: (n,) each, and all finite.

    rates: of the updates, evenly spaced in log.  losses: of each one's batch, just before it.
    smoothed: the exponential average of the losses, without the bias of its start.
    blown_up: whether it ended early because the loss blew up.
    """

    rates: Array
    losses: Array
    smoothed: Array
    blown_up: bool = False

    @cached_property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is least."""
        return float(self.rates[np.argmin(self.smoothed)])

    @cached_property
    def steepest(self) -> float | None:
        """The rate at which the smoothed loss falls fastest against log rate, before ``lowest``.

        None if it falls nowhere. The first points stand on too few losses to count.
        """
        half = max(round(WINDOW * len(self.rates) / 2), 1)
        falling = self.smoothed[half : np.argmin(self.smoothed) + 1]
        rise = falling[2 * half :] - falling[: -2 * half]
        if not rise.size or rise.min() >= 0:
            return None
        return float(self.rates[2 * half + np.argmin(rise)])

    @property
    def still_falling(self) -> bool:
        """Whether the smoothed loss is least at the last rate: where it rises was not seen."""
        return not self.blown_up and int(np.argmin(self.smoothed)) == len(self.rates) - 1

    @property
    def suggested(self) -> float | None:
        """The smaller of ``steepest`` and ``lowest`` / 10, but no rate below the first; only
        ``steepest`` while the loss is ``still_falling``; None if the loss falls nowhere."""
        if self.steepest is None or self.still_falling:
            return self.steepest
        return min(self.steepest, max(self.lowest / 10, float(self.rates[0])))


def range_test(
    descent: Descent,
    batches: Iterable[tuple[Array, Array]],
    smallest: float,
    largest: float,
    steps: int,
) -> RangeTest:
    """Train for up to ``steps`` updates with rates from ``smallest`` to ``largest``.

    It ends early, ``blown_up``, where the smoothed loss is not finite, or more than four times its
    best.
    descent: at its beginning; it is used up.  batches: (inputs, encoded targets), one a step.
    Raises DivergedError if already the first loss is not finite.
    """
    losses: list[float] = []
    smoothed: list[float] = []
    average, blown_up = 0.0, False
    rates = np.geomspace(smallest, largest, steps)
    source = descent.updates.source
    assert isinstance(source, BackpropSource)
    with np.errstate(all="ignore"):  # it is meant to blow up
        for t, (rate, (inputs, targets)) in enumerate(zip(rates, batches, strict=False), start=1):
            loss = float(source.loss(inputs, targets))
            average = SMOOTHING * average + (1 - SMOOTHING) * loss
            if not np.isfinite(average):
                blown_up = True
                break
            losses.append(loss)
            smoothed.append(average / (1 - SMOOTHING**t))
            blown_up = smoothed[-1] > BLOW_UP * min(smoothed)
            if blown_up:
                break
            source(inputs, targets, np.arange(len(inputs)))  # batches do not stay in one place
            descent.updates.updater(float(rate), t)
    if not losses:
        raise DivergedError("the loss of the first batch is not finite, before any update")
    return RangeTest(rates[: len(losses)], np.array(losses), np.array(smoothed), blown_up)
