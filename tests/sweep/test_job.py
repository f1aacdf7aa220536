"""The job of a sweep: text in, bytes out, and nothing else: no exception, no file, no signal taken."""

import json
import os
import signal
import tempfile

import pytest

from backproplab.config import Experiment, to_yaml
from backproplab.experiment import run
from backproplab.sweep.job import Outcome, run_job


def config(**fields):
    tree = {
        "name": "exp",
        "data": {"name": "circle", "samples": 160},
        "model": {"hidden": [4]},
        "epochs": 3,
        "threads": 1,
    }
    return to_yaml(Experiment.model_validate(tree | fields))


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary files go; empty again after every test that uses it."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert list(tmp_path.iterdir()) == []


def hashes(outcome):
    return json.loads(outcome.files["run.json"])["hashes"]


def test_the_files_of_a_run_come_back(scratch):
    outcome = run_job(config(seed=7))
    assert (outcome.status, outcome.error) == ("completed", "")
    assert b"\nseed: 7\n" in outcome.files["config.yaml"]
    assert json.loads(outcome.files["run.json"])["status"] == "completed"
    assert outcome.files["metrics.csv"].startswith(b"epoch")
    assert any(name.startswith("checkpoints/") for name in outcome.files)
    assert any("tfevents" in name for name in outcome.files)


def test_they_are_those_of_the_run_alone(tmp_path):
    text, alone = config(data={"name": "spiral"}, seed=3), tmp_path / "alone"
    run(
        Experiment.model_validate(
            {
                "name": "exp",
                "data": {"name": "spiral"},
                "model": {"hidden": [4]},
                "epochs": 3,
                "threads": 1,
                "seed": 3,
            }
        ),
        alone,
    )
    outcome = run_job(text)
    assert hashes(outcome) == json.loads((alone / "run.json").read_text())["hashes"]
    assert outcome.files["config.yaml"] == (alone / "config.yaml").read_bytes()


def test_it_may_run_twice(scratch):
    first, second = run_job(config()), run_job(config())
    assert hashes(first) == hashes(second)
    assert first.files["config.yaml"] == second.files["config.yaml"]


def test_a_run_that_diverges_is_a_result(scratch):
    outcome = run_job(
        config(
            data="linear",
            loss="mse",
            optimizer="sgd",
            learning_rate=1e4,
            model={"hidden": [8], "activation": "linear"},
        )
    )
    assert (outcome.status, outcome.error) == ("diverged", "")
    assert json.loads(outcome.files["run.json"])["status"] == "diverged"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (": [", "config.yaml:1"),
        ("data: cirle", "did you mean 'circle'?"),
        ("data: circle\nbatch_size: 100000", "batch_size"),
    ],
)  # fmt: skip
def test_a_config_that_cannot_run_is_told_in_words(text, told, scratch):
    outcome = run_job(text)
    assert (outcome.status, outcome.files) == ("failed", {})
    assert told in outcome.error
    assert str(scratch) not in outcome.error


def test_a_bug_is_told_with_its_place_and_the_files_that_there_are(scratch, monkeypatch):
    from backproplab.train.loop import Trainer

    class Unpicklable(BaseException):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def fit(self):
        raise Unpicklable("this", "that")

    monkeypatch.setattr(Trainer, "fit", fit)
    outcome = run_job(config())
    assert outcome.status == "failed"
    assert outcome.error.startswith("Unpicklable: this and that (test_job.py:")
    assert json.loads(outcome.files["run.json"])["status"] == "failed"


def test_no_room_for_the_folder_is_a_failed_run(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    outcome = run_job(config())
    assert (outcome.status, outcome.files) == ("failed", {})
    assert "FileNotFoundError" in outcome.error


def test_signals_stay_with_the_driver(scratch, monkeypatch):
    """A run in the main thread would take SIGINT over and end early."""
    from backproplab.train.loop import Trainer

    heard, fit = [], Trainer.fit

    def interrupted(self):
        os.kill(os.getpid(), signal.SIGINT)
        fit(self)

    monkeypatch.setattr(Trainer, "fit", interrupted)
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        outcome = run_job(config())
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.status == "completed"
    assert heard == [signal.SIGINT]


def test_an_outcome_says_what_it_is():
    assert Outcome("failed", {}, "why") == Outcome(status="failed", files={}, error="why")
