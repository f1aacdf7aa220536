"""Genetic algorithm: truncation selection, elites, Gaussian mutation, uniform crossover.

Such et al. 2017, "Deep neuroevolution" (arXiv 1712.06567), whose operators are the defaults.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from backproplab.arrays import Array
from backproplab.learners.learner import Advance, Arrays, Brake, Json, Span
from backproplab.learners.material import Material
from backproplab.learners.searching import BEST, MEAN, Search, Searching
from backproplab.measures import Row, measure
from backproplab.spec import Off, Positive
from backproplab.streams import restore_state, state_of

Members = Annotated[int, Field(ge=2, le=10**6)]


class Genetic(Search, name="genetic"):
    """A population of weight vectors; its fitness is minus the training loss.

    Each generation keeps the ``elites`` as they are. Every other member becomes
    θ_parent + sigma ε, with a parent drawn from the best and ε ~ N(0, I).

    population: members.  parents: how many of the best may have children.  sigma: of a mutation.
    crossover: ``uniform`` takes each weight from one of two parents, with even odds.
    """

    population: Members = 50
    parents: Annotated[int, Field(ge=1)] = 10
    elites: Annotated[int, Field(ge=0)] = 1
    sigma: Positive = 0.1
    crossover: Annotated[Literal["none", "uniform"], Off("none")] = "none"

    unit = "generation"
    declares = (BEST, MEAN, measure("spread", None, "spread of the weights"))

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        for key, most in (("parents", self.population), ("elites", self.population - 1)):
            if getattr(self, key) > most:
                what = f"{key}: at most {most} of a population of {self.population}"
                raise PydanticCustomError("sizes", what, {"path": key})
        return self

    def numbers(self, size: int) -> int:
        return 4 * self.population * size  # a generation, its children, their parents, the sorted

    def begin(self, material: Material) -> Evolving:
        return Evolving(self, material)


class Evolving(Searching):
    """A genetic algorithm at work.

    members: the newest generation, (P, n), the fittest first, once it has been measured.
    fitness: theirs, (P,).
    """

    def __init__(self, settings: Genetic, material: Material) -> None:
        super().__init__(material)
        self.settings, self.tried = settings, settings.population
        first = self.network.parameters(material.dtype, (settings.population,))
        self.network.initialize(first, material.stream("init"))
        self.members = first.flat
        self.fitness = np.full(settings.population, -np.inf)

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made = Advance()
        for step in range(span.start, span.start + span.steps):
            if made.done and brake.between_steps():
                break
            before = state_of(self.chance)
            members = self._bred() if step else self.members
            losses = self.losses_of(members, brake)
            if losses is None:
                restore_state(self.chance, before)
                break
            order = np.argsort(losses, kind="stable")
            self.members, self.fitness = members[order], -losses[order]
            self.parameters.flat[...] = self.members[0]
            found = self.scalars(step + 1)
            made.report("generation_loss", step + 1, -found["best_fitness"])
            made.report("generation_mean_loss", step + 1, -found["mean_fitness"])
            made.report("generation_spread", step + 1, found["spread"])
            made.done += 1
        return made

    def _bred(self) -> Array:
        """The next generation: the elites, then children."""
        settings, chance = self.settings, self.chance
        count = settings.population - settings.elites
        bred = np.empty_like(self.members)
        bred[: settings.elites] = self.members[: settings.elites]
        children = bred[settings.elites :]
        self.chance.standard_normal(dtype=bred.dtype.type, out=children)
        children *= settings.sigma
        parents = self.members[chance.integers(settings.parents, size=count)]
        if settings.crossover == "uniform":
            others = self.members[chance.integers(settings.parents, size=count)]
            parents = np.where(chance.integers(2, size=parents.shape, dtype=bool), parents, others)
        children += parents
        return bred

    def scalars(self, step: int) -> Row:
        """Fitness, and the root mean square distance of a weight from the members' mean."""
        distances = (self.members - np.mean(self.members, axis=0)).ravel()
        return {
            "best_fitness": float(self.fitness[0]),
            "mean_fitness": float(np.mean(self.fitness)),
            "spread": math.sqrt(np.dot(distances, distances) / distances.size),
        }

    def state(self) -> tuple[Arrays, Json]:
        arrays, state = super().state()
        own: dict[str, Any] = {"population": self.members, "fitness": self.fitness}
        return {**arrays, **own}, state

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        self.members, self.fitness = arrays["population"].copy(), arrays["fitness"].copy()
