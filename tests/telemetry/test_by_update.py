"""``tensorboard: {update_freq: …}``: what is written of single updates, and that it changes nothing else."""

import json
from itertools import product

import numpy as np
import pytest
from sklearn import metrics as sk
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX.proto.event_pb2 import Event
from tensorboardX.proto.summary_pb2 import Summary

from backproplab.config import Experiment
from backproplab.experiment import build, run
from backproplab.experiment.course import Course
from backproplab.experiment.crew import shape_of, train_slice
from backproplab.experiment.run import limits_of, train
from backproplab.files import DiskFolder
from backproplab.journal.events import record
from backproplab.loop import Callback, Every, Pace
from tests.chaos.remains import events as event_bytes

ONE_RUN = {"graph": False, "images": False, "pr_curves": False}  # what runs of a crew do not have
BASE = {
    "data": {"name": "wine", "validation_split": 0.2},
    "model": {"hidden": [5], "activation": "tanh"},
    "batch_size": 16,
    "epochs": 3,
    "dtype": "float64",
    "threads": 1,
    "tensorboard": {"histograms": 0, "update_freq": "batch"} | ONE_RUN,
}
BUSY = [{"dense": 6}, "batch_norm", "relu", {"dropout": 0.3}, {"dense": 3}]


def experiment(**fields):
    return Experiment.model_validate(BASE | fields)


def every(n):
    return {"histograms": 0, "update_freq": n} | ONE_RUN


def scalars(folder, split="train"):
    """(step, value) by tag, as TensorBoard reads them."""
    log = EventAccumulator(str(folder / split), {"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in log.Scalars(tag)] for tag in log.Tags()["scalars"]}


def hashes(folder):
    return json.loads((folder / "run.json").read_text())["hashes"]


# --- the values, by scikit-learn


class Outputs(Callback):
    """What the network gives for all training examples before each update."""

    when = Every(1)

    def __init__(self):
        self.seen = []

    def start(self, lane):
        self.look(lane)

    def look(self, lane):
        self.seen.append(lane.learning.predict(lane.learning.material.train.inputs).copy())


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def of_classes(z, t):
    loss = sk.log_loss(t, softmax(z), labels=range(z.shape[1]))
    return {"loss": loss, "accuracy": sk.accuracy_score(t, z.argmax(-1))}


def of_two_classes(z, t):
    p = 1 / (1 + np.exp(-z[:, 0]))
    return {"loss": sk.log_loss(t, p, labels=[0, 1]), "accuracy": sk.accuracy_score(t, p > 0.5)}


def of_regression(y, t):
    found = {"loss": sk.mean_squared_error(t, y), "mae": sk.mean_absolute_error(t, y)}
    return found | ({"r2": sk.r2_score(t, y)} if len(t) > 1 else {})


TASKS = {"wine": of_classes, "breast_cancer": of_two_classes, "diabetes": of_regression}
MODES = {
    "minibatch": {},
    "stochastic": {"batch_mode": "stochastic", "batch_size": None, "steps": 70, "epochs": 1},
    "batch": {"batch_mode": "batch", "batch_size": None},
    "accumulated": {"accumulate": 3},
}


@pytest.mark.parametrize(("name", "mode"), list(product(TASKS, MODES)))
def test_each_update_has_the_values_of_its_batch_before_it(tmp_path, name, mode):
    e = experiment(data={"name": name, "validation_split": 0.2}, **MODES[mode])
    parts, watch = build(e), Outputs()
    run(parts, tmp_path / "run", [watch])
    written, order, train_split = scalars(tmp_path / "run"), parts.order(), parts.splits.train
    expected = {}
    for step, outputs in enumerate(watch.seen[:-1], start=1):
        rows = order.upcoming(1)
        order.done(1)
        for tag, value in TASKS[name](outputs[rows], train_split.targets[rows]).items():
            expected.setdefault(f"batch_{tag}", []).append((step, value))
    assert {tag for tag in written if tag.startswith("batch_")} == expected.keys() | {
        "batch_learning_rate",
        "batch_gradient_norm",
    }
    for tag, points in expected.items():
        assert [step for step, _ in written[tag]] == [step for step, _ in points]
        np.testing.assert_allclose(written[tag], points, rtol=2e-6, atol=1e-6, err_msg=tag)
    assert len(expected["batch_loss"]) >= 3


# --- it changes nothing


@pytest.mark.parametrize("engine", ["eager", "replay"])
@pytest.mark.parametrize("fields", [
    {}, {"accumulate": 2}, {"dtype": "float32"}, {"clipping": {"norm": 0.1}, "optimizer": "sgd"},
], ids=str)  # fmt: skip
def test_the_weights_are_the_same_bits_with_and_without(tmp_path, engine, fields):
    for n in ("epoch", "batch", 7):
        e = experiment(model={"layers": BUSY}, engine=engine, tensorboard=every(n), **fields)
        run(e, tmp_path / str(n))
    one, *others = (tmp_path / str(n) for n in ("epoch", "batch", 7))
    for other in others:
        assert hashes(one) == hashes(other)
        assert (one / "metrics.csv").read_bytes() == (other / "metrics.csv").read_bytes()


def test_both_engines_write_the_same_bytes(tmp_path):
    for engine in ("eager", "replay"):
        run(experiment(model={"layers": BUSY}, engine=engine), tmp_path / engine)
    assert event_bytes(tmp_path / "eager/train") == event_bytes(tmp_path / "replay/train")


def test_every_n_is_n_2n_and_so_on(tmp_path):
    for n in (1, 4, 7):
        run(experiment(tensorboard=every(n)), tmp_path / str(n))
    whole = scalars(tmp_path / "1")
    assert [step for step, _ in whole["batch_loss"]] == list(range(1, 28))
    for n in (4, 7):
        for tag, points in scalars(tmp_path / str(n)).items():
            kept = [p for p in whole[tag] if p[0] % n == 0]
            assert points == (kept if tag.startswith("batch_") else whole[tag]), tag


class Cut(Pace):
    """Comes back after every step, or every third."""

    def __init__(self, stop, each):
        super().__init__(stop)
        self.each, self.asked = each, 0

    def between_steps(self):
        self.asked += 1
        return self.asked % self.each == 0


@pytest.mark.parametrize("name", ["wine", "diabetes"])
def test_the_bytes_do_not_depend_on_where_the_clock_cuts(tmp_path, name, monkeypatch):
    """Nor on how many batches are measured at once."""
    data = {"name": name, "validation_split": 0.2}
    parts = build(experiment(data=data, tensorboard=every(2), dtype="float32"))
    run(parts, tmp_path / "whole")
    for number, (each, entries) in enumerate([(1, 2**18), (3, 2**18), (10**9, 1), (10**9, 200)]):
        monkeypatch.setattr("backproplab.learners.batches.ENTRIES", entries)
        with limits_of(parts) as stop:
            course = Course(parts, DiskFolder(tmp_path / str(number)))
            course.begin()
            train(course, Cut(stop, each))
        found = event_bytes(tmp_path / str(number) / "train")
        assert found == event_bytes(tmp_path / "whole/train"), (each, entries)


# --- crews


@pytest.mark.parametrize("fields", [
    {"seed": [1, 2, 3]},
    {"seed": [1, 1, 1], "data": {"name": "diabetes", "validation_split": 0.2}, "accumulate": 2},
    {"seed": [1, 2, 3], "model": {"layers": BUSY}, "evaluate_every": "log"},
    {"seed": [1, 2, 3], "data": {"name": "diabetes", "validation_split": 0.2}, "optimizer": "sgd",
     "learning_rate": [0.01, 1000.0, 0.02], "model": {"hidden": [6], "activation": "relu"}},
], ids=str)  # fmt: skip
def test_in_a_crew_it_is_what_it_would_be_alone(tmp_path, fields):
    """Also where one of them diverges."""
    columns = {k: x for k, x in fields.items() if k in ("seed", "learning_rate")}
    group = [
        experiment(**fields | dict(zip(columns, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]
    assert len({shape_of(e) for e in group}) == 1
    folders = [DiskFolder(tmp_path / f"crew{n}") for n in range(3)]
    ends = train_slice(group, folders, [None] * 3, Pace())
    for number, (e, end) in enumerate(zip(group, ends, strict=True)):
        assert run(e, tmp_path / str(number)).status == end.status
        for split in ("train", "validation"):
            one, other = (tmp_path / place / split for place in (f"crew{number}", str(number)))
            assert event_bytes(one) == event_bytes(other), (number, split)
    assert any(b"batch_loss" in event for event in event_bytes(tmp_path / "0/train"))
    assert ("learning_rate" in fields) == any(end.status == "diverged" for end in ends)


# --- beside a run of Keras


def as_keras(folder, epochs, each):
    """Event files with the tags and steps of Keras' callback (keras/src/callbacks/tensorboard.py)."""

    def write(split, step, **values):
        found = [Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()]
        event = Event(step=step, wall_time=1e9 + step, summary=Summary(value=found))
        with (folder / split / "events.out.tfevents.1000000000.keras.v2").open("ab") as file:
            file.write(record(event.SerializeToString()))

    for split in ("train", "validation"):
        (folder / split).mkdir(parents=True)
    for epoch in range(epochs):
        for step in range(epoch * each + 1, (epoch + 1) * each + 1):
            write("train", step, batch_loss=1.0, batch_accuracy=0.5)
        for split in ("train", "validation"):
            write(split, epoch, epoch_loss=1.0, epoch_accuracy=0.5)
        write("train", epoch, epoch_learning_rate=0.001)
        at = {"evaluation_loss_vs_iterations": 1.0, "evaluation_accuracy_vs_iterations": 0.5}
        write("validation", (epoch + 1) * each, **at)


def test_a_run_of_keras_lies_over_ours_in_every_chart(tmp_path):
    """TensorBoard draws one chart for a tag; both have all of Keras' tags, at the same steps."""
    run(experiment(evaluate_every=10**6), tmp_path / "ours")
    as_keras(tmp_path / "keras", epochs=3, each=9)
    for split in ("train", "validation"):
        ours = scalars(tmp_path / "ours", split)
        for tag, points in scalars(tmp_path / "keras", split).items():
            steps = [step for step, _ in ours[tag] if step or not tag.startswith("evaluation")]
            assert steps == [step for step, _ in points], tag
