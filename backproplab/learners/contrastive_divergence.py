"""Contrastive divergence: a restricted Boltzmann machine learns to make data like its examples.

It needs no targets and no network. Hinton 2002, "Training products of experts by minimizing
contrastive divergence"; persistent chains: Tieleman 2008, "Training restricted Boltzmann machines
using approximations to the likelihood gradient".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.boltzmann import Boltzmann
from backproplab.learners.learner import (
    Advance,
    Arrays,
    Brake,
    Divergence,
    Json,
    Learner,
    Learning,
    Made,
    Span,
)
from backproplab.learners.material import Material
from backproplab.measures import Measure, Row, measure
from backproplab.passes import Passes
from backproplab.streams import restore_state, state_of
from backproplab.task import Task

EXACT = 14  # hidden units up to which the likelihood is computed: 2^14 states
SPREAD = 0.01  # standard deviation of the first weights: Hinton 2012, section 8
SHOWN = 12  # examples that are reconstructed for a picture

RECONSTRUCTION = measure("reconstruction_error", "min")
FREE_ENERGY = measure("free_energy", None, "mean free energy")
LIKELIHOOD = measure("log_likelihood", "max", "mean log-likelihood")
GAP = measure("free_energy_gap", None, "free energy, validation less training")


class ContrastiveDivergence(Learner, name="contrastive_divergence"):
    """W ← W + learning_rate (⟨v hᵀ⟩ of the data - ⟨v hᵀ⟩ of the model), the biases likewise.

    The model's average is that of k steps of Gibbs sampling, which begin at the data. Inputs are
    probabilities, from 0 to 1.

    hidden: units.  k: steps of Gibbs sampling in an update.
    persistent: they begin where those of the update before ended, and never at the data again.
    """

    hidden: Annotated[int, Field(ge=1, le=10**5)] = 100
    k: Annotated[int, Field(ge=1, le=10**4)] = 1
    persistent: bool = False

    unit = "update"
    batches = True
    uses: ClassVar[frozenset[str]] = frozenset({"learning_rate", "schedule"})
    declares = (GAP,)
    default_learning_rate = 0.05

    def measures(self, task: Task) -> tuple[Measure, ...]:
        exact = (LIKELIHOOD,) if self.hidden <= EXACT else ()
        return RECONSTRUCTION, FREE_ENERGY, *exact

    def problems(self, material: Material) -> list[Problem]:
        inputs = material.train.inputs
        low, high = float(inputs.min()), float(inputs.max())
        if low >= 0 and high <= 1:
            return []
        what = f"data: inputs from {low:.4g} to {high:.4g}, {self.name} takes some from 0 to 1"
        return [Problem("", what, "set data.standardize=false, and data.scale where data have one")]

    def begin(self, material: Material) -> Contrasting:
        return Contrasting(self, material)


class Contrasting(Learning):
    """Contrastive divergence at work.

    chains: the visible states that persistent sampling has reached, (batch, visible).
    """

    offers = ("learning_rate",)

    def __init__(self, settings: ContrastiveDivergence, material: Material) -> None:
        self.settings, self.material = settings, material
        keys, dtype = material.keys, material.dtype
        visible = int(np.prod(material.train.inputs.shape[1:]))
        drawn = material.stream("init").normal(0, SPREAD, (visible, settings.hidden))
        biases = np.zeros(visible, dtype), np.zeros(settings.hidden, dtype)
        self.machine = Boltzmann(drawn.astype(dtype), *biases)
        self.chance = material.stream("learner")
        self.chains = np.zeros((0, visible), dtype)
        self.rate = keys["schedule"].begin(keys["learning_rate"], material.steps)
        self.free_energies: dict[str, float] = {}  # of the newest evaluation, by split

    @property
    def weights(self) -> Arrays:
        machine = self.machine
        return {
            "rbm/kernel": machine.kernel,
            "rbm/bias": machine.bias,
            "rbm/visible_bias": machine.visible_bias,
        }

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        made, inputs = Advance(), flat(self.material.train.inputs)
        for rows in span.batches():
            step = span.start + made.done
            if made.done and brake.between_steps():
                break
            before = state_of(self.chance)
            data = inputs if span.whole else inputs[rows]
            difference = self._difference(data, brake)
            if difference is None:
                restore_state(self.chance, before)
                break
            if not all(np.isfinite(array).all() for array in difference):
                made.diverged[0] = Divergence(step, self._advice(step))
                break
            for weights, up in zip(self.weights.values(), difference, strict=True):
                np.add(weights, self.rate(step) * up, out=weights)
            if (step + 1) % wanted.get("learning_rate", step + 2) == 0:
                made.report("learning_rate", step + 1, self.rate(step))
            made.done += 1
        return made

    def _difference(self, data: Array, brake: Brake) -> list[Array] | None:
        """The data's averages less the model's, which are -∇(F(data) - F(visible)).

        In the order of ``weights``; None if the brake ended the sampling.
        """
        machine = self.machine
        given = hidden = machine.hidden(data)
        if self.settings.persistent and len(self.chains):
            hidden = machine.hidden(self.chains)
        for _ in range(self.settings.k):
            if brake.within_step():
                return None
            visible = self._drawn(machine.visible(self._drawn(hidden)))
            hidden = machine.hidden(visible)
        if self.settings.persistent:
            self.chains = visible
        ours, theirs = averages(data, given), averages(visible, hidden)
        return [a - b for a, b in zip(ours, theirs, strict=True)]

    def _drawn(self, probabilities: Array) -> Array:
        """A zero or a one of each probability."""
        uniform = self.chance.random(probabilities.shape, probabilities.dtype.type)
        return (uniform < probabilities).astype(probabilities.dtype)

    def _advice(self, step: int) -> str:
        return (
            "the sampled averages stopped being finite — "
            f"try a smaller learning_rate (now {self.rate(step):g})"
        )

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        inputs = flat(self.material.splits[split].inputs)
        if brake.within_step():
            return None
        machine = self.machine
        energy = float(machine.free_energy(inputs).mean())
        self.free_energies[split] = energy
        error = np.square(inputs - self.reconstructed(inputs)).mean(dtype=np.float64)
        row = {RECONSTRUCTION.name: float(error), FREE_ENERGY.name: energy}
        if self.settings.hidden <= EXACT:
            row[LIKELIHOOD.name] = -energy - machine.log_partition()
        return [row]

    def reconstructed(self, inputs: Array) -> Array:
        """P(v | P(h | inputs)), (n, visible)."""
        return self.machine.visible(self.machine.hidden(inputs))

    def pictures(self) -> Mapping[str, Made]:
        split = "validation" if "validation" in self.material.splits else "train"
        some = flat(self.material.splits[split].inputs[:SHOWN])
        pairs = np.stack([some, self.reconstructed(some)], axis=1).reshape(-1, some.shape[1])
        return {"reconstructions": Made(pairs, 6, f"{split}: given, then reconstructed")}

    def passes(self, steps: int, examples: int) -> Passes:
        return Passes.of(steps, examples, forward=1 + self.settings.k)

    def scalars(self, step: int) -> Row:
        rate, found = {"learning_rate": self.rate(max(step - 1, 0))}, self.free_energies
        if "validation" in found:
            return rate | {GAP.name: found["validation"] - found["train"]}
        return rate

    def evaluated(self, row: Row) -> None:
        self.rate.epoch(row)

    def broken(self, row: Row, step: int) -> str:
        return "" if np.isfinite(row[RECONSTRUCTION.name]) else self._advice(step)

    def state(self) -> tuple[Arrays, Json]:
        state = {"rate": self.rate.state, "chance": state_of(self.chance)}
        return {**self.weights, "chains": self.chains}, state

    def restore(self, arrays: Arrays, state: Json) -> None:
        for name, array in self.weights.items():
            np.copyto(array, arrays[name])
        self.chains = np.array(arrays["chains"])
        self.rate.state = state["rate"]
        restore_state(self.chance, state["chance"])

    def __str__(self) -> str:
        visible, hidden = self.machine.kernel.shape
        return f"rbm {visible}-{hidden}"


def averages(visible: Array, hidden: Array) -> tuple[Array, Array, Array]:
    """The means over examples of v hᵀ, h and v."""
    return visible.T @ hidden / len(visible), hidden.mean(axis=0), visible.mean(axis=0)


def flat(inputs: Array) -> Array:
    """(n, visible), whatever the shape of an example."""
    return inputs.reshape(len(inputs), -1)
