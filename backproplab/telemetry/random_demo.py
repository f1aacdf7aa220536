"""The course's demonstration of histograms: numbers from a normal distribution that moves."""

from __future__ import annotations

import numpy as np

from backproplab.journal.distributions import distribution
from backproplab.loop import Callback, Lane

TAG, NUMBERS = "random", 1000
SHIFT = 5.0  # of the mean over a run: up in train, down in validation


class RandomDemo(Callback):
    """After each epoch, under the tag ``random``: what overlay and offset look like."""

    def look(self, lane: Lane) -> None:
        epoch, seed = lane.progress.epoch, lane.learning.material.seed
        share = epoch / lane.length.epochs
        for number, (split, events) in enumerate(lane.journal.events.items()):
            generator = np.random.default_rng((seed, epoch, number))
            mean = SHIFT * share * (-1 if split == "validation" else 1)
            drawn = generator.normal(mean, 1 - share / 2, NUMBERS)
            events.histograms(epoch - 1, {TAG: distribution(drawn)})
