"""The loop on real runs: the rate that is written down, clipping, threads, memory."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from threadpoolctl import threadpool_info

from backproplab.config import Experiment, load
from backproplab.experiment import run
from backproplab.learners import Descent
from backproplab.loop import Callback, Display, Every
from backproplab.optim import Schedule
from backproplab.registry import families
from backproplab.telemetry.beginning import UPDATES

ROOT = Path(__file__).parent.parent.parent


def experiment(**fields):
    """128 training examples in batches of 32: four updates an epoch."""
    data = {"name": "circle", "samples": 160}
    base = {
        "data": data,
        "model": {"hidden": [4]},
        "epochs": 5,
        "tensorboard": {"telemetry": False, "histograms": 0},
    }
    return Experiment.model_validate(base | fields)


class Watch(Callback):
    """Keeps what every update was made of; ``epochs`` the metrics of every epoch."""

    when = Every(1)

    def __init__(self):
        self.weights, self.norms, self.threads, self.epochs = [], [], set(), Epochs()

    def start(self, lane):
        self.weights.append(lane.learning.parameters.trainable.copy())

    def look(self, lane):
        self.weights.append(lane.learning.parameters.trainable.copy())
        self.norms.append(float(np.linalg.norm(lane.learning.gradient.flat)))
        blas = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
        self.threads |= {pool["num_threads"] for pool in blas}

    @property
    def metrics(self):
        return self.epochs.metrics


class Epochs(Callback):
    def __init__(self):
        self.metrics = []

    def look(self, lane):
        self.metrics.append(dict(lane.progress.metrics))


def written_rates(folder):
    """The learning rate of each epoch, as TensorBoard reads it."""
    events = EventAccumulator(str(folder / "train")).Reload().Scalars("epoch_learning_rate")
    assert [event.step for event in events] == list(range(len(events)))
    return [event.value for event in events]


# --- schedules

SCHEDULES = {
    "cosine_restarts": {"first_decay_steps": 6},
    "exponential": {"rate": 0.5},
    "inverse_time": {"rate": 2.0},
    "piecewise": {"boundaries": [4, 12], "factors": [1.0, 0.5, 0.1]},
    "reduce_on_plateau": {"monitor": "loss", "patience": 1, "min_delta": 10.0},
    "step": {"every": 8, "factor": 0.5},
}


def described(name):
    member = families()["schedule"][name]
    needs = any(field.is_required() for field in member.model_fields.values())
    assert not needs or name in SCHEDULES, f"{name} has no recipe in this file"
    return {"name": name, "warmup_steps": 3, **SCHEDULES.get(name, {})}


@pytest.mark.parametrize("name", families()["schedule"])
def test_the_rate_of_the_last_update_is_written_each_epoch(tmp_path, name):
    e = experiment(schedule=described(name), learning_rate=0.05, optimizer="sgd")
    watch = Watch()
    run(e, tmp_path / "run", [watch, watch.epochs])
    rate = Schedule.parse(described(name)).begin(0.05, 20)
    expected = []
    for epoch, metrics in enumerate(watch.metrics, start=1):
        expected.append(rate(4 * epoch - 1))
        rate.epoch(metrics)
    np.testing.assert_allclose(written_rates(tmp_path / "run"), expected, rtol=1e-6)


@pytest.mark.parametrize("name", families()["schedule"])
def test_every_update_is_made_with_the_rate_of_its_step(tmp_path, name):
    """Of sgd: |Δθ| = rate · |g|; the warm-up's first update moves nothing."""
    e = experiment(schedule=described(name), learning_rate=0.05, optimizer="sgd", dtype="float64")
    watch = Watch()
    run(e, tmp_path / "run", [watch, watch.epochs])
    rate = Schedule.parse(described(name)).begin(0.05, 20)
    rates = []
    for step in range(20):
        rates.append(rate(step))
        if step % 4 == 3:
            rate.epoch(watch.metrics[step // 4])
    moves = np.linalg.norm(np.diff(watch.weights, axis=0), axis=1)
    assert rates[0] == moves[0] == 0
    np.testing.assert_allclose(moves, np.multiply(rates, watch.norms), rtol=1e-9, atol=1e-15)


def test_a_plateau_of_a_real_run_lowers_the_rate(tmp_path):
    """The loss keeps falling, by less and less: min_delta says where the plateau begins."""
    schedule = {"name": "reduce_on_plateau", "monitor": "val_loss", "patience": 2, "factor": 0.5, "min_delta": 0.05}  # fmt: skip
    e = experiment(schedule=schedule, epochs=60, learning_rate=0.5, optimizer="sgd")
    watch = Watch()
    run(e, tmp_path / "run", [watch, watch.epochs])
    best, wait, rate, expected = np.inf, 0, 0.5, []
    for metrics in watch.metrics:  # Keras' rule, without its cooldown
        value = metrics["val_loss"]
        expected.append(rate)  # of the epoch's updates; what follows holds for the next one's
        best, wait = (value, 0) if value < best - 0.05 else (best, wait + 1)
        if wait >= 2:
            rate, wait = rate * 0.5, 0
    np.testing.assert_allclose(written_rates(tmp_path / "run"), expected, rtol=1e-6)
    assert 3 <= len(set(expected)) < 30


# --- clipping


def test_a_clipped_update_is_no_longer_than_rate_times_limit(tmp_path):
    watches = {limit: Watch() for limit in (None, 0.05)}
    for limit, watch in watches.items():
        clipping = limit and {"global_norm": limit}
        e = experiment(optimizer="sgd", learning_rate=0.1, clipping=clipping, dtype="float64")
        run(e, tmp_path / str(limit), [watch])
    free, clipped = watches.values()
    assert max(free.norms) > 0.05  # so that there is something to clip
    moves = np.linalg.norm(np.diff(clipped.weights, axis=0), axis=1)
    assert moves.max() <= 0.1 * 0.05 * (1 + 1e-12)
    assert max(clipped.norms) <= 0.05 * (1 + 1e-12)
    first = free.weights[1] - free.weights[0], clipped.weights[1] - clipped.weights[0]
    cosine = np.dot(*first) / np.prod([np.linalg.norm(move) for move in first])
    assert cosine == pytest.approx(1, abs=1e-12)  # shorter, and in the same direction


def test_a_limit_that_nothing_reaches_changes_no_bit(tmp_path):
    for limit in (None, 1e6):
        run(experiment(clipping=limit and {"global_norm": limit}), tmp_path / str(limit))
    assert record(tmp_path / "None")["weights"] == record(tmp_path / "1000000.0")["weights"]


def record(folder):
    return json.loads((folder / "run.json").read_text())["hashes"]


# --- threads

WIDE = {"hidden": [512, 512]}  # 128 rows: 67 million operations in the larger product


@pytest.mark.parametrize(("model", "several"), [({"hidden": [4]}, False), (WIDE, True)])
def test_the_threads_chosen_stand_in_the_config_and_are_used(tmp_path, model, several):
    cores = len(os.sched_getaffinity(0))
    e, watch = experiment(model=model, batch_mode="batch", epochs=1), Watch()
    run(e, tmp_path / "run", [watch, watch.epochs])
    saved = yaml.safe_load((tmp_path / "run" / "config.yaml").read_text())["threads"]
    assert e.threads == "auto"
    assert saved in range(1, cores + 1 if several else 2)  # as many as are free
    assert watch.threads == {saved}


def test_threads_are_given_back_after_the_run(tmp_path):
    before = [pool["num_threads"] for pool in threadpool_info()]
    run(experiment(threads=1), tmp_path)
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="this machine has one core")
def test_two_threads_give_the_same_bits_each_time(tmp_path, saved):
    e, watch = experiment(model=WIDE, batch_size=128, threads=2, epochs=3), Watch()
    run(e, tmp_path / "one", [watch])
    run(load(tmp_path / "one" / "config.yaml"), tmp_path / "two", [Watch()])
    assert watch.threads == {2}
    assert record(tmp_path / "one") == record(tmp_path / "two")
    assert saved(tmp_path / "one") == saved(tmp_path / "two")
    for name in ("config.yaml", "metrics.csv"):
        one, two = (tmp_path / run_name / name for run_name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


# --- memory


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's dataset-fashion-mnist is not installed",
)
def test_fashion_mnist_is_trained_within_the_memory_that_its_parts_need():
    """In a process of its own: Linux counts what a process was before its exec."""
    command = [sys.executable, "-m", "benchmarks.memory"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.endswith(": met\n"), done.stdout


# --- callbacks and displays


class Hears(Callback):
    """The gradient's norm, every so many updates."""

    def __init__(self, every):
        self.name, self.hears, self.heard = f"every {every}", {"gradient_norm": every}, {}

    def hear(self, lane, heard):
        ((steps, values),) = heard.values()
        self.heard.update(zip(steps.tolist(), values.tolist(), strict=True))


def test_each_hears_at_its_own_steps_and_cuts_no_span(tmp_path):
    two, three, watch = Hears(2), Hears(3), Watch()
    spans = []
    with pytest.MonkeyPatch.context() as patch:
        advance = Descent.advance
        patch.setattr(Descent, "advance", lambda *a: spans.append(a[1]) or advance(*a))
        run(experiment(dtype="float64", epochs=8), tmp_path / "heard", [two, three])
    ends = [span.start + span.steps for span in spans]
    assert {end % 4 for end in ends if end > UPDATES} == {0}  # each to its epoch's end
    run(experiment(dtype="float64", epochs=8), tmp_path / "watched", [watch])
    for every, callback in ((2, two), (3, three)):
        assert callback.heard.keys() == set(range(every, 33, every))
        expected = [watch.norms[step - 1] for step in callback.heard]
        np.testing.assert_allclose(list(callback.heard.values()), expected, rtol=1e-12)
    events = EventAccumulator(str(tmp_path / "heard" / "train")).Reload()
    assert "gradient_norm" not in events.Tags()["scalars"]  # it is for those who asked


def test_a_look_ends_a_run_in_the_middle_of_an_epoch(tmp_path):
    """What was trained of it is measured, as where ``steps`` cut it short."""

    class Enough(Callback):
        when = Every(3)

        def look(self, lane):
            if lane.progress.step == 6:
                lane.request_stop("enough")
                lane.request_stop("too late")

    result = run(experiment(), tmp_path / "run", [Enough()])
    assert (result.status, result.progress.stop_reason) == ("completed", "enough")
    assert (result.progress.step, result.progress.epoch, result.progress.examples) == (6, 2, 192)


@pytest.mark.parametrize("moment", ["start", "glance", "epoch", "finish"])
def test_a_display_whose_pipe_is_gone_ends_alone(tmp_path, moment):
    class Shows(Display):
        seconds = 0.0

        def __init__(self):
            self.shown = []
            for name in ("start", "glance", "epoch", "finish"):
                setattr(self, name, lambda lane, name=name: self.show(name))

        def show(self, name):
            self.shown.append(name)

    class Broken(Shows):
        def show(self, name):
            super().show(name)
            if name == moment:
                raise BrokenPipeError

    broken, other = Broken(), Shows()
    assert run(experiment(), tmp_path / "run", displays=[broken, other]).status == "completed"
    assert broken.shown[-1] == moment
    assert broken.shown.count(moment) == 1
    assert other.shown[-1] == "finish"
    assert other.shown.count("epoch") == 5
