"""Counters of passes: exact in metrics.csv, run.json and the events, whatever cuts the run."""

import csv
import json

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment
from backproplab.experiment import run
from backproplab.learners import COUNTERS, Passes
from backproplab.measures import MEASURES

BASE = {
    "data": {"name": "circle", "samples": 125, "validation_split": 0.2},  # 100 for training
    "model": {"hidden": [4]},
    "batch_size": 32,  # 4 updates an epoch, the last of 4 examples
    "epochs": 3,
    "tensorboard": {"telemetry": False, "histograms": 0},
}


def table(folder, split="train"):
    rows = csv.DictReader((folder / "metrics.csv").read_text().splitlines())
    return [row for row in rows if row["split"] == split]


def counts(row):
    return Passes(*(int(row[counter.name]) for counter in COUNTERS))


def test_the_counters_are_measures_that_nothing_is_ranked_by():
    assert [counter.name for counter in COUNTERS] == list(Passes().row)
    assert {MEASURES[name].goal for name in Passes().row} == {None}


def test_passes_add_up():
    one = Passes.of(steps=3, examples=70, forward=2, backward=1)
    assert one == Passes(6, 3, 140, 70)
    assert one + Passes(1, 1, 5, 5) == Passes(7, 4, 145, 75)
    assert one.total == 9


@pytest.mark.parametrize(("fields", "updates"), [
    ({}, 4),
    ({"accumulate": 2}, 2),  # 64 and 36 examples
    ({"batch_mode": "batch", "batch_size": None}, 1),
    ({"evaluate_every": 1}, 4),  # evaluations do not count
])  # fmt: skip
def test_backprop_of_an_update_is_one_pass_forward_and_one_backward(tmp_path, fields, updates):
    run(Experiment.model_validate(BASE | fields), tmp_path / "run")
    for epoch, row in enumerate(table(tmp_path / "run"), start=1):
        done, seen = epoch * updates, epoch * 100
        assert counts(row) == Passes(done, done, seen, seen)
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert {name: record[name] for name in Passes().row} == counts(row).row


def test_only_the_training_split_has_counters(tmp_path):
    run(Experiment.model_validate(BASE), tmp_path / "run")
    assert {row[counter.name] for row in table(tmp_path / "run", "validation") for counter in
            COUNTERS} == {""}  # fmt: skip


def test_losses_are_written_against_passes_for_each_split(tmp_path):
    run(Experiment.model_validate(BASE), tmp_path / "run")
    for split in ("train", "validation"):
        events = EventAccumulator(str(tmp_path / "run" / split)).Reload()
        by_epoch, by_passes = (events.Scalars(t) for t in ("epoch_loss", "passes/loss"))
        assert [event.step for event in by_passes] == [8, 16, 24]
        assert [event.value for event in by_passes] == [event.value for event in by_epoch]


def test_an_update_that_diverged_did_not_happen(tmp_path):
    model = {"hidden": [4, 4], "activation": "relu", "initializer": {"normal": {"stddev": 1e9}}}
    wild = {"optimizer": "sgd", "learning_rate": 1e4, "model": model}
    run(Experiment.model_validate(BASE | wild), tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["status"] == "diverged"
    assert record["forward_passes"] == record["steps"] < 12
