"""The job of a sweep: bytes out, and nothing else: no exception, no file, no signal taken."""

import gzip
import json
import os
import shutil
import signal
import struct
import tempfile

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.data.images import FILES
from backproplab.experiment import run
from backproplab.sweep.job import Outcome, Work, run_slice


def config(**fields):
    tree = {
        "name": "exp",
        "data": {"name": "circle", "samples": 160},
        "model": {"hidden": [4]},
        "epochs": 3,
        "threads": 1,
    }
    return Experiment.model_validate(tree | fields)


def run_job(experiment):
    """The whole run as one slice."""
    (outcome,) = run_slice([Work(experiment)])
    return outcome


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where files would go, temporary ones too: there are none, at no time."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)
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
    experiment, alone = config(data={"name": "spiral"}, seed=3), tmp_path / "alone"
    run(experiment, alone)
    outcome = run_job(experiment)
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


def test_a_config_that_cannot_run_is_told_in_words(scratch):
    outcome = run_job(config(batch_size=100000))
    assert outcome.status == "failed"
    events = {name for name in outcome.files if "train/events" in name}
    assert len(events) == 1  # what it says of itself
    assert set(outcome.files) - events == {"config.yaml", "run.json", "traceback.txt"}
    assert "batch_size" in outcome.error
    assert str(scratch) not in outcome.error


def sliced(works, length, **limits):
    """Slices of so many epochs until all have ended: the files of each, and how many slices."""
    held = [dict(work.files) for work in works]
    for slices in range(1, 100):
        now = [Work(w.experiment, f, slices * length) for w, f in zip(works, held, strict=True)]
        outcomes = run_slice(now, **limits)
        for files, outcome in zip(held, outcomes, strict=True):
            kept = {name for name in files if not name.startswith("checkpoints/best")}
            assert kept - outcome.files.keys() <= {name for name in kept if "tfevents" in name}
            files.update(outcome.files)
            files.update({name: b"" for name in files if "tfevents" in name})
        if {outcome.status for outcome in outcomes} == {"completed"}:
            return held, slices


def test_slices_need_nothing_but_the_files_of_the_slice_before(scratch):
    """Of event files no more than their names; each slice writes one of its own, and one together."""
    whole = run_job(config(epochs=6))
    (files,), slices = sliced([Work(config(epochs=6))], 2)
    assert slices == 3
    assert sum("train/events" in name for name in files) == 3 + 1
    for name in ("metrics.csv", "config.yaml"):
        assert files[name] == whole.files[name]
    assert json.loads(files["run.json"])["hashes"] == hashes(whole)


def test_a_group_is_its_members(scratch):
    works = [Work(config(seed=seed, epochs=4)) for seed in range(3)]
    files, slices = sliced(works, 2)
    assert slices == 2
    for work, own in zip(works, files, strict=True):
        assert json.loads(own["run.json"])["hashes"] == hashes(run_job(work.experiment))


def test_a_slice_ends_when_its_time_is_over_or_it_is_called_back(tmp_path):
    endless = [Work(config(epochs=10**6))]
    assert [o.status for o in run_slice(endless, seconds=0)] == ["paused"]
    (tmp_path / "flag").touch()
    assert [o.status for o in run_slice(endless, flag=tmp_path / "flag")] == ["paused"]


def test_a_slice_without_time_makes_an_update_and_the_run_ends_as_in_one(scratch):
    """It may pause in the middle of an epoch, and with the epoch's evaluation still to be made."""
    experiment = config(epochs=2)  # of four updates
    (files,), slices = sliced([Work(experiment)], 10**6, seconds=0)
    assert slices == 2 * (4 + 1)  # an update each, and an evaluation after four
    whole = run_job(experiment)
    assert json.loads(files["run.json"])["hashes"] == hashes(whole)
    assert files["metrics.csv"] == whole.files["metrics.csv"]


def test_a_bug_is_told_with_its_place_and_the_files_that_there_are(scratch, monkeypatch):
    from backproplab.loop import Loop

    class Unpicklable(BaseException):
        def __init__(self, one, two):
            super().__init__(f"{one} and {two}")

    def run(self):
        raise Unpicklable("this", "that")

    monkeypatch.setattr(Loop, "run", run)
    outcome = run_job(config())
    assert outcome.status == "failed"
    assert outcome.error.startswith("Unpicklable: this and that (test_job.py:")
    assert json.loads(outcome.files["run.json"])["status"] == "failed"


def test_signals_stay_with_the_driver(scratch, monkeypatch):
    """A run in the main thread would take SIGINT over and end early."""
    from backproplab.loop import Loop

    heard, train = [], Loop.run

    def interrupted(self):
        os.kill(os.getpid(), signal.SIGINT)
        return train(self)

    monkeypatch.setattr(Loop, "run", interrupted)
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        outcome = run_job(config())
    finally:
        signal.signal(signal.SIGINT, before)
    assert outcome.status == "completed"
    assert heard == [signal.SIGINT]


def test_an_outcome_says_what_it_is():
    assert Outcome("failed", {}, "why") == Outcome(status="failed", files={}, error="why")


def test_images_that_a_worker_unpacks_are_kept_in_its_cache(scratch, monkeypatch):
    """What is no file of a run is on the disk."""
    cache, folder = scratch / "cache", scratch / "2024"
    monkeypatch.setenv("BACKPROPLAB_CACHE", str(cache))
    folder.mkdir()
    for name in FILES:
        many = 1400 if "train" in name else 100
        array = np.arange(many * (1 if "labels" in name else 784)) % 10
        shape = (many,) if "labels" in name else (many, 28, 28)
        header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
        content = gzip.compress(header + array.astype(np.uint8).tobytes(), 1)
        (folder / f"{name}.gz").write_bytes(content)
    data = {"name": "mnist", "path": "2024"}
    works = [Work(config(data=data, epochs=1, seed=seed)) for seed in range(2)]
    assert [(o.status, o.error) for o in run_slice(works)] == [("completed", "")] * 2
    assert list(cache.iterdir())
    (folder / f"{FILES[0]}.gz").write_bytes(b"")
    assert run_job(works[0].experiment).error.startswith(
        f"{folder}/"
    )  # not taken for a run's folder
    shutil.rmtree(cache)
    shutil.rmtree(folder)
