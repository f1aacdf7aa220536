"""Learner: how weights are found, as a config says it. Learning: one at work on one run.

The loop hands a Learning spans of steps and lets callbacks look between them. It must not ask for a
network, a gradient or a loss: a learner may have none. This file must not know any learner.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import Problem
from backproplab.learners.material import Material
from backproplab.measures import LOSS, MEASURES, Measure, Row
from backproplab.nn import Loss, metrics_of
from backproplab.passes import Passes
from backproplab.spec import Family
from backproplab.task import Task

if TYPE_CHECKING:
    from backproplab.learners.inside import Inside

T = TypeVar("T")
Arrays = Mapping[str, Array]
Json = dict[str, Any]
Series = tuple[list[int], list[Any]]  # steps, and at each a number, or (P,) of a crew


class Brake(Protocol):
    """Asked whether to come back early: between steps, and within long ones."""

    def between_steps(self) -> bool:
        """After a whole step, or after as many as take a few hundredths of a second: the loop has
        something to do."""

    def within_step(self) -> bool:
        """Within a long step or an evaluation: a signal asks for the end, the step is undone."""


class NoBrake:
    """Never comes back early."""

    def between_steps(self) -> bool:
        return False

    def within_step(self) -> bool:
        return False


@dataclass(frozen=True)
class Span:
    """Steps to do before anything looks at the run.

    start: steps done before.  steps: how many to do.
    rows: the examples of all of these steps, in order: (n,), or (P, n) for a crew; None for a
        learner that does not walk in batches.
    length: examples a step; the last one of an epoch may have fewer.
    whole: each step takes all examples as they lie.
    """

    start: int
    steps: int
    rows: Array | None = None
    length: int = 0
    whole: bool = False

    def batches(self) -> Iterator[Array]:
        """The rows of each step: (batch,), or (P, batch)."""
        if self.rows is not None:
            for number in range(self.steps):
                yield self.batch(number)

    def batch(self, number: int) -> Array:
        """The rows of a step of the span, counted from 0."""
        assert self.rows is not None
        return self.rows[..., number * self.length : (number + 1) * self.length]

    def stretch(self, first: int) -> Array:
        """The rows of steps from number ``first`` on that have the same number of examples:
        (steps, batch), or (P, steps, batch)."""
        assert self.rows is not None
        batch = self.batch(first).shape[-1]
        steps = max((self.rows.shape[-1] - first * self.length) // batch, 1) if batch else 0
        steps = min(steps, self.steps - first)
        rows = self.rows[..., first * self.length :][..., : steps * batch]
        return rows.reshape(*rows.shape[:-1], steps, batch)


@dataclass(frozen=True)
class Divergence:
    """A run whose numbers are no longer finite. step: steps it had done."""

    step: int
    message: str


@dataclass
class Advance:
    """What became of a span.

    done: whole steps done; fewer than asked where the brake, or the learner itself, said so.
    scalars: name -> (steps, values): what the learner reports or was asked for.
    diverged, ended: by member; why, for one that has nothing left to do.
    """

    done: int = 0
    scalars: dict[str, Series] = field(default_factory=dict)
    diverged: dict[int, Divergence] = field(default_factory=dict)
    ended: dict[int, str] = field(default_factory=dict)

    def report(self, name: str, step: int, value: Any) -> None:
        """One value of a scalar at ``step``, counted from 1."""
        steps, values = self.scalars.setdefault(name, ([], []))
        steps.append(step)
        values.append(value)


@dataclass(frozen=True)
class Made:
    """Inputs (n, …) that a learner has made, for a picture with ``columns`` images in a row."""

    inputs: Array
    columns: int
    description: str


class Learning:
    """A learner at work on one run, or on the runs of a crew.

    material: the data, and what the learner was given with them.
    offers: scalars that it reports only if they are wanted, and not to the event files.
    refusal: why steps are not computed as the config's ``engine`` prefers; empty if they are.
    """

    name = "learner"
    file = ""
    offers: tuple[str, ...] = ()
    material: Material
    refusal: str = ""

    @property
    def weights(self) -> Arrays:
        """Live views of everything that predicts, by name, running statistics included."""
        raise NotImplementedError

    def advance(self, span: Span, wanted: Mapping[str, int], brake: Brake) -> Advance:
        """Do the steps of the span, or fewer; a step is whole or did not happen.

        wanted: scalar -> report it every n steps, at n, 2n, …; unknown names are ignored.
        """
        raise NotImplementedError

    def passes(self, steps: int, examples: int) -> Passes:
        """What these steps took, which ``advance`` has just done on these examples in all.

        examples: 0 for a learner that does not walk in batches. Evaluations do not count.
        """
        raise NotImplementedError

    def state(self) -> tuple[Arrays, Json]:
        """Everything that moves, so that ``restore`` continues to the same bits."""
        raise NotImplementedError

    def restore(self, arrays: Arrays, state: Json) -> None:
        """Put back what ``state`` gave."""
        raise NotImplementedError

    def measure(self, split: str, brake: Brake) -> list[Row] | None:
        """Loss and metrics of a split, one row for each run; None if the brake ended it.

        By default of what ``predict`` gives, as the loss and the metrics of the task measure it.
        """
        from backproplab.learners.evaluation import measure_outputs

        return measure_outputs(self.predict, self.material, split, brake)

    def predict(self, inputs: Array) -> Array:
        """The outputs (n, …) as the loss takes them. Raises TypeError for one that has none."""
        raise TypeError(f"{type(self).__name__} predicts nothing")

    @property
    def size(self) -> int:
        """How many numbers it finds."""
        return sum(array.size for array in self.weights.values())

    def inspect(self, measure: Callable[[Inside], Sequence[T]]) -> T | None:
        """What ``measure`` finds inside the network, of this run; None if it has none.

        measure: gives a result for each member of a crew; it is called once for all of them.
        """
        return None

    def pictures(self) -> Mapping[str, Made]:
        """Inputs that it has made with its present weights, by tag: drawn where they are images."""
        return {}

    def scalars(self, step: int) -> Row:
        """What it reports of an epoch that ends after ``step`` steps, beside its measures."""
        return {}

    @property
    def share(self) -> float:
        """How much of the run is done, from 0 to 1, where steps do not say it; else 0."""
        return 0.0

    def evaluated(self, row: Row) -> None:
        """An epoch's values have been measured; a schedule may want to know."""

    def broken(self, row: Row, step: int) -> str:
        """Why an epoch with these values ends the run as diverged; empty if it does not.

        step: steps done.
        """
        return ""

    def part(self, member: int) -> None:
        """A member of a crew ends: from now on its arrays are its own."""

    def __str__(self) -> str:
        return type(self).__name__.lower()


class Learner(Family):
    """How weights are found; the fields are YAML keys under ``learner:``.

    unit: the word for a step.  uses: the keys of a config that it reads besides those that every
    run has; a property where they depend on its fields.
    batches: it walks through the examples in batches.
    shares: several ranks can train with it, each with its share of every batch.
    declares: measures that ``Learning.scalars`` gives every epoch, each a column of metrics.csv.
    default_learning_rate: of one that uses the key without an optimizer.
    weighs: it takes examples that do not count alike; one that trains by the key ``loss`` does.
    takes_codes: it takes the codes of embedded categories; one with a network does.
    timed: its fields say where it ends, and more steps lead no further.
    """

    required = ("begin",)
    unit: ClassVar[str] = "step"
    uses: ClassVar[frozenset[str]] = frozenset()
    batches: ClassVar[bool] = False
    shares: ClassVar[bool] = False
    declares: ClassVar[tuple[Measure, ...]] = ()
    default_learning_rate: ClassVar[float] = 0.01
    weighs: ClassVar[bool] = False
    takes_codes: ClassVar[bool] = False
    timed: ClassVar[bool] = False

    def measures(self, task: Task) -> tuple[Measure, ...]:
        """What is measured of every split; the first is monitored unless a config says else."""
        return (LOSS, *(MEASURES[metric.name] for metric in metrics_of(task)))

    def units(self, task: Task, inputs: tuple[int, ...], loss: Loss | None) -> int:
        """The outputs of its network, if it has one. inputs: the shape of an example's."""
        return loss.units(task) if loss else task.outputs

    def loss(self, chosen: Loss, task: Task) -> Loss | None:
        """What outputs are measured by; None if it gives none. chosen: by the key ``loss``."""
        return chosen.resolve(task) if "loss" in self.uses else None

    def problems(self, material: Material) -> list[Problem]:
        """What cannot work, reported before anything is written."""
        return []

    def cost(self, material: Material) -> str:
        """What is to be known of the time it takes, before it begins; empty for nothing."""
        return ""

    def excess(self, material: Material) -> list[Problem]:
        """What would take so long that commands refuse it, unless it is forced."""
        return []

    def begin(self, material: Material) -> Learning:
        """The run's beginning, its first weights drawn. Writes nothing."""
        raise NotImplementedError

    @property
    def subject(self) -> str:
        """What it fits, in short, where that is not the config's model as it is."""
        return ""

    @property
    def stretch(self) -> str:
        """The word for the steps that end with an evaluation."""
        return "epoch" if self.batches else "evaluation"

    @property
    def most_steps(self) -> int | None:
        """Steps of a run whose config does not say how many; None if it must."""
        return None

    @property
    def pace(self) -> int | None:
        """Steps between two evaluations, by default; None for a tenth of the run."""
        return None

    def numbers(self, size: int) -> int:
        """How many numbers a step needs at once for ``size`` weights, beside a gradient's."""
        return 0

    def memory(self, material: Material) -> int:
        """Bytes that it allocates beside the data and what every network needs, by sizes alone."""
        return 0

    @property
    def stacks(self) -> bool:
        """Whether several runs can train as one."""
        return False

    def stack(self, members: Sequence[Any]) -> Learning:
        """One Learning that advances them all; their arrays become its rows."""
        raise NotImplementedError


def fingerprint(weights: Arrays) -> str:
    """SHA-256 of names, shapes, type and bytes: equal exactly for bit-equal arrays."""
    shapes = {name: array.shape for name, array in weights.items()}
    dtype = next(iter(weights.values())).dtype.str if weights else ""
    digest = hashlib.sha256(repr((shapes, dtype)).encode())
    for array in weights.values():
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
