"""Glimpses: what one layer computes on some examples, and what can be said of it.

Of one run or of a crew: every array has an axis for the members first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.learners.stages import Stage
from backproplab.nn import Activation
from backproplab.nn.activations import Linear, Sigmoid, Softsign, Tanh

STUCK = 0.9  # a unit whose values are saturated for more examples than this is stuck
SLOPES: dict[type[Activation], Callable[[Array], Array]] = {  # f'(z) / max f' from a = f(z)
    Tanh: lambda a: 1 - a * a,
    Softsign: lambda a: (1 - np.abs(a)) ** 2,
    Sigmoid: lambda a: 4 * a * (1 - a),
}


@dataclass(frozen=True, eq=False)
class Glimpse:
    """One layer: z before its activation f, a = f(z), and delta = ∂L/∂z, (P, examples, …, units).

    L is the mean loss of the examples.  kernel: whether it multiplies its inputs by a kernel.
    delta: None after a forward pass alone.
    """

    name: str
    kernel: bool
    activation: Activation
    z: Array
    a: Array
    delta: Array | None

    @property
    def units(self) -> int:
        """Units, or channels."""
        return int(self.a.shape[-1])

    @property
    def slopes(self) -> list[float] | None:
        """mean f'(z) / max f' of a bounded activation, for each member; None of any other."""
        slope = SLOPES.get(type(self.activation))
        return None if slope is None else [float(np.mean(slope(a), dtype=float)) for a in self.a]

    @property
    def dead(self) -> Array:
        """Whether a unit gives the activation's ``dead`` value for all examples, (P, units)."""
        if self.activation.dead is None:
            return np.zeros((len(self.a), self.units), bool)
        return np.asarray((self._rows == self.activation.dead).all(axis=1))

    @cached_property
    def saturated(self) -> Array:
        """The share of a unit's values beyond the activation's ``knees``, (P, units)."""
        if self.activation.knees is None:
            return np.zeros((len(self.a), self.units))
        low, high = self.activation.knees
        return np.asarray(((self._rows < low) | (self._rows > high)).mean(axis=1))

    @property
    def stuck(self) -> Array:
        """Whether a unit is saturated for more than 90 % of the examples, (P, units)."""
        return self.saturated > STUCK

    @property
    def _rows(self) -> Array:
        return self.a.reshape(len(self.a), -1, self.units)


def glimpses(stages: Iterable[Stage], members: Callable[[Array], Array]) -> Iterator[Glimpse]:
    """Of the layers with weights and the activations, those within a block before the block.

    members: gives an array its axis for the members.
    """
    for stage in stages:
        yield from glimpses(stage.inner, members)
        if stage.shown:
            delta = None if stage.delta is None else members(stage.delta.value)
            of_stage = stage.name, "kernel" in stage.place.weights, stage.activation
            yield Glimpse(*of_stage, members(stage.z.value), members(stage.a.value), delta)


def hidden(layers: Iterable[Glimpse]) -> list[Glimpse]:
    """The layers with a kernel without the last, each with the activation that it ends in.

    That is its own, or the one that follows as a layer, also behind a normalization.
    """
    found: list[Glimpse] = []
    for layer in layers:
        if layer.kernel:
            found.append(layer)
        elif found and isinstance(found[-1].activation, Linear) and _is_curved(layer):
            found[-1] = replace(layer, name=found[-1].name)
    return found[:-1]


def _is_curved(layer: Glimpse) -> bool:
    return not isinstance(layer.activation, Linear)
