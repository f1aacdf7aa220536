"""Learning-rate range test: short runs whose rate grows at each update; where do they learn?

Smith 2017, "Cyclical learning rates for training neural networks" (arXiv 1506.01186), section 3.3.
This file knows no terminal, no config and no figure. It moves the weights and does not put them
back.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd import Tensor
from backproplab.errors import DivergedError
from backproplab.learners.descent import Descent
from backproplab.learners.learner import NoBrake

SMOOTHING = 0.9  # of the exponential average: about 10 updates
BLOW_UP = 4.0  # times the best smoothed loss: there a run stops
WINDOW = 0.1  # the share of the curve over which a slope is taken: over less it is noise
STABLE = 0.25  # of the least loss: what the loss of a stable rate is above it at most
CANDIDATES, APART = 6, 10**0.5  # rates to be tried, the largest stable one first


@dataclass(frozen=True)
class RangeTest:
    """What short runs with a growing rate measured; a row for each seed.

    rates: of the updates (n,), evenly spaced in log.  losses: of each one's batch, just before it,
    (seeds, n).  smoothed: their exponential averages, without the bias of its start; infinite
    after a run's end.
    limits: the largest stable rate of each seed by the curvature at its first weights, if the
    optimizer has one.  exact: updates are plain gradient descent on all examples.
    """

    rates: Array
    losses: Array
    smoothed: Array
    blown_up: bool = False

    @classmethod
    def of(cls, rates: Array, runs: Sequence[Sequence[tuple[float, float]]]) -> RangeTest:
        """From what ``growing`` gave of each seed, up to where most of them had ended."""
        whole = np.full((len(runs), len(rates), 2), np.inf)
        for row, run in zip(whole, runs, strict=True):
            row[: len(run)] = run
        kept = int(np.isfinite(np.median(whole[..., 1], axis=0)).sum())
        return cls(rates[:kept], whole[:, :kept, 0], whole[:, :kept, 1], kept < len(rates))

    @cached_property
    def median(self) -> Array:
        """The median of the smoothed losses of all seeds, (n,)."""
        return np.asarray(np.median(self.smoothed, axis=0))

    @cached_property
    def lowest(self) -> float:
        """The rate at which the median is least."""
        return float(self.rates[np.argmin(self.median)])

    @cached_property
    def steepest(self) -> float | None:
        """The rate at which the median falls fastest against log rate, before ``lowest``.

        None if it falls nowhere. The first points stand on too few losses to count.
        """
        half = max(round(WINDOW * len(self.rates) / 2), 1)
        falling = self.median[half : np.argmin(self.median) + 1]
        rise = falling[2 * half :] - falling[: -2 * half]
        if not rise.size or rise.min() >= 0:
            return None
        return float(self.rates[2 * half + np.argmin(rise)])

    @cached_property
    def stable(self) -> float | None:
        """The largest rate at which the median is at most a quarter above its least; None if that
        is the last rate, and the loss did not blow up: where it rises was not seen."""
        least = self.median.min()
        low = np.flatnonzero(self.median <= least + STABLE * abs(least))
        is_last = low[-1] == len(self.rates) - 1
        return None if is_last and not self.blown_up else float(self.rates[low[-1]])

    @property
    def candidates(self) -> Array:
        """Rates worth a trial, half a decade apart: from the largest stable one down, or, where it
        is not known, from ten times the steepest, which may leave nothing to learn beyond it."""
        last = float(self.rates[-1])
        top = self.stable or min(last, 10 * (self.steepest or last))
        found = top / APART ** np.arange(CANDIDATES)
        return np.asarray(found[found >= self.rates[0]])


def growing(
    descent: Descent, batches: Iterable[Array | None], rates: Array
) -> list[tuple[float, float]]:
    """Train with these rates, one an update: (loss, smoothed loss) of each update's batch, just
    before it.

    It ends early where the smoothed loss is not finite, or more than four times its best.
    descent: at its beginning; it is used up.  batches: rows of the training examples, None for all.
    Raises DivergedError if already the first loss is not finite.
    """
    found: list[tuple[float, float]] = []
    average, best = 0.0, np.inf
    with np.errstate(all="ignore"):  # it is meant to blow up
        for t, (rate, rows) in enumerate(zip(rates, batches, strict=False), start=1):
            loss = _filled(descent, rows)
            average = SMOOTHING * average + (1 - SMOOTHING) * loss
            if not np.isfinite(average):
                break
            smoothed = average / (1 - SMOOTHING**t)
            found.append((loss, smoothed))
            best = min(best, smoothed)
            if smoothed > BLOW_UP * best:
                break
            descent.updates.follow(float(rate), t)
    if not found:
        raise DivergedError("the loss of the first batch is not finite, before any update")
    return found


def _filled(descent: Descent, rows: Array | None) -> float:
    """Fill the gradient of these rows; their mean loss."""
    train, shape = descent.material.train, descent.network.output_shape
    encoded = train.encoded if rows is None else train.encoded[rows]
    outputs = np.empty((len(encoded), *shape), descent.material.dtype)
    descent.updates.fill(train.inputs, train.encoded, rows, NoBrake(), outputs)
    return float(np.mean(descent.loss(Tensor(outputs), Tensor(encoded)).value, dtype=np.float64))
