"""Callback: what looks at a run while it trains, or hears its scalars; and Display, which shows it.

A callback says when it wants to look; the loop cuts its spans there. At a look it may report
values, read the weights and ask for the end. What it remembers is part of the run's position.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Protocol

from backproplab.arrays import Array
from backproplab.learners import Arrays, Json
from backproplab.measures import Measure

if TYPE_CHECKING:
    from backproplab.loop.lane import Lane


class When(Protocol):
    """When a callback looks."""

    def next(self, step: int) -> float:
        """The first step after ``step`` at which to look; infinity for none.

        step: -1 asks whether to look before the first step, at 0.
        """


@dataclass(frozen=True)
class Every:
    """After every ``steps`` steps."""

    steps: int

    def next(self, step: int) -> float:
        return (step // self.steps + 1) * self.steps


class Log:
    """At step 0, then at steps evenly spaced in log: 1, 2, 3, 4, 6, 8, 11, 16, …, √2 apart."""

    def next(self, step: int) -> float:
        first = 2 * step.bit_length() - 2  # of the powers of √2 that are not below half of it
        later = (round(2 ** (k / 2)) for k in count(max(first, 0)))
        return next(at for at in later if at > step) if step >= 0 else 0


class Epoch:
    """After every epoch, when its values have been measured."""

    def next(self, step: int) -> float:
        return math.inf


EPOCH = Epoch()


class Callback:
    """Looks at a run; does nothing by itself.

    name: unique among the callbacks of a run, by default the class's name.
    when: EPOCH, Every(n) steps, or steps of your own (``When``): when to ``look``.
    hears: scalar -> n: wanted of the learner every n steps, and given to ``hear``.
    declares: measures that it reports at every epoch, each a column of metrics.csv; any other
        value that is reported goes to the event files only.
    file: where its arrays are kept, if not in the checkpoint itself.
    """

    name: str = ""
    when: When = EPOCH
    hears: Mapping[str, int] = {}
    declares: tuple[Measure, ...] = ()
    file: str = ""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "name" not in vars(cls):
            cls.name = cls.__name__.lower()

    def start(self, lane: Lane) -> None:
        """Before the first step, or the first one after a resume."""

    def look(self, lane: Lane) -> None:
        """The run is at a position that ``when`` names."""

    def hear(self, lane: Lane, heard: Mapping[str, tuple[Array, Array]]) -> None:
        """Scalars that ``hears`` names, as far as they are known: (steps, values) by name.

        It may be called for any stretch of steps, as the clock has it.
        """

    def finish(self, lane: Lane) -> None:
        """Training has ended, with the lane's status; called once, whatever ended it.

        The last position is saved before, so what is done here is no part of it.
        """

    def state(self) -> tuple[Arrays, Json]:
        """What it must remember, as arrays and strict JSON."""
        return {}, {}

    def restore(self, arrays: Arrays, state: Json) -> None:
        """Continue from what ``state`` gave; called before ``start``."""

    def recorded(self) -> Json:
        """Entries of its own for run.json, when the run ends or pauses."""
        return {}


class Display:
    """Shows a run to people. It has no position, and if it fails, training goes on without it.

    seconds: how often to ``glance`` within an epoch; None for its end only.
    """

    seconds: float | None = None

    def start(self, lane: Lane) -> None:
        """Before the first step."""

    def glance(self, lane: Lane) -> None:
        """Some steps have been done."""

    def epoch(self, lane: Lane) -> None:
        """An epoch has been measured."""

    def finish(self, lane: Lane) -> None:
        """Training has ended."""
