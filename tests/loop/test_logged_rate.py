"""The rate that is logged with an epoch is that of its last update: every schedule, however trained."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from backproplab.arrays import Array
from backproplab.config import Experiment
from backproplab.experiment.course import Course
from backproplab.experiment.parts import build
from backproplab.files import MemoryFolder
from backproplab.learners.updates import Updates
from backproplab.loop import Callback, Lane, Loop, Pace
from backproplab.optim import Schedule

SCHEDULES: dict[str, dict[str, Any]] = {
    "constant": {},
    "step": {"every": 4, "factor": 0.5},
    "exponential": {"rate": 0.5},
    "inverse_time": {"rate": 2.0},
    "polynomial": {"power": 2.0},
    "cosine": {},
    "cosine_restarts": {"first_decay_steps": 3},
    "one_cycle": {},
    "piecewise": {"boundaries": [4, 9], "factors": [1.0, 0.5, 0.1]},
    "reduce_on_plateau": {"patience": 2, "min_delta": 10.0, "factor": 0.1},
}
EPOCHS, EACH = 6, 4  # 120 training examples in batches of 32, the last one shorter


def experiment(schedule: str, warmup: int, rate: float, engine: str = "auto") -> Experiment:
    return Experiment.model_validate(
        {
            "data": "iris",
            "model": {"hidden": [3]},
            "optimizer": "sgd",
            "learning_rate": rate,
            "schedule": {"name": schedule, "warmup_steps": warmup, **SCHEDULES[schedule]},
            "batch_size": 32,
            "epochs": EPOCHS,
            "threads": 1,
            "engine": engine,
            "tensorboard": {"histograms": 0},
        }
    )


class Recorder(Callback):
    """What is reported of every update, by step; it outlives a pause."""

    hears: Mapping[str, int] = {"learning_rate": 1}

    def __init__(self, found: dict[int, float]) -> None:
        self.found = found

    def hear(self, lane: Lane, heard: Mapping[str, tuple[Array, Array]]) -> None:
        steps, values = heard["learning_rate"]
        self.found.update(zip(steps.tolist(), values.tolist(), strict=True))


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> dict[int, list[float]]:
    """The rates that updates really used, one by one, by step: one for each member."""
    found: dict[int, list[float]] = {}
    follow = Updates.follow

    def noted(self: Updates, rate: Any, t: int) -> None:
        found[t] = np.ravel(rate).tolist()
        follow(self, rate, t)

    monkeypatch.setattr(Updates, "follow", noted)
    return found


def train(
    experiments: list[Experiment], seconds: float
) -> list[tuple[MemoryFolder, dict[int, float]]]:
    """Train them as one crew, in slices of these seconds: 0 is one update each."""
    heard: list[dict[int, float]] = [{} for _ in experiments]
    folders = [MemoryFolder() for _ in experiments]
    slices, ended = 0, 0
    while ended < len(experiments):
        courses = {}
        for one, folder, found in zip(experiments, folders, heard, strict=True):
            course = Course(build(one), folder, [Recorder(found)])
            if slices:
                course.take_up(json.loads(folder.read("run.json")), whole=False)
            else:
                course.begin()
            courses[course.lane] = course
        pace = Pace(seconds=seconds, saves=False)
        loop = Loop(experiments[0].learner, list(courses), pace)
        results = [courses[lane].conclude(pace) for lane in loop.run()]
        ended = sum(result.status == "completed" for result in results)
        slices += 1
    assert (slices > EPOCHS * EACH / 2) is (seconds == 0)
    return list(zip(folders, heard, strict=True))


def events(folder: MemoryFolder, tmp_path: Any) -> dict[int, float]:
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    found = {}
    for name in [name for name in folder.names("train") if "tfevents" in name]:
        (tmp_path / "events").write_bytes(folder.read(name))
        for event in EventFileLoader(str(tmp_path / "events")).Load():
            for value in event.summary.value:
                if value.tag == "epoch_learning_rate":
                    found[event.step] = (
                        value.tensor.float_val[0]
                        if value.HasField("tensor")
                        else value.simple_value
                    )
    return found


def test_every_schedule_is_here() -> None:
    assert set(SCHEDULES) == set(Schedule.members)


@pytest.mark.parametrize(
    "seconds",
    [1e9, pytest.param(0, marks=pytest.mark.slow)],
    ids=["whole", "resumed after each update"],
)
@pytest.mark.parametrize("members", [1, 3], ids=["alone", "crew"])
@pytest.mark.parametrize("warmup", [0, 6])
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_logged_rate(
    used: dict[int, list[float]],
    tmp_path: Any,
    schedule: str,
    warmup: int,
    members: int,
    seconds: float,
) -> None:
    """Updates made one by one show what they use; many in one call are reported alike."""
    rates = [0.1, 0.03, 0.2][:members]
    trained = train([experiment(schedule, warmup, rate, "replay") for rate in rates], seconds)
    assert sorted(used) == list(range(1, EPOCHS * EACH + 1))
    used = dict(used)
    last = [used[epoch * EACH] for epoch in range(1, EPOCHS + 1)]
    leaping = train([experiment(schedule, warmup, rate) for rate in rates], seconds)
    for number, (folder, heard) in enumerate(trained):
        assert leaping[number][1] == heard
        assert events(leaping[number][0], tmp_path) == events(folder, tmp_path)
        assert heard == {step: values[number] for step, values in used.items()}
        logged = events(folder, tmp_path)
        assert logged == {e: np.float32(values[number]) for e, values in enumerate(last)}


def test_the_examples_of_the_report(tmp_path: Any) -> None:
    """0.1 used for all of epoch 1 shows there; cosine never shows an unused 0."""
    logged = {}
    for schedule in ("step", "cosine", "reduce_on_plateau"):
        ((folder, _),) = train([experiment(schedule, 0, 0.1)], 1e9)
        logged[schedule] = [round(rate, 6) for rate in events(folder, tmp_path).values()]
    assert logged["step"][:3] == [0.1, 0.05, 0.025]
    assert min(logged["cosine"]) > 0
    assert logged["reduce_on_plateau"] == [0.1, 0.1, 0.1, 0.01, 0.01, 0.001]
