"""Experiments that share a shape, run in lockstep: each in its folder, as if it ran alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from threadpoolctl import threadpool_limits

from backproplab import environment
from backproplab.config import Experiment
from backproplab.config.experiment import Role, keys
from backproplab.data import load
from backproplab.experiment.parts import Loader, build
from backproplab.experiment.run import Result, running
from backproplab.nn import Initializer
from backproplab.train.callbacks import Slice
from backproplab.train.population import train_together

FEWEST, MOST = 4, 32  # members of a crew
MOST_DATA = 2**28  # bytes of training data that a crew may copy


def shape_of(experiment: Experiment) -> str:
    """Equal for experiments that can train in lockstep."""
    fields = {name: getattr(experiment, name) for name in Experiment.model_fields}
    own = keys(Role.OWN)
    outline = {name: _outline(value) for name, value in fields.items() if name not in own}
    text = json.dumps([outline, experiment.optimizer.slots], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _outline(value: Any) -> Any:
    """The value without the numbers in which a population's members may differ."""
    if isinstance(value, Initializer):
        return "initializer"  # each member draws its first weights alone
    if isinstance(value, BaseModel):
        numbers = getattr(type(value), "by_member", ())
        fields = [n for n in type(value).model_fields if n not in numbers and n != "initializer"]
        return [type(value).__qualname__, {n: _outline(getattr(value, n)) for n in fields}]
    return [_outline(item) for item in value] if isinstance(value, tuple) else value


def crew_size(experiment: Experiment) -> int:
    """How many of such runs are best trained in lockstep: 1 where it gains nothing.

    As many as keep their weights, slots and activations in half of a core's L2 cache, which is
    read from the machine; measured, fewer than four gain too little, and above 32 nothing more.
    """
    parts = build(experiment)
    examples = min(parts.batch_length, parts.learner().tile)
    numbers = len(parts.parameters) * (2 + len(experiment.optimizer.slots))
    numbers += 2 * parts.network.footprint * examples
    data = parts.splits.train.inputs.nbytes
    cache, room = environment.cache_bytes() / 2, MOST_DATA / max(data, 1)
    size = int(min(cache / (numbers * parts.parameters.flat.itemsize), room, MOST))
    return size if size >= FEWEST else 1


def run_group(
    experiments: Sequence[Experiment], folders: Sequence[Path], slices: Sequence[Slice | None]
) -> list[Result | Exception]:
    """Run them all in lockstep: what each came to, or why it failed.

    They must be of one ``shape_of``. What cannot be built fails alone; any other failure, which
    may be one member's own, fails all that have not ended.
    """
    ends: dict[int, Result | Exception] = {}
    members: dict[int, Member] = {}
    data, threads = cache(load), experiments[0].threads
    with threadpool_limits(1 if threads == "auto" else threads):
        for number, run in enumerate(zip(experiments, folders, slices, strict=True)):
            try:
                members[number] = Member(data, *run)
            except Exception as error:
                ends[number] = error
        try:
            for number, divergence in _trained(members):
                ends[number] = _left(members.pop(number), divergence)
        except Exception as error:
            for number, member in members.items():
                ends[number] = _left(member, error)
    return [ends[number] for number in range(len(experiments))]


class Member:
    """A run that takes part: it has begun, and waits for its epochs."""

    def __init__(
        self, data: Loader, experiment: Experiment, folder: Path, part: Slice | None
    ) -> None:
        parts = build(experiment, data)
        with ExitStack() as around:
            self.course = around.enter_context(running(parts, folder, (), part))
            around.enter_context(self.course.trainer.training())
            self.around = around.pop_all()  # all went well: left by ``leave``

    def leave(self, error: Exception | None = None) -> Result:
        """End the run, by the error if there is one: raised, if the run takes no note of it."""
        with self.around:
            if error:
                raise error
        return self.course.result


def _trained(members: Mapping[int, Member]) -> Iterator[tuple[int, Exception | None]]:
    numbers = {member.course.trainer: number for number, member in members.items()}
    for trainer, error in train_together(list(numbers)):
        yield numbers[trainer], error


def _left(member: Member, error: Exception | None) -> Result | Exception:
    try:
        return member.leave(error)
    except Exception as told:
        return told
