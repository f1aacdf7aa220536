"""Pace: the one place where a run asks signals, the clock and the disk what to do.

Ranks that train one network must take the same answer at the same step: they agree on it here, and
nowhere else is such a question asked.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from backproplab.ranks import ONE, Ranks
from backproplab.signals import Flag, Stop

FIRST_SAVE = 1.0  # seconds of training before the first checkpoint
LEAST = 1.0  # seconds between two checkpoints, and
COSTS = 50  # times what the last one cost
FLAG = 0.1  # seconds between two looks for the flag
REASONS = "", "slice", "signal"  # to stop, the one that counts last


class Answer(NamedTuple):
    """What is to be done now.

    stop: why to end now, or ""; ``rank`` where another rank has failed.
    signal: the number of the signal that said so.  save: whether a checkpoint is due.
    """

    stop: str
    signal: int
    save: bool


class Pace:
    """When to stop and when to save; the brake of the learner.

    stop: of the process's signals.  seconds: after which a slice ends.  flag: ends the slice
    once it exists, as a file does.  saves: False if nothing is saved before the end.
    ranks: those that are to take the same answers; the clock of rank 0 says when to save.
    """

    def __init__(
        self,
        stop: Stop | None = None,
        seconds: float = math.inf,
        flag: Flag | None = None,
        saves: bool = True,
        ranks: Ranks = ONE,
    ) -> None:
        saves = saves and ranks.rank == 0
        self.ranks = ranks
        self.stop = Stop() if stop is None else stop
        self.flag = flag
        now = time.monotonic()
        self._end = now + seconds
        self._poll = now if flag else math.inf
        self._save = now + FIRST_SAVE if saves else math.inf
        self._saves = saves
        self._glances = math.inf
        self._alarm = now

    def watch(self, seconds: Sequence[float | None]) -> None:
        """Come back as often as displays want to glance."""
        self._glances = min([s for s in seconds if s is not None], default=math.inf)

    def between_steps(self) -> bool:
        """Whether the learner is to come back, for whatever reason."""
        return self.ranks.anywhere(bool(self.stop.number) or time.monotonic() >= self._alarm)

    def within_step(self) -> bool:
        """Whether a step or an evaluation under way is to be given up, if ranks agree to it."""
        return bool(self.stop.number)

    def ask(self) -> Answer:
        """What is to be done now; sets the alarm for the next time."""
        now = time.monotonic()
        slice_is_over = now >= self._end or self._is_recalled(now)
        reason = "signal" if self.stop.number else "slice" if slice_is_over else ""
        mine = REASONS.index(reason), self.stop.number, now >= self._save
        stop, number, save = self.ranks.largest(*mine)
        self._alarm = min(self._end, self._save, now + self._glances, self._poll)
        if self.ranks.failure:
            return Answer("rank", 0, False)
        return Answer(REASONS[stop], number, bool(save))

    def _is_recalled(self, now: float) -> bool:
        """Whether there is the flag, which is looked for every now and then."""
        if self.flag is None or now < self._poll:
            return False
        self._poll = now + FLAG
        return self.flag.exists()

    @property
    def signal(self) -> int:
        """The number of the signal that has asked for the end, of any rank; 0 if none has."""
        return self.ranks.largest(self.stop.number)[0]

    @contextmanager
    def saving(self) -> Iterator[None]:
        """Around a commit: no signal ends it midway, and its cost sets the time of the next."""
        before = time.monotonic()
        with self.stop.shielded():
            yield
        now = time.monotonic()
        if self._saves:
            self._save = now + max(LEAST, COSTS * (now - before))
