"""Passes: how often a learner has sent examples through its network, forward and backward.

A pass is one evaluation of the model, or of its gradient, on all examples of a step at once: how
many those are, and in how many tiles they are computed, does not count. Only training counts, not
what is measured of a split. This is the one place that declares the counters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

from backproplab.measures import measure


@dataclass
class Passes:
    """Counts, exact for any length of a run.

    forward_passes, backward_passes: passes.
    forward_examples, backward_examples: the same, each times the examples that it took.
    """

    forward_passes: int = 0
    backward_passes: int = 0
    forward_examples: int = 0
    backward_examples: int = 0

    @classmethod
    def of(cls, steps: int, examples: int, forward: int, backward: int = 0) -> Passes:
        """Of steps that took these examples in all, each with this many passes over its own."""
        return cls(forward * steps, backward * steps, forward * examples, backward * examples)

    def __add__(self, other: Passes) -> Passes:
        return Passes(
            self.forward_passes + other.forward_passes,
            self.backward_passes + other.backward_passes,
            self.forward_examples + other.forward_examples,
            self.backward_examples + other.backward_examples,
        )

    @property
    def total(self) -> int:
        """Forward and backward passes: the axis on which learners are compared at equal cost."""
        return self.forward_passes + self.backward_passes

    @property
    def row(self) -> Mapping[str, int]:
        """The counts by name, as the columns of metrics.csv and the entries of run.json have it."""
        return vars(self)


COUNTERS = tuple(measure(field.name, None) for field in fields(Passes))
