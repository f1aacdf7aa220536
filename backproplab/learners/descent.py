"""Gradient descent: take a batch, get its gradient, look for NaN, clip, update.

Where the gradient comes from is a field; how it is used is here. This file knows no loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from backproplab.arrays import Array, aligned
from backproplab.autograd import Tensor
from backproplab.errors import Problem
from backproplab.learners.batches import SCALARS, BatchMeasures, Reports
from backproplab.learners.curvature import LIMIT
from backproplab.learners.gradient import Backprop, Gradient
from backproplab.learners.inside import Inside
from backproplab.learners.leaps import Leapt
from backproplab.learners.learner import (
    Advance,
    Arrays,
    Brake,
    Divergence,
    Json,
    Learner,
    Learning,
    Span,
)
from backproplab.learners.material import Material
from backproplab.learners.nonfinite import first_nonfinite
from backproplab.learners.updates import Updates, loss_of
from backproplab.measures import Row
from backproplab.nn import Loss, Network
from backproplab.passes import Passes
from backproplab.spec import NonNegative, Off
from backproplab.streams import restore_state, state_of

if TYPE_CHECKING:
    from backproplab.learners.crew import DescentCrew

T = TypeVar("T")
BEGUN = frozenset({"init_from", "freeze"})  # keys of a network that continues another one
CONVERGED = "converged"  # the reason of a run that its gradient's norm ended


class GradientDescent(Learner, name="gradient_descent"):
    """θ ← θ - optimizer(∇ of the batch's mean loss), batch after batch.

    gradient: where the gradient comes from.
    tolerance: ends a run in batch mode before the update whose gradient has a smaller 2-norm.
    """

    gradient: Gradient = Backprop()
    tolerance: Annotated[NonNegative, Off(0.0)] = 0.0

    unit = "update"
    batches = True
    shares = True
    uses: ClassVar[frozenset[str]] = BEGUN | frozenset(
        ["model", "loss", "metrics", "optimizer", "learning_rate", "schedule", "clipping"]
    )

    def problems(self, material: Material) -> list[Problem]:
        problems, network = list(self.gradient.problems(material)), material.network
        problems += _not_shared(self.gradient, material) if material.ranks.size > 1 else []
        if self.tolerance and material.batch < len(material.train):
            what = "learner.tolerance: a batch's gradient says nothing of the end"
            problems.append(Problem("", what, "set batch_mode=batch, or tolerance=off"))
        if material.keys.get("freeze") and not isinstance(self.gradient, Backprop):
            what = f"freeze: {self.gradient.name} gradients are of all layers"
            problems.append(Problem("", what, "use learner.gradient=backprop"))
        if material.keys["optimizer"].second_order and network and network.size > LIMIT:
            what = f"optimizer: newton is for at most {LIMIT:,} weights, the network has "
            what += f"{network.size:,}"
            problems.append(Problem("", what, "use lbfgs, or a smaller network"))
        return problems

    def cost(self, material: Material) -> str:
        return self.gradient.cost(material)

    def excess(self, material: Material) -> list[Problem]:
        return self.gradient.excess(material)

    def begin(self, material: Material) -> Descent:
        return Descent(self, material)

    @property
    def stacks(self) -> bool:
        return self.gradient.stacks

    def stack(self, members: Sequence[Descent]) -> Learning:
        from backproplab.learners.crew import DescentCrew

        return DescentCrew(members)


class Descent(Learning):
    """Gradient descent at work on one run, whose vectors may be rows of a crew's."""

    def __init__(self, settings: GradientDescent, material: Material) -> None:
        keys = material.keys
        self.offers = *SCALARS, "loss", *(metric.name for metric in material.metrics)
        self.settings = settings
        self.material = material
        self.parameters = material.first(self.network)
        self.gradient = self.parameters.twin()
        self.slots = {name: self.parameters.twin() for name in keys["optimizer"].slots}
        self.chance = material.stream("dropout")
        self.crew: tuple[DescentCrew, int] | None = None  # and its number there
        self.rate = keys["schedule"].begin(keys["learning_rate"], material.steps)

    @property
    def network(self) -> Network:
        assert self.material.network is not None
        return self.material.network

    @property
    def loss(self) -> Loss:
        return loss_of(self.material)

    @cached_property
    def updates(self) -> Updates:
        """What computes; made anew after the vectors have moved."""
        return Updates(
            self.settings.gradient,
            self.material,
            self.network,
            self.material.keys["optimizer"],
            self.parameters,
            self.gradient,
            self.slots,
            self.chance,
            undoes=self.settings.tolerance > 0,
        )

    @property
    def weights(self) -> Arrays:
        return self.parameters.views

    @property
    def size(self) -> int:
        return len(self.parameters)

    def inspect(self, measure: Callable[[Inside], Sequence[T]]) -> T | None:
        if self.crew:
            crew, number = self.crew
            return crew.inside.measured(measure)[number]
        return self.inside.measured(measure)[0]

    @cached_property
    def inside(self) -> Inside:
        """The network at work with the present weights; made anew after each span."""
        return Inside.first(self.network, self.loss, self.parameters, self.material.train)

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        vars(self).pop("inside", None)
        made, train, updates = Advance(), self.material.train, self.updates
        batches = BatchMeasures(updates.evaluation, wanted, train.targets, train.encoded, made)
        reports = Reports(wanted, made, batches, lambda: updates.norm)
        rate = self.rate(span.start)
        while made.done < span.steps:
            if made.done and brake.between_steps():
                break
            leapt = self._leap(span, made.done, reports)
            made.done += leapt.done
            if leapt.done and not leapt.filled:
                continue
            step, rows = span.start + made.done, span.batch(made.done)
            taken, room = None if span.whole else rows, batches.room(rows)
            filled = leapt.filled or updates.fill(train.inputs, train.encoded, taken, brake, room)
            if not filled:
                break
            if not updates.is_finite:
                made.diverged[0] = self.divergence(step, rows)
                break
            if self.settings.tolerance and updates.norm <= self.settings.tolerance:
                updates.undo()
                made.ended[0] = CONVERGED
                break
            if self.rate.moves:
                rate = self.rate(step)
            reports.note(step + 1, rows, rate)
            updates.follow(rate, step + 1)
            made.done += 1
        batches.measure()
        self.refusal = updates.source.refusal
        return made

    def _leap(self, span: Span, number: int, reports: Reports) -> Leapt:
        """The updates of the span from this number on, as far as they are made in one call."""
        rows, rate, first = span.stretch(number), self.rate, span.start + number
        return self.updates.leap(self.material.train, rows, rate, rate.moves, first, reports)

    def divergence(self, step: int, rows: Array | slice) -> Divergence:
        """What is wrong with the step on these rows, whose numbers are not finite."""
        train = self.material.train
        batch = train.inputs[rows], train.encoded[rows]
        own = self.network, self.loss, self.parameters, self.gradient, self.chance
        found = first_nonfinite(*own, *batch)
        advice = f"try a smaller learning_rate (now {self.rate(step):g})"
        if (form := getattr(self.loss, "form", "fused")) != "fused":
            advice = f"try loss.form=fused (now {form})"
        return Divergence(step, f"{found or 'the loss'} stopped being finite — {advice}")

    def broken(self, row: Row, step: int) -> str:
        return "" if math.isfinite(row["loss"]) else self.divergence(step, slice(None)).message

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        of = self.material.splits[split]
        found = self.updates.evaluation(of.inputs, of.targets, of.encoded, brake)
        return None if found is None else [{name: float(x) for name, x in found.items()}]

    def predict(self, inputs: Array) -> Array:
        return self.network(self.parameters.tensors(), Tensor(inputs)).value

    def scalars(self, step: int) -> Row:
        """The rate of the epoch's last update."""
        return {"learning_rate": self.rate(max(step - 1, 0))}

    def evaluated(self, row: Row) -> None:
        self.rate.epoch(row)

    def passes(self, steps: int, examples: int) -> Passes:
        return Passes.of(steps, examples, *self._passes)

    @cached_property
    def _passes(self) -> tuple[int, int]:
        """Forward and backward, of a step."""
        forward, backward = self.settings.gradient.passes(self.network)
        if self.material.keys["optimizer"].second_order:  # a gradient, and a pass for each row
            forward, backward = forward + 1, backward + 1 + self.size
        return forward, backward

    def state(self) -> tuple[Arrays, Json]:
        vectors = {"weights": self.parameters, "gradients": self.gradient}
        vectors |= {f"slots/{name}": vector for name, vector in self.slots.items()}
        arrays = {
            f"{kind}/{name}": view
            for kind, vector in vectors.items()
            for name, view in vector.views.items()
        }
        return arrays, {"rate": self.rate.state, "dropout": state_of(self.chance)}

    def restore(self, arrays: Arrays, state: Json) -> None:
        for name, view in self.state()[0].items():
            view[...] = arrays[name]
        self.rate.state = state["rate"]
        restore_state(self.chance, state["dropout"])

    def unbind(self, crew: tuple[DescentCrew, int] | None = None) -> None:
        """The vectors have moved, into a crew's or out of them: drop what was bound to them."""
        self.crew = crew
        for name in ("updates", "inside"):
            vars(self).pop(name, None)

    def leave(self) -> None:
        """Move out of a crew's arrays."""
        for vector in (self.parameters, self.gradient, *self.slots.values()):
            vector.move_to(aligned(vector.flat.shape, vector.flat.dtype))
        self.unbind()

    def __str__(self) -> str:
        return str(self.network)


def _not_shared(gradient: Gradient, material: Material) -> list[Problem]:
    """What several ranks cannot share: it needs the whole batch in one process."""
    alone, optimizer = "start it once, without mpiexec", material.keys["optimizer"]
    what, problems = f"{material.ranks.size} ranks cannot share", []
    if not gradient.shares:
        problems.append(Problem("", f"learner.gradient: {what} {gradient.name} gradients", alone))
    if optimizer.second_order or not optimizer.blockwise:
        problems.append(Problem("", f"optimizer: {what} the steps of {optimizer.name}", alone))
    for at, place in enumerate(material.network.places if material.network else ()):
        if place.layer.mixes_examples:
            why = f"{what} a batch through {place.layer.name}, which looks at all of it"
            other = "layer_norm" if place.layer.differs_in_training else "equal steps"
            hint = f"use {other}, or {alone}"
            problems.append(Problem("", f"model.layers.{at}: {why}", hint))
    return problems
