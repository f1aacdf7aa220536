"""Material: what a learner works on and with; the loop and the files are not part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines import EngineName
from backproplab.data import Pixels
from backproplab.errors import Problem
from backproplab.nn import Loss, Metric, Network, ParameterVector
from backproplab.ranks import ONE, Ranks
from backproplab.streams import stream
from backproplab.task import Task


@dataclass(frozen=True, eq=False)
class Split:
    """One split: inputs, targets as the data hold them, and targets as the loss takes them."""

    inputs: Array
    targets: Array
    encoded: Array

    def __len__(self) -> int:
        return len(self.inputs)


@dataclass(frozen=True, eq=False)
class Material:
    """What a learner is given.

    splits: ``train``, and ``validation`` and ``test`` where there are any.
    network: None for a learner that does not use the key ``model``.  loss: None for one that gives
    no outputs.
    metrics: of the task.  keys: the values of the config's keys that the learner uses.
    steps: of the whole run, if nothing ends it early.  engine: how steps are computed.
    embedded: of each embedded category the place of its code, its number of codes, its units.
    pixels: gives back the images that inputs are; None if they are none.
    batch: examples a step, of a learner that walks in batches.
    initial: first weights by name, of those that are not drawn.
    ranks: the processes that share each batch.
    threads: of this process, which take tiles of a batch, or share the passes over one that is
        taken as a whole; their number changes no bit.
    """

    task: Task
    splits: Mapping[str, Split]
    network: Network | None
    loss: Loss | None
    metrics: tuple[Metric, ...]
    keys: Mapping[str, Any]
    seed: int
    dtype: np.dtype[Any]
    steps: int
    engine: EngineName = "auto"
    embedded: tuple[tuple[int, int, int], ...] = ()
    pixels: Pixels | None = None
    batch: int = 0
    ranks: Ranks = ONE
    threads: int = 1
    initial: Mapping[str, Array] = field(default_factory=dict)

    def first(self, network: Network) -> ParameterVector:
        """The network's first weights: drawn, those of ``initial`` put over them."""
        parameters = network.parameters(self.dtype)
        network.initialize(parameters, self.stream("init"))
        for name, array in self.initial.items():
            parameters.views[name][...] = array
        return parameters

    @property
    def train(self) -> Split:
        return self.splits["train"]

    def stream(self, name: str) -> np.random.Generator:
        """The random stream of this name, at its beginning; ``learner`` is free for any use."""
        return stream(self.seed, name)


def coupled_members(who: str, network: Network) -> list[Problem]:
    """Layers whose results depend on what is computed with them, for what computes many at once."""
    what = "model.layers: {}'s results depend on what is computed with them, and {} computes many "
    what += "weights at once"
    return [
        Problem("", what.format(place.name, who), "use equal steps, such as solver: rk4")
        for place in network.places
        if place.layer.mixes_members
    ]
