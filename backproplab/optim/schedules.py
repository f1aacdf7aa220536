"""Learning-rate schedules: the rate of an update as a function of the number of updates before.

A schedule is a frozen description; ``begin`` creates the Rate of one run. Neither knows weights,
gradients or the loop. Formulas and edge cases are Keras' unless a docstring names another source.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from backproplab.spec import Count, Family, Fraction, Lasts, NonNegative, Off, Positive

Length = Annotated[int, Field(ge=0, le=10**9)]
DecaySteps = Annotated[Count | None, Lasts("steps", 0, "the decay does not end")]
Shrink = Annotated[float, Field(gt=0, le=1)]
AtLeastOne = Annotated[float, Field(ge=1)]
Boundaries = Annotated[
    tuple[Length, ...], Field(strict=False, min_length=1), WithJsonSchema({"type": "array"})
]
Levels = Annotated[tuple[NonNegative, ...], Field(strict=False), WithJsonSchema({"type": "array"})]


class Schedule(Family):
    """The learning rate over a run, relative to the config's ``learning_rate``, called base.

    warmup_steps: number of updates in which the rate grows linearly from 0 to the schedule's first
        rate; the schedule starts after them. (Goyal et al. 2017, arXiv 1706.02677, section 2.2.)
    """

    warmup_steps: Annotated[Length, Lasts("steps", 1, "the warm-up does not end"), Off(0)] = 0

    def begin(self, base: float, steps: int) -> Rate:
        """The Rate of a run with ``steps`` updates."""
        return Rate(self, base, steps)

    def at(self, step: int, base: float, steps: int) -> float:
        """The rate after ``step`` of ``steps`` updates, both counted without the warm-up."""
        raise NotImplementedError

    @property
    def depends_on_length(self) -> bool:
        """Whether a longer run would have had other rates from the start."""
        return getattr(self, "decay_steps", 0) is None


class Rate:
    """The learning rate of one run: ``rate(step)`` is that of the update after ``step`` others.

    state: its memory of past epochs, saved as JSON and restored on resume. Only reduce_on_plateau
        has any; otherwise the rate depends on ``step`` alone.
    """

    def __init__(self, schedule: Schedule, base: float, steps: int) -> None:
        self.schedule = schedule
        self.base = base
        self.steps = max(steps - schedule.warmup_steps, 1)
        self.state: dict[str, Any] = {}

    @property
    def moves(self) -> bool:
        """Whether the rate can change during the run."""
        return self.schedule.warmup_steps > 0 or not isinstance(self.schedule, Constant)

    def __call__(self, step: int) -> float:
        warmup = self.schedule.warmup_steps
        if step < warmup:
            return self.scheduled(0) * step / warmup
        return self.scheduled(step - warmup)

    def scheduled(self, step: int) -> float:
        """The rate ``step`` updates after the end of the warm-up."""
        return self.schedule.at(step, self.base, self.steps)

    def epoch(self, metrics: Mapping[str, float]) -> None:
        """Update the state with the metrics of an epoch."""


class Constant(Schedule, name="constant"):
    """base."""

    def at(self, step: int, base: float, steps: int) -> float:
        return base


class Step(Schedule, name="step"):
    """base · factor^⌊step / every⌋. PyTorch's StepLR."""

    every: Annotated[Count, Lasts("steps", 1, "the rate never changes")]
    factor: Shrink = 0.1

    def at(self, step: int, base: float, steps: int) -> float:
        return base * self.factor ** (step // self.every)


class _Decay(Schedule):
    """A schedule of t = step / decay_steps; ``staircase`` rounds t down.

    decay_steps: by default the whole run.
    """

    decay_steps: DecaySteps = None
    staircase: bool = False

    def time(self, step: int, steps: int) -> float:
        t = step / (self.decay_steps or steps)
        return math.floor(t) if self.staircase else t


class Exponential(_Decay, name="exponential"):
    """base · rate^t with t = step / decay_steps: base · rate after decay_steps."""

    rate: Shrink

    def at(self, step: int, base: float, steps: int) -> float:
        return base * self.rate ** self.time(step, steps)


class InverseTime(_Decay, name="inverse_time"):
    """base / (1 + rate · t) with t = step / decay_steps."""

    rate: NonNegative

    def at(self, step: int, base: float, steps: int) -> float:
        return base / (1 + self.rate * self.time(step, steps))


class Polynomial(Schedule, name="polynomial"):
    """(base - end) (1 - step / decay_steps)^power + end; after decay_steps, ``end``.

    decay_steps: by default the whole run.  end: a learning rate.
    cycle: after decay_steps, use its next multiple instead of staying at ``end``.
    """

    decay_steps: DecaySteps = None
    end: NonNegative = 0.0
    power: Positive = 1.0
    cycle: bool = False

    def at(self, step: int, base: float, steps: int) -> float:
        length = self.decay_steps or steps
        if self.cycle:
            length *= max(math.ceil(step / length), 1)
        return (base - self.end) * (1 - min(step / length, 1)) ** self.power + self.end


class Cosine(Schedule, name="cosine"):
    """base ((1 - alpha) (1 + cos(π step / decay_steps)) / 2 + alpha), at the end base · alpha.

    Loshchilov and Hutter 2017 (arXiv 1608.03983). With a warm-up, the base is Keras'
    warmup_target, and Keras' initial rate is 0.
    decay_steps: by default the whole run.
    """

    decay_steps: DecaySteps = None
    alpha: Fraction = 0.0

    def at(self, step: int, base: float, steps: int) -> float:
        share = _half_cosine(min(step / (self.decay_steps or steps), 1))
        return base * ((1 - self.alpha) * share + self.alpha)


class CosineRestarts(Schedule, name="cosine_restarts"):
    """Cosine decay with restarts; cycle i takes first_decay_steps · t_mul^i updates.

    base ((1 - alpha) m_mul^i (1 + cos(π p)) / 2 + alpha), where p is the finished share of cycle i.
    Loshchilov and Hutter 2017 (arXiv 1608.03983).
    """

    first_decay_steps: Annotated[Count, Lasts("steps", 1, "there is no restart")]
    t_mul: AtLeastOne = 2.0
    m_mul: Shrink = 1.0
    alpha: Fraction = 0.0

    def at(self, step: int, base: float, steps: int) -> float:
        cycle, done = self._position(step / self.first_decay_steps)
        share = self.m_mul**cycle * _half_cosine(done)
        return base * ((1 - self.alpha) * share + self.alpha)

    def _position(self, t: float) -> tuple[int, float]:
        """(cycle, its finished share) at time t, in units of the first cycle's length."""
        r = self.t_mul
        if r == 1:
            return int(t), t % 1
        cycle = int(math.log1p(t * (r - 1)) / math.log(r))
        if (r ** (cycle + 1) - 1) / (r - 1) <= t:  # the logarithm is rounded: log(243) / log(3) < 5
            cycle += 1
        return cycle, (t - (r**cycle - 1) / (r - 1)) / r**cycle


class OneCycle(Schedule, name="one_cycle"):
    """From base / div_factor up to base, then down to start / final_div_factor, along cosines.

    Smith and Topin 2018 (arXiv 1708.07120), as PyTorch's OneCycleLR without its momentum cycle.
    pct_start: the share of the run in which the rate rises.
    """

    pct_start: Annotated[float, Field(ge=0, le=1)] = 0.3
    div_factor: AtLeastOne = 25.0
    final_div_factor: AtLeastOne = 1e4

    @property
    def depends_on_length(self) -> bool:
        return True

    def at(self, step: int, base: float, steps: int) -> float:
        top, last = self.pct_start * steps - 1, steps - 1
        low = base / self.div_factor
        if step < top:
            return base + (low - base) * _half_cosine(step / top)
        end = low / self.final_div_factor
        down = (min(step, last) - top) / (last - top) if last > top else 0.0
        return end + (base - end) * _half_cosine(down)


class Piecewise(Schedule, name="piecewise"):
    """base · factors[i], or values[i], where i is the number of boundaries before ``step``.

    A boundary belongs to the piece that it ends. Give either factors or values, one more than
    boundaries. With values, the base is not used.
    """

    boundaries: Annotated[Boundaries, Lasts("steps", 2, "no update comes after it")]
    factors: Levels = ()
    values: Levels = ()

    @model_validator(mode="after")
    def _fits(self) -> Self:
        pieces = len(self.boundaries) + 1
        if any(a >= b for a, b in pairwise(self.boundaries)):
            raise PydanticCustomError("boundaries", "boundaries must increase")
        if sorted((len(self.factors), len(self.values))) != [0, pieces]:
            raise PydanticCustomError(
                "pieces", "needs either factors or values, {pieces} of them", {"pieces": pieces}
            )
        return self

    def at(self, step: int, base: float, steps: int) -> float:
        piece = bisect_left(self.boundaries, step)
        return self.values[piece] if self.values else base * self.factors[piece]


def _half_cosine(p: float) -> float:
    """From 1 at p = 0 to 0 at p = 1."""
    return (1 + math.cos(math.pi * p)) / 2
