"""The path of a training: its trajectory, or what it does when it is run again in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from backproplab.arrays import Array
from backproplab.errors import RunError
from backproplab.experiment import Parts, build
from backproplab.experiment.course import Course
from backproplab.experiment.run import limits_of
from backproplab.files import DiskFolder, MemoryFolder
from backproplab.journal.trajectory import read_trajectory
from backproplab.landscape.directions import principal
from backproplab.landscape.surface import Plane, crossed
from backproplab.landscape.trained import Trained
from backproplab.loop import Callback, Lane, Loop, Pace
from backproplab.runs.run_folder import RunFolder
from backproplab.signals import StopNow
from backproplab.telemetry.settings import NOTHING, TensorBoard

MARGIN = 0.2  # of the path's extent, around it


@dataclass(frozen=True)
class Path2D:
    """epochs: (t,), from 0 to the last.  places: (t, 2), where the weights were after them, in the
    plane of the path's two principal directions; the last is (0, 0).
    shares: of the path's squared distances from its end that each direction has.
    plane: the training loss there.  again: whether the run was trained again for it."""

    epochs: Array
    places: Array
    shares: Array
    plane: Plane
    again: bool


class Recorder(Callback):
    """Keeps the weights at the start and after each epoch."""

    def __init__(self) -> None:
        self.kept: list[Array] = []

    def start(self, lane: Lane) -> None:
        self.look(lane)

    def look(self, lane: Lane) -> None:
        self.kept.append(np.concatenate([x.ravel() for x in lane.learning.weights.values()]))


def walked(run: Trained, points: int) -> Path2D:
    """The path of the run from its first weights to its last ones.

    Raises DamageError for a damaged trajectory, and, of a run without one, RunError if training
    again does not end at the recorded weights, to the last bit.
    """
    kept = read_trajectory(run.folder, run.center)
    epochs, path = _with_the_last(run, *kept) if kept else _again(run)
    directions, shares = principal(path)
    places = (path - path[-1]).astype(np.float64) @ directions.T
    axes = [_axis(column, points) for column in places.T]
    if np.ptp(axes[1]) < 1e-6 * np.ptp(axes[0]):  # a straight path
        axes[1] = axes[0] - axes[0].mean()
    plane = crossed(run, path[-1].astype(np.float64), list(directions), *axes)
    return Path2D(epochs, places, shares, plane, again=kept is None)


def _with_the_last(run: Trained, epochs: Array, path: Array) -> tuple[Array, Array]:
    """The trajectory up to the weights that the run ended with, which may be between two rows."""
    if np.array_equal(path[-1], run.center):
        return epochs, path
    last = int(RunFolder(DiskFolder(run.folder)).record.get("epochs", epochs[-1]))
    return np.append(epochs, last), np.vstack([path, run.center])


def _axis(values: Array, points: int) -> Array:
    room = MARGIN * float(np.ptp(values)) or 1e-9
    return np.linspace(values.min() - room, values.max() + room, points)


def _again(run: Trained) -> tuple[Array, Array]:
    """(epochs (t,), the weights after each of them (t, n), in the layout of ``run.center``)."""
    silent = TensorBoard.model_validate(NOTHING)
    parts = build(run.parts.experiment.model_copy(update={"tensorboard": silent}))
    recorded = RunFolder(DiskFolder(run.folder)).record["hashes"].get("weights")
    kept, found = _train(parts)
    if found != recorded:
        raise RunError(
            f"{run.folder}: trained again it ends at other weights than were recorded: it was "
            "stopped, made longer or trained on another machine or version — train it again, "
            "with trajectory=1"
        )
    return np.arange(len(kept)), kept


def _train(parts: Parts) -> tuple[Array, str]:
    """(the weights after each epoch, the hash of the last ones)."""
    recorder, folder = Recorder(), MemoryFolder()
    with limits_of(parts) as stop:
        course, pace = Course(parts, folder, [recorder]), Pace(stop)
        course.begin()
        for lane in Loop(parts.experiment.learner, [course.lane], pace).run():
            if lane.error:
                raise lane.error
            course.conclude(pace)
        if course.lane.signal:
            raise StopNow(course.lane.signal)
    return np.array(recorder.kept), str(RunFolder(folder).record["hashes"]["weights"])
