"""A learning rate for an experiment: the range test says which ones are stable, trials which of
these learns best. Nothing is written."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from backproplab.arrays import Array
from backproplab.config import Experiment
from backproplab.data import Order
from backproplab.experiment.crew import crew_size
from backproplab.experiment.limits import load
from backproplab.experiment.parts import Parts, build
from backproplab.learners import Descent, NoBrake
from backproplab.learners.race import race
from backproplab.learners.range_test import RangeTest, growing
from backproplab.learners.spectrum import spectrum


@dataclass(frozen=True)
class FoundRates:
    """What was found.

    test: the range test.  tried: rates of the trials (k,), all below ``test.stable``.
    scores: the least loss of each trial and seed, (k, seeds).  before: the mean of the loss before
    training.  split: whose loss.  steps: updates of a trial.
    limits: the largest stable rate by the curvature at the first weights, of each seed; empty for
    an optimizer without one.
    """

    test: RangeTest
    tried: Array
    scores: Array
    before: float
    split: str
    steps: int
    limits: tuple[float, ...] = ()

    @property
    def means(self) -> Array:
        """The mean score of each rate, (k,): one seed that fails outweighs what others gain."""
        return np.asarray(self.scores.mean(axis=1))

    @property
    def suggested(self) -> float | None:
        """The rate with the least mean score; None if none is below the loss before training."""
        means = self.means
        return float(self.tried[means.argmin()]) if means.min() < self.before else None


def find_learning_rate(
    parts: Parts, smallest: float, largest: float, steps: int = 400, seeds: int = 5
) -> FoundRates:
    """A rate between these for an experiment that is built, by its seed and those that follow it.

    steps: updates of the range test, and of a trial, unless the run has fewer.
    Its learning rate and schedule play no part. Raises ConfigError for a learner without rates,
    DivergedError if a first loss is not finite.
    """
    data, e = cache(load), parts.experiment
    others = (e.model_copy(update={"seed": e.seed + n}) for n in range(1, seeds))
    every = [parts, *(build(other, data) for other in others)]
    split = "validation" if parts.splits.validation else "train"
    rates, trial = np.geomspace(smallest, largest, steps), min(steps, parts.updates)
    with parts.limited():
        runs = [growing(one.descent(), _batches(one, steps), rates) for one in every]
        test = RangeTest.of(rates, runs)
        limits = [limit for one in every if (limit := _limit(one.descent())) is not None]
        scores = [raced(one, test.candidates, trial, split) for one in every]
        before = [_loss(one.descent(), split) for one in every]
    found = np.stack(scores, axis=1), float(np.mean(before)), split, trial
    return FoundRates(test, test.candidates, *found, tuple(limits))


def raced(parts: Parts, rates: Array, steps: int, split: str) -> Array:
    """How far each of these rates gets, from the same weights with the same batches."""
    constant = Experiment.model_fields["schedule"].get_default(call_default_factory=True)
    members = [
        replace(
            parts,
            experiment=parts.experiment.model_copy(
                update={"learning_rate": float(rate), "schedule": constant}
            ),
        ).descent()
        for rate in rates
    ]
    if len(members) > 1 and crew_size(parts.experiment) > 1:
        crew = parts.experiment.learner.stack(members)
        return race(crew, members, _order(parts), steps, split)
    return np.concatenate([race(one, [one], _order(parts), steps, split) for one in members])


def _loss(descent: Descent, split: str) -> float:
    rows = descent.measure(split, NoBrake()) or []
    return rows[0]["loss"]


def _limit(descent: Descent) -> float | None:
    """The largest stable rate by the curvature at the first weights."""
    optimizer = descent.material.keys["optimizer"]
    if not optimizer.limit:
        return None
    parts = descent.network, descent.loss, descent.parameters, descent.material.train
    limit: float | None = optimizer.stable_rate(float(spectrum(*parts).largest[0]))
    return limit


def _order(parts: Parts) -> Order:
    order = parts.order()
    assert order is not None
    return order


def _batches(parts: Parts, steps: int) -> Iterator[Array | None]:
    """The rows of each update; None for all."""
    order = _order(parts)
    for _ in range(steps):
        yield None if order.mode == "batch" else order.upcoming(1)
        order.done(1)
