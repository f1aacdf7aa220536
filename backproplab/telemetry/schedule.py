"""Schedule: after which epochs a run is looked at, by its config alone and never by a clock."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backproplab.loop import Length

POWERS = tuple(3**k for k in range(13))  # with the first and the last look 15


def spaced(length: Length) -> tuple[int, ...]:
    """0, for the look before the first update, then epochs 1, 3, 9, 27, …, and the last one.

    At most 15 in all. But for the last they do not depend on how long the run is, so that one that
    ``resume --epochs`` makes longer has those of a run that was as long from the start.
    """
    last = length.count
    return (0, *[epoch for epoch in POWERS if epoch < last], last)


@dataclass(frozen=True)
class Looks:
    """After each of ``epochs``, 0 for before the first update; or after epochs 1, 1 + every, …

    As the time to look it names the step before, too: an update is the difference of both.
    """

    length: Length
    epochs: tuple[int, ...] = ()
    every: int = 0

    def next(self, step: int) -> float:
        """The first step after ``step`` that ends a look's epoch, or is the one before that."""
        epoch = self._after(step // self.length.each)
        while epoch is not None:
            end = self.length.end_of(epoch - 1)
            if end > step:
                return end - 1 if end - 1 > step else end
            epoch = self._after(epoch)
        return math.inf

    def at(self, step: int) -> bool:
        """Whether this step ends the epoch of a look; 0 is the run's beginning."""
        if not step:
            return 0 in self.epochs
        epoch = -(-step // self.length.each)
        return self.length.end_of(epoch - 1) == step and self._after(epoch - 1) == epoch

    def _after(self, epoch: int) -> int | None:
        """The first epoch after ``epoch`` with a look."""
        if self.every:
            found = (epoch + self.every - 1) // self.every * self.every + 1
            return found if found <= self.length.count else None
        return next((look for look in self.epochs if look > epoch), None)


@dataclass(frozen=True)
class Both:
    """When either of two looks."""

    one: Looks
    other: Looks

    def next(self, step: int) -> float:
        return min(self.one.next(step), self.other.next(step))

    def at(self, step: int) -> bool:
        """Whether either looks at this step."""
        return self.one.at(step) or self.other.at(step)
