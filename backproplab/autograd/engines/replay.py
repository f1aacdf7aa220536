"""Replay: computes a step eagerly once, and later by repeating the recorded NumPy calls.

The results are the eager ones, bit for bit: the same calls in the same order, without a graph and
without new memory. Each set of input shapes and types has a plan of its own, and arrays from
outside are refused. At the 2nd, 8th, 32nd, … run the step is recorded again and must be the same
program: this finds a branch or a number that depends on the data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backproplab.arrays import Array
from backproplab.autograd.engines.plan import Plan, Player, by_python
from backproplab.autograd.engines.program import Program, difference
from backproplab.autograd.engines.recorder import record
from backproplab.autograd.tensor import Tensor
from backproplab.errors import GraphError

Step = Callable[..., Sequence[Tensor]]
Key = tuple[Any, ...]


class RecordingError(GraphError):
    """A step that cannot be replayed; it can still be computed eagerly."""


class Replay:
    """``step(*inputs)``, whose results are written ``into`` the arrays given.

    step, externals, into: as for ``Engine.bind``.  player: makes a plan's calls.
    plans: by the shapes and types of the inputs.
    """

    def __init__(
        self,
        step: Step,
        externals: Sequence[Array],
        into: Sequence[Array],
        player: Player = by_python,
    ) -> None:
        self.step = step
        self.player = player
        self.externals = externals
        self.into = into
        self.plans: dict[Key, Plan] = {}

    def __call__(self, *inputs: Array, stay: bool = False) -> None:
        """Compute the step; ``stay`` as for ``Bound``.

        Raises RecordingError if the step cannot be replayed. This run's results are right even
        then; the next runs have to be computed eagerly.
        """
        key = tuple([(x.shape, x.dtype) for x in inputs])
        self._compute(key, self.plans.get(key), inputs, stay)

    def of_rows(self, rows: Array | slice, *arrays: Array) -> None:
        """Compute the step on these rows of each array, as ``Bound.of_rows``.

        Rows by index are gathered into the plan's own inputs, without another copy.
        """
        if isinstance(rows, slice):
            self(*[x[rows] for x in arrays], stay=True)
            return
        key = _key(rows.shape, arrays)
        plan = self.plans.get(key)
        inputs = plan.inputs if plan else [np.empty(*form) for form in key]
        for x, own in zip(arrays, inputs, strict=True):
            x.take(rows, 0, own, "wrap")  # with "raise" NumPy makes a copy
        self._compute(key, plan, inputs)

    def ahead(self, rows: tuple[int, ...], *arrays: Array) -> tuple[Plan, int] | None:
        """The plan for so shaped rows of each array, and for how many runs nothing is recorded."""
        plan = self.plans.get(_key(rows, arrays))
        return (plan, _next_check(plan.runs) - plan.runs - 1) if plan else None

    def _compute(
        self, key: Key, plan: Plan | None, inputs: Sequence[Array], stay: bool = False
    ) -> None:
        if plan is None:
            self.plans[key] = Plan(self._record(inputs), len(inputs), self.into, self.player)
            return
        plan.runs += 1
        if not _is_checked(plan.runs):
            if stay and all(x.flags.c_contiguous for x in inputs):
                plan.run_on(inputs)
            else:
                plan.run(inputs)
        elif changed := difference(plan.recorded, self._record(inputs)):
            raise RecordingError(
                f"the step was another one when it ran again: {changed} — a number or a branch "
                "in it depends on the data or was changed from outside"
            )

    def _record(self, inputs: Sequence[Array]) -> Program:
        """The step's program; the step is computed eagerly, into ``into``."""
        results, program = record(self.step, inputs, self.externals)
        for wanted, value in zip(self.into, results, strict=True):
            np.copyto(wanted, value)
        if isinstance(program, str):
            raise RecordingError(f"the step cannot be replayed: {program}")
        return program


def _key(rows: tuple[int, ...], arrays: Sequence[Array]) -> Key:
    return tuple([((*rows, *x.shape[1:]), x.dtype) for x in arrays])


def _next_check(run: int) -> int:
    """The first run after this one that is checked."""
    return int(2 * 4 ** ((run // 2).bit_length() + 1 >> 1))


def _is_checked(run: int) -> bool:
    """Whether this is the 2nd, 8th, 32nd, … run."""
    return run.bit_count() == 1 and run.bit_length() % 2 == 0
