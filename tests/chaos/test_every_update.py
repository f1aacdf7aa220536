"""A stop after each of the first updates, inside a step, in an evaluation: resumed to the same bytes.

In this process, so that the moment is exact: "the same with a stop in mid-epoch", and engines that
record again at other steps "change no bit: tested at each of the first 40 updates".
"""

import signal

import numpy as np
import pytest
import yaml

from backproplab.config import load
from backproplab.experiment import build, resume, run
from backproplab.experiment.course import Course
from backproplab.experiment.run import limits_of, train
from backproplab.files import DiskFolder
from backproplab.loop import Pace
from tests.chaos.remains import check_tidy, differences, remains
from tests.stopping import StopAt

MIXED = {
    "seed": 3,
    "data": {"name": "moons", "samples": 100, "validation_split": 0.2, "test_split": 0.1},
    "model": {
        "layers": [
            {"dense": 6},
            {"batch_norm": {"momentum": 0.9}},
            "tanh",
            {"dropout": 0.3},
            {"dense": 1},
        ]
    },
    "optimizer": "adam",
    "schedule": {"reduce_on_plateau": {"patience": 1, "factor": 0.5}},
    "early_stopping": {"patience": 30, "restore_best_weights": True},
    "batch_size": 10,
    "epochs": 8,
    "threads": 1,
    "evaluate_every": "log",
    "trajectory": 2,
    "tensorboard": {"update_freq": 3},
}
ACCUMULATED = MIXED | {"batch_size": 4, "accumulate": 3}
FIRST = 40


def experiment(folder, tree):
    file = folder / "run.yaml"
    file.write_text(yaml.safe_dump(tree))
    return load(file)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tree", "engine"),
    [(MIXED, "auto"), (MIXED, "eager"), (MIXED, "replay"), (ACCUMULATED, "auto")],
    ids=["auto", "eager", "replay", "accumulated"],
)
def test_after_each_of_the_first_updates(tmp_path, tree, engine):
    whole = experiment(tmp_path, tree | {"engine": engine})
    run(whole, tmp_path / "whole", [StopAt(0)])
    expected = remains(tmp_path / "whole")
    for step in range(1, FIRST + 1):
        folder = tmp_path / str(step)
        assert run(whole, folder, [StopAt(step)]).status == "interrupted"
        resume(folder, callbacks=[StopAt(0)])
        assert differences(remains(folder), expected) == [], step
        check_tidy(folder)


@pytest.mark.slow
def test_after_every_update_one_after_the_other(tmp_path):
    """The same run, stopped 40 times."""
    whole = experiment(tmp_path, MIXED)
    run(whole, tmp_path / "whole", [StopAt(0)])
    folder = tmp_path / "broken"
    run(whole, folder, [StopAt(1)])
    for step in range(2, FIRST + 1):
        assert resume(folder, callbacks=[StopAt(step)]).progress.step == step
    resume(folder, callbacks=[StopAt(0)])
    assert differences(remains(folder), remains(tmp_path / "whole")) == []
    check_tidy(folder)


class Braking(Pace):
    """A pace whose signal comes when it is asked, within a step or an evaluation, the n-th time."""

    def __init__(self, stop, at):
        super().__init__(stop, saves=False)
        self.at, self.asked = at, 0

    def within_step(self):
        self.asked += 1
        if self.asked == self.at:
            self.stop.request(signal.SIGINT)
        return super().within_step()


def stopped_at(parts, folder, at):
    """Train until the n-th question: the result, and the number of questions."""
    with limits_of(parts) as stop:
        course = Course(parts, DiskFolder(folder))
        course.begin()
        pace = Braking(stop, at)
        return train(course, pace), pace.asked


TILED = {  # a batch in tiles: each moves the running statistics, and draws for dropout
    "seed": 5,
    "data": {"name": "moons", "samples": 90, "validation_split": 0.3, "test_split": 0.1},
    "model": {"layers": [{"dense": 8}, {"batch_norm": {"momentum": 0.5}}, "relu", {"dropout": 0.4}, {"dense": 1}]},
    "optimizer": "momentum",
    "batch_size": 9,
    "accumulate": 6,
    "epochs": 4,
    "evaluate_every": 1,
    "tensorboard": {"histograms": 1, "update_freq": "batch"},
    "threads": 1,
}  # fmt: skip
WHOLE_BATCH = TILED | {"batch_mode": "batch", "epochs": 6}
del WHOLE_BATCH["batch_size"], WHOLE_BATCH["accumulate"]
WHOLE_BATCH["model"] = {
    "layers": [{"dense": 8}, "layer_norm", "relu", {"dropout": 0.4}, {"dense": 1}]
}


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["auto", "eager", "replay"])
@pytest.mark.parametrize("tree", [TILED, WHOLE_BATCH], ids=["accumulated", "batch"])
def test_between_any_two_tiles(tmp_path, monkeypatch, tree, engine):
    """Of a step, which is undone, or of an evaluation: then the epoch is measured on resume."""
    monkeypatch.setattr("backproplab.learners.evaluation.TILE", 11)
    monkeypatch.setattr("backproplab.learners.tiles.TILE", 4000)
    parts = build(experiment(tmp_path, tree | {"engine": engine}))
    run(parts, tmp_path / "whole")
    expected = remains(tmp_path / "whole")
    _, asked = stopped_at(parts, tmp_path / "count", 0)
    assert asked > 20
    unmeasured = undone = 0
    for at in range(1, asked + 1):
        folder = tmp_path / str(at)
        result, _ = stopped_at(parts, folder, at)
        assert result.status == "interrupted", at
        over = result.progress.step == (result.progress.epoch + 1) * parts.length.each
        unmeasured, undone = unmeasured + over, undone + (not over)
        resume(folder)
        assert differences(remains(folder), expected) == [], at
    assert unmeasured
    assert undone


def test_a_step_that_is_given_up_leaves_streams_and_statistics_as_they_were(tmp_path):
    parts = build(experiment(tmp_path, TILED))
    descent = parts.experiment.learner.begin(parts.material)
    before = {n: a.copy() for n, a in descent.state()[0].items() if "gradients" not in n}
    stream = descent.state()[1]["dropout"]

    class Third:
        asked = 0

        def within_step(self):
            self.asked += 1
            return self.asked == 3

    train_split = parts.material.train
    rows = np.arange(54)
    filled = descent.updates.fill(train_split.inputs, train_split.encoded, rows, Third())
    assert not filled
    for name, array in before.items():
        np.testing.assert_array_equal(descent.state()[0][name], array, err_msg=name)
    assert descent.state()[1]["dropout"] == stream
