"""CMA-ES: samples from a normal distribution whose mean and covariance follow the better ones.

Hansen 2016, "The CMA evolution strategy: a tutorial" (arXiv 1604.00772); with a diagonal
covariance Ros and Hansen 2008. The method is that of the package cmaes; this file is its only
importer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib.util import find_spec
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.learner import Advance, Arrays, Brake, Json, Span
from backproplab.learners.material import Material
from backproplab.learners.searching import BEST, MEAN, Search, Searching
from backproplab.measures import Row, measure
from backproplab.spec import CountOr, Positive

MOST = 500  # weights of a full covariance: a generation takes time in their cube
LEAST = 4  # members, the package's own minimum by its rule


class CmaEs(Search, name="cma_es"):
    """θ ~ N(m, s² C); m, s and C are adapted after each generation. The best θ so far predicts.

    population: members of a generation; ``auto`` is 4 + ⌊3 ln n⌋ for n weights.
    sigma: s at the beginning.  covariance: ``full`` for at most 500 weights, or ``diagonal``.
    """

    population: Annotated[int | Literal["auto"], CountOr(("auto",), 10**6)] = "auto"
    sigma: Annotated[Positive, Field(le=1e4)] = 0.5
    covariance: Literal["full", "diagonal"] = "full"

    unit = "generation"
    declares = (BEST, MEAN, measure("sigma", None, "step size of CMA-ES"))

    def problems(self, material: Material) -> list[Problem]:
        assert material.network is not None
        found, size = super().problems(material), material.network.size
        if find_spec("cmaes") is None:
            what = f"learner: {self.name} needs the package cmaes, which is not installed"
            found.append(Problem("", what, "pip install 'backproplab[cmaes]'"))
        if self.population != "auto" and self.population < LEAST:
            what = f"learner.population: {self.population} is too few to rank"
            found.append(Problem("", what, f"use at least {LEAST}, or auto"))
        if self.covariance == "full" and size > MOST:
            what = f"learner.covariance: full is for at most {MOST} weights, the model has {size:,}"
            found.append(Problem("", what, "set learner.covariance=diagonal"))
        return found

    def numbers(self, size: int) -> int:
        members = self._members(size)
        full = self.covariance == "full"
        return 4 * members * size + 12 * size**2 * full  # float64; C, its root and inverse

    def _members(self, size: int) -> int:
        if self.population != "auto":
            return int(self.population)
        return 4 + math.floor(3 * math.log(max(size, 1)))

    def begin(self, material: Material) -> Adapting:
        return Adapting(self, material)


class Adapting(Searching):
    """CMA-ES at work.

    optimizer: the package's; it begins at the first weights.
    least: the training loss of the best weights so far.  mean: that of the newest generation.
    """

    def __init__(self, settings: CmaEs, material: Material) -> None:
        super().__init__(material)
        self.optimizer = _optimizer(
            settings,
            self.parameters.trainable.astype(np.float64),
            int(self.chance.integers(2**32)),
        )
        self.tried = self.optimizer.population_size
        self.least = self.mean = math.inf

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made, optimizer = Advance(), self.optimizer
        for step in range(span.start, span.start + span.steps):
            if made.done and brake.between_steps():
                break
            before = optimizer._rng.get_state()
            members = np.array([optimizer.ask() for _ in range(optimizer.population_size)])
            losses = self.losses_of(members, brake)
            if losses is None:
                optimizer._rng.set_state(before)
                break
            optimizer.tell(list(zip(members, losses.tolist(), strict=True)))
            self._keep(members, losses)
            made.report("generation_loss", step + 1, float(losses.min()))
            made.report("generation_mean_loss", step + 1, self.mean)
            made.done += 1
            if optimizer.should_stop():
                made.ended[0] = "converged"
                break
        return made

    def _keep(self, members: Array, losses: Array) -> None:
        best, self.mean = int(np.argmin(losses)), float(np.mean(losses))
        if losses[best] < self.least:
            self.least = float(losses[best])
            self.parameters.trainable[...] = members[best]

    def scalars(self, step: int) -> Row:
        sigma = float(self.optimizer._sigma)
        return {"best_fitness": -self.least, "mean_fitness": -self.mean, "sigma": sigma}

    def state(self) -> tuple[Arrays, Json]:
        """The package's own fields, the arrays among them as such; its generator apart."""
        arrays, state = super().state()
        fields = {name: x for name, x in vars(self.optimizer).items() if name != "_rng"}
        found = {f"cmaes/{name}": x for name, x in fields.items() if isinstance(x, np.ndarray)}
        plain = {n: _plain(x) for n, x in fields.items() if not isinstance(x, np.ndarray)}
        generator = self.optimizer._rng.get_state(legacy=False)
        found["cmaes/generator"] = generator["state"].pop("key")
        losses = [self.least.hex(), self.mean.hex()]
        own = {"cmaes": plain, "generator": generator, "losses": losses}
        return {**arrays, **found}, state | own

    def restore(self, arrays: Arrays, state: Json) -> None:
        super().restore(arrays, state)
        found = {n.removeprefix("cmaes/"): x for n, x in arrays.items() if n.startswith("cmaes/")}
        key = found.pop("generator")
        inner = state["generator"]["state"] | {"key": key}
        self.optimizer._rng.set_state(state["generator"] | {"state": inner})
        vars(self.optimizer).update(state["cmaes"] | {n: x.copy() for n, x in found.items()})
        self.least, self.mean = map(float.fromhex, state["losses"])


def _optimizer(settings: CmaEs, mean: Array, seed: int) -> Any:
    """The package's optimizer, with no memory that was never written to."""
    from cmaes import CMA, SepCMA

    kind = CMA if settings.covariance == "full" else SepCMA
    size = None if settings.population == "auto" else settings.population
    made = kind(mean=mean, sigma=settings.sigma, seed=seed, population_size=size)
    made._funhist_values.fill(0)  # np.empty, until as many generations have passed
    return made


def _plain(value: Any) -> Any:
    """A number of NumPy's as one of Python's."""
    return value.item() if isinstance(value, np.generic) else value
