"""Crews: experiments that share a shape, trained in lockstep, each as it would be trained alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from pydantic import BaseModel
from threadpoolctl import threadpool_limits

from backproplab import environment
from backproplab.config import Experiment, Role, keys
from backproplab.experiment.account import HParams
from backproplab.experiment.course import Course, Result
from backproplab.experiment.limits import load
from backproplab.experiment.parts import Loader, build
from backproplab.files import Folder
from backproplab.loop import Loop, Pace
from backproplab.nn import Initializer
from backproplab.runs.run_folder import RunFolder

FEWEST, MOST = 4, 32  # members of a crew
MOST_DATA = 2**28  # bytes of training data that a crew may copy


def shape_of(experiment: Experiment) -> str:
    """Equal for experiments that can train in lockstep."""
    own = keys(Role.OWN)
    fields = {name: getattr(experiment, name) for name in Experiment.model_fields}
    outline = {name: _outline(value) for name, value in fields.items() if name not in own}
    text = json.dumps([outline, experiment.optimizer.slots], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _outline(value: Any) -> Any:
    """The value without the numbers in which a crew's members may differ."""
    if isinstance(value, Initializer):
        return "initializer"  # each member draws its first weights alone
    if isinstance(value, BaseModel):
        numbers = getattr(type(value), "by_member", ())
        fields = [n for n in type(value).model_fields if n not in numbers and n != "initializer"]
        return [type(value).__qualname__, {n: _outline(getattr(value, n)) for n in fields}]
    return [_outline(item) for item in value] if isinstance(value, tuple) else value


def crew_size(experiment: Experiment) -> int:
    """How many of such runs are best trained in lockstep: 1 where it gains nothing, as
    where each has a Hessian, or where parts of the user may know nothing of crews.

    As many as keep their weights, slots and activations in half of a core's L2 cache, which is
    read from the machine; measured, fewer than four gain too little, and above 32 nothing more.
    """
    alone = experiment.imports or experiment.optimizer.second_order
    if alone or not experiment.learner.stacks:
        return 1
    parts = build(experiment)
    if parts.network is None or parts.network.mixes_members:
        return 1
    itemsize = np.dtype(experiment.dtype).itemsize
    numbers = parts.network.size * (2 + len(experiment.optimizer.slots))
    numbers += 2 * parts.network.footprint * parts.tile
    data = parts.splits.train.inputs.nbytes
    cache, room = environment.cache_bytes() / 2, MOST_DATA / max(data, 1)
    size = int(min(cache / (numbers * itemsize), room, MOST))
    return size if size >= FEWEST else 1


def train_slice(
    experiments: Sequence[Experiment],
    folders: Sequence[Folder],
    pauses: Sequence[int | None],
    pace: Pace,
    hparams: Sequence[HParams | None] = (),
) -> list[Result | Exception]:
    """Train all of them together, from where they are; what each came to, or why it failed.

    hparams: the row of each run that begins; none by default.

    Several must be of one ``shape_of`` and at one step. What cannot be built, or cannot be ended,
    fails alone; any other failure, which may be one member's own, fails all that have not ended.
    """
    ends: dict[int, Result | Exception] = {}
    courses: dict[int, Course] = {}
    data = cache(load)
    with threadpool_limits(1):  # and more where a course says so, until this ends
        rows = hparams or [None] * len(experiments)
        for number, run in enumerate(zip(experiments, folders, pauses, rows, strict=True)):
            try:
                courses[number] = _course(data, *run)
            except Exception as error:
                ends[number] = error
        numbers = {course.lane: number for number, course in courses.items()}
        try:
            for lane in Loop(experiments[0].learner, list(numbers), pace).run():
                number = numbers[lane]
                ends[number] = _concluded(courses.pop(number), pace)
        except BaseException as error:
            for number, course in courses.items():
                course.fail(error)
                if isinstance(error, Exception):
                    ends[number] = error
            if not isinstance(error, Exception):
                raise
    return [ends[number] for number in range(len(experiments))]


def _concluded(course: Course, pace: Pace) -> Result | Exception:
    try:
        if course.lane.error:
            raise course.lane.error
        return course.conclude(pace)
    except Exception as error:
        course.fail(error)
        return error


def _course(
    data: Loader,
    experiment: Experiment,
    folder: Folder,
    pause: int | None,
    hparams: HParams | None,
) -> Course:
    """The run, begun or taken up from the slice before, wherever that was."""
    parts = build(experiment, data)
    if parts.threads > 1:
        threadpool_limits(parts.threads)
    course = Course(parts, folder, pause=pause, alone=False, hparams=hparams)
    if record := RunFolder(folder).record:
        course.take_up(record, inexact=True, whole=False)
    else:
        course.begin()
    return course
