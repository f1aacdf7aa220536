"""DescentCrew: gradient descent of several runs of one shape, a step of all in one set of calls.

Members keep their own rate, stream of chance and place in the arrays: what one of them is asked
for is what it would say alone, to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from functools import cached_property

import numpy as np

from backproplab.arrays import Array
from backproplab.columns import merged
from backproplab.learners.batches import BatchMeasures, Reports
from backproplab.learners.descent import CONVERGED, Descent
from backproplab.learners.inside import Inside
from backproplab.learners.leaps import Leapt
from backproplab.learners.learner import Advance, Arrays, Brake, Learning, Span
from backproplab.learners.material import Split
from backproplab.learners.updates import Updates, loss_of
from backproplab.measures import Row
from backproplab.nn import Initializer, ParameterVector
from backproplab.streams import Streams


class DescentCrew(Learning):
    """Advances all members; their vectors are rows of its own until they ``part``."""

    def __init__(self, members: Sequence[Descent]) -> None:
        first = members[0]
        self.members = tuple(members)
        self.live = dict(enumerate(members))
        self.material = first.material
        self.parameters = ParameterVector.stacked([m.parameters for m in members])
        self.gradient = ParameterVector.stacked([m.gradient for m in members])
        self.slots = {
            n: ParameterVector.stacked([m.slots[n] for m in members]) for n in first.slots
        }
        self.chance = Streams([m.chance for m in members])
        for number, member in enumerate(members):
            member.unbind((self, number))
        self.updates = Updates(
            first.settings.gradient,
            first.material,
            merged([m.network for m in members], (Initializer,)),
            merged([m.material.keys["optimizer"] for m in members]),
            self.parameters,
            self.gradient,
            self.slots,
            self.chance,
            undoes=first.settings.tolerance > 0,
        )
        self.splits: dict[str, StackedSplit] = {}
        self.moves = any(member.rate.moves for member in members)
        self.rates = self._rates(0)  # of the newest update, or of all

    @property
    def weights(self) -> Arrays:
        return self.parameters.views

    @cached_property
    def inside(self) -> Inside:
        """The networks at work with their present weights; made anew after each span."""
        network, loss = self.updates.evaluation.network, loss_of(self.material)
        return Inside.first(network, loss, self.parameters, self._split("train").stacked)

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        vars(self).pop("inside", None)
        made, train, updates = Advance(), self._split("train"), self.updates
        batches = BatchMeasures(updates.evaluation, wanted, train.targets, train.encoded, made)
        reports = Reports(wanted, made, batches, lambda: updates.norm)
        while made.done < span.steps:
            if made.done and brake.between_steps():
                break
            leapt = self._leap(span, made.done, reports)
            made.done += leapt.done
            if leapt.done and not leapt.filled:
                continue
            step, rows = span.start + made.done, span.batch(made.done)
            taken = rows + train.offsets
            filled = leapt.filled or updates.fill(
                train.inputs, train.encoded, taken, brake, batches.room(taken)
            )
            if not filled:
                break
            if not updates.is_finite and not self._part_with_broken(made, step, rows):
                break
            if ended := self._converged():
                updates.undo()
                made.ended |= dict.fromkeys(ended, CONVERGED)
                break
            if self.moves:
                self.rates = self._rates(step)
            reports.note(step + 1, taken, self.rates)
            updates.follow(self.rates, step + 1)
            made.done += 1
        batches.measure()
        for member in self.live.values():
            member.refusal = updates.source.refusal
        return made

    def _leap(self, span: Span, number: int, reports: Reports) -> Leapt:
        """The updates of the span from this number on, as far as they are made in one call."""
        train = self._split("train")
        rows = span.stretch(number).swapaxes(0, 1) + train.offsets
        first, live = span.start + number, list(self.live)
        rates = self._rates if self.moves else lambda step: self.rates
        leapt = self.updates.leap(train, rows, rates, self.moves, first, reports, live)
        if leapt.done and self.moves:
            self.rates = self._rates(first + leapt.done - 1)
        return leapt

    def _converged(self) -> list[int]:
        """The members whose gradient is small enough; all have the same tolerance."""
        tolerance = self.members[0].settings.tolerance
        return [n for n in self.live if self.updates.norm[n] <= tolerance] if tolerance else []

    def _rates(self, step: int) -> Array:
        """Of the update after ``step`` others, (P, 1)."""
        return np.array([[member.rate(step)] for member in self.members])

    def _part_with_broken(self, made: Advance, step: int, rows: Array) -> bool:
        """Part with the members that diverged; whether any is left.

        Their rows compute on, and nobody reads them.
        """
        whole = [bool(np.isfinite(row).all()) for row in self.gradient.flat]
        for number in [number for number in self.live if not whole[number]]:
            member = self.members[number]
            self.part(number)
            made.diverged[number] = member.divergence(step, rows[number])
        return bool(self.live)

    def part(self, member: int) -> None:
        if left := self.live.pop(member, None):
            self.chance.generators[member] = deepcopy(left.chance)  # its own stays as it is now
            left.leave()

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        whole = self._split(split).stacked
        found = self.updates.evaluation(whole.inputs, whole.targets, whole.encoded, brake)
        if found is None:
            return None
        columns = {name: values.tolist() for name, values in found.items()}
        return [{n: values[p] for n, values in columns.items()} for p in range(len(self.members))]

    def _split(self, name: str) -> StackedSplit:
        if name not in self.splits:
            self.splits[name] = StackedSplit([m.material.splits[name] for m in self.members])
        return self.splits[name]


class StackedSplit:
    """One split of each member.

    stacked: their arrays, (n, …) if all have the same ones, else (P, n, …).
    inputs, targets, encoded: the same with all examples on one axis.
    offsets: where on it each member's begin, (P, 1).
    """

    def __init__(self, splits: Sequence[Split]) -> None:
        first, count = splits[0], len(splits[0])
        self.stacked = first
        self.inputs, self.targets, self.encoded = first.inputs, first.targets, first.encoded
        self.offsets = np.zeros((len(splits), 1), np.intp)
        if any(split.inputs is not first.inputs for split in splits):
            self.stacked = Split(
                np.stack([split.inputs for split in splits]),
                np.stack([split.targets for split in splits]),
                np.stack([split.encoded for split in splits]),
            )
            self.inputs, self.targets, self.encoded = (
                array.reshape(-1, *array.shape[2:])
                for array in (self.stacked.inputs, self.stacked.targets, self.stacked.encoded)
            )
            self.offsets += count * np.arange(len(splits))[:, None]
