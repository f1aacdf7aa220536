"""``evaluate_every``: evaluations within an epoch, which are written and decide nothing."""

import csv
import json
import signal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.experiment import build, resume, run
from backproplab.learners import NoBrake
from backproplab.loop import Callback, Every, Log
from tests.chaos.remains import differences, remains

BASE = {
    "data": {"name": "moons", "samples": 160, "validation_split": 0.2, "test_split": 0.1},
    "model": {"layers": [{"dense": 6}, "batch_norm", "tanh", {"dropout": 0.3}, {"dense": 1}]},
    "optimizer": "momentum",
    "learning_rate": 0.02,
    "schedule": {"reduce_on_plateau": {"patience": 1, "factor": 0.5, "min_delta": 0.01}},
    "early_stopping": {"patience": 3, "restore_best_weights": True},
    "batch_size": 15,  # 112 rows: 8 updates an epoch, the last of 7 examples
    "epochs": 7,
    "threads": 1,
    "tensorboard": {"histograms": 0},
}


def experiment(**fields):
    return Experiment.model_validate(BASE | fields)


def scalars(folder, split):
    log = EventAccumulator(str(folder / split), {"scalars": 0}).Reload()
    return {tag: [(e.step, e.value) for e in log.Scalars(tag)] for tag in log.Tags()["scalars"]}


# --- when

LADDER = sorted({round(np.sqrt(2.0) ** k) for k in range(80)} | {0})


@given(st.integers(-1, 2**38))
def test_log_looks_at_the_rounded_powers_of_the_root_of_two(step):
    assert Log().next(step) == next(at for at in LADDER if at > step)


# --- what it writes, and what it does not touch


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The same run without, and with evaluations at some updates, all, and in log."""
    folder = tmp_path_factory.mktemp("evaluations")
    for every in (None, 1, 3, "log"):
        run(experiment(evaluate_every=every), folder / str(every))
    return folder


STEPS = {
    "1": range(10**6),
    "3": {*range(0, 10**4, 3), *range(0, 10**4, 8)},
    "log": {*LADDER, *range(0, 10**4, 8)},
}


@pytest.mark.parametrize("every", STEPS)
def test_it_changes_nothing_else(runs, every):
    plain, own = runs / "None", runs / every
    assert (plain / "metrics.csv").read_bytes() == (own / "metrics.csv").read_bytes()
    records = [json.loads((f / "run.json").read_text()) for f in (plain, own)]
    for key in ("hashes", "best", "stop_reason", "restored_epoch", "metrics"):
        assert records[0][key] == records[1][key], key
    for split in ("train", "validation"):
        before, after = scalars(plain, split), scalars(own, split)
        assert {tag: after[tag] for tag in before} == before
        assert not any(tag.startswith(("evaluation_", "by_examples/")) for tag in before)


@pytest.mark.parametrize("every", STEPS)
@pytest.mark.parametrize("split", ["train", "validation"])
def test_each_evaluation_is_written_by_updates_and_by_examples(runs, every, split):
    """At its own steps and at the ends of epochs, where the values are those of metrics.csv."""
    found = scalars(runs / every, split)
    with (runs / every / "metrics.csv").open() as file:
        table = [row for row in csv.DictReader(file) if row["split"] == split]
    last = int(table[-1]["step"])
    steps = [step for step in range(last + 1) if step in STEPS[every]]
    for name in ("loss", "accuracy"):
        by_step, by_examples = (
            found[f"evaluation_{name}_vs_iterations"],
            found[f"by_examples/{name}"],
        )
        assert [step for step, _ in by_step] == steps
        assert [n for n, _ in by_examples] == [s // 8 * 112 + s % 8 * 15 for s in steps]
        assert [value for _, value in by_step] == [value for _, value in by_examples]
        values = dict(by_step)
        for row in table:
            assert values[int(row["step"])] == np.float32(row[name])


def test_the_first_evaluation_is_of_the_first_weights(runs):
    parts = build(experiment())
    learning = parts.experiment.learner.begin(parts.material)
    for split in ("train", "validation"):
        (row,) = learning.measure(split, NoBrake())
        for name, value in row.items():
            written = scalars(runs / "3", split)[f"evaluation_{name}_vs_iterations"]
            assert written[0] == (0, np.float32(value))


def test_no_tag_has_two_kinds_of_steps(tmp_path):
    """Of a batch mode in which epochs, updates and examples cannot be taken for each other."""
    tensorboard = {"histograms": 0, "telemetry": False, "update_freq": 2}
    fields = {"evaluate_every": "log", "tensorboard": tensorboard}
    run(experiment(**fields, early_stopping=None), tmp_path / "run")
    allowed = {
        "epoch_": set(range(7)),
        "batch_": set(range(2, 57, 2)),
        "evaluation_": {s for s in range(57) if s in STEPS["log"]},
        "by_examples/": {s // 8 * 112 + s % 8 * 15 for s in range(57) if s in STEPS["log"]},
        "passes/": set(range(16, 113, 16)),
    }
    seen = {prefix: set() for prefix in allowed}
    for split in ("train", "validation"):
        for tag, points in scalars(tmp_path / "run", split).items():
            (prefix,) = [p for p in allowed if tag.startswith(p)]
            assert {step for step, _ in points} == allowed[prefix], tag
            seen[prefix].add(tag)
    assert all(seen.values())


# --- a stop within one


class StopIn(Callback):
    """A signal comes at this step, just before its evaluation; it is given up."""

    name = "stopper"
    when = Every(1)

    def __init__(self, step):
        self.step = step

    def start(self, lane):
        if self.step == 0:
            signal.raise_signal(signal.SIGINT)

    def look(self, lane):
        if lane.progress.step == self.step:
            signal.raise_signal(signal.SIGINT)


def test_a_stop_in_an_evaluation_leaves_it_to_the_resumed_run(tmp_path):
    e = experiment(evaluate_every=3, tensorboard={"histograms": 0, "update_freq": 2})
    run(e, tmp_path / "whole", [StopIn(-1)])
    for step in (0, 3, 8, 24):
        folder = tmp_path / str(step)
        assert run(e, folder, [StopIn(step)]).progress.step == step
        resume(folder, callbacks=[StopIn(-1)])
        assert differences(remains(folder), remains(tmp_path / "whole")) == [], step


def test_a_run_that_a_callback_ends_within_an_epoch_is_evaluated_there(tmp_path):
    class Enough(Callback):
        when = Every(5)

        def look(self, lane):
            lane.request_stop("enough")

    run(experiment(evaluate_every=4), tmp_path / "run", [Enough()])
    found = scalars(tmp_path / "run", "validation")["evaluation_loss_vs_iterations"]
    assert [step for step, _ in found] == [0, 4, 5]
