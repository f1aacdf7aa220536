"""Experiments as the library runs them: reproducible, right in their counts, honest at the end."""

import csv
import json
from typing import ClassVar

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.config import Experiment, to_yaml
from backproplab.config.loading import load
from backproplab.errors import ConfigError, RunError
from backproplab.experiment import build, run
from backproplab.journal import load as load_checkpoint
from backproplab.learners import NoBrake, Passes, fingerprint
from backproplab.loop import EPOCH, Callback, Every


def experiment(**fields):
    return Experiment.model_validate(
        {
            "name": "exp",
            "data": {"name": "circle", "samples": 160},
            "model": {"hidden": [4]},
            "epochs": 3,
        }
        | fields
    )


def folder(tmp_path, name="exp"):
    path = tmp_path / name
    path.mkdir()
    return path


def rows(path):
    with (path / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def record(path):
    return json.loads((path / "run.json").read_text())


def best_of(path):
    """The arrays of the best weights that the last checkpoint names."""
    last = load_checkpoint(path / "checkpoints/last.safetensors")
    return load_checkpoint(path / last.state["files"]["best"]).arrays


class Gradients(Callback):
    """Keeps the gradient of every update."""

    when = Every(1)

    def __init__(self):
        self.seen = []

    def look(self, lane):
        self.seen.append(lane.learning.gradient.flat.copy())


@pytest.mark.parametrize(("mode", "updates"), [("batch", 1), ("stochastic", 128), ("minibatch", 4)])
def test_batch_modes_make_exactly_so_many_updates(tmp_path, mode, updates):
    e = experiment(batch_mode=mode, batch_size=32, epochs=2, dtype="float64")  # 160 · 0.8 = 128
    assert build(e).updates_per_epoch == updates
    result = run(e, folder(tmp_path))
    assert result.progress.step == 2 * updates
    assert result.progress.examples == 256


def test_the_batch_gradient_is_the_mean_of_the_minibatches(tmp_path):
    # at a learning rate that moves nothing, four minibatches see the weights that the batch sees
    kept = {}
    for mode in ("batch", "minibatch", "stochastic"):
        kept[mode] = Gradients()
        e = experiment(
            batch_mode=mode, epochs=1, dtype="float64", optimizer="sgd", learning_rate=1e-300
        )
        run(e, folder(tmp_path, mode), [kept[mode]])
    (batch,) = kept["batch"].seen
    for mode in ("minibatch", "stochastic"):
        np.testing.assert_allclose(np.mean(kept[mode].seen, axis=0), batch, atol=1e-15)


def test_the_same_config_gives_the_same_bytes(tmp_path, saved):
    e = experiment(model={"layers": [{"dense": 8}, "tanh", {"dropout": 0.3}, {"dense": 1}]})
    paths = [folder(tmp_path, name) for name in ("one", "two")]
    for path in paths:
        run(e, path)
    one, two = paths
    assert (one / "metrics.csv").read_bytes() == (two / "metrics.csv").read_bytes()
    assert record(one)["hashes"] == record(two)["hashes"]
    assert saved(one) == saved(two)
    assert events(one / "train") == events(two / "train")


def events(path):
    log = EventAccumulator(str(path), {"scalars": 0, "histograms": 0}).Reload()
    tags = log.Tags()
    scalars = {tag: [(e.step, e.value) for e in log.Scalars(tag)] for tag in tags["scalars"]}
    return scalars, {
        tag: [(e.step, e.histogram_value) for e in log.Histograms(tag)]
        for tag in tags["histograms"]
    }


def test_a_saved_config_repeats_the_run(tmp_path):
    e = experiment(
        batch_size=16,
        optimizer={"adam": {"beta_1": 0.8}},
        early_stopping={"monitor": "val_loss", "patience": 1},
    )
    first, again = folder(tmp_path, "first"), folder(tmp_path, "again")
    run(e, first)
    repeated = load(first / "config.yaml")
    assert repeated == build(e).experiment
    run(repeated, again)
    assert (first / "metrics.csv").read_bytes() == (again / "metrics.csv").read_bytes()
    assert (first / "config.yaml").read_bytes() == (again / "config.yaml").read_bytes()


def test_one_knob_leaves_the_other_streams_alone():
    base = build(experiment())
    other = build(experiment(model={"hidden": [4], "initializer": "orthogonal"}))
    assert other.splits.fingerprint == base.splits.fingerprint
    assert first_weights(other) != first_weights(base)
    assert first_weights(build(experiment(batch_size=8))) == first_weights(base)
    assert build(experiment(seed=1)).splits.fingerprint != base.splits.fingerprint


def first_weights(parts):
    return fingerprint(parts.descent().weights)


def test_what_a_run_leaves_behind(tmp_path):
    e = experiment(data={"name": "iris", "test_split": 0.2}, epochs=4, batch_size=32)
    path = folder(tmp_path)
    result = run(e, path)
    written = {
        str(p.relative_to(path))
        for p in path.rglob("*")
        if p.is_file() and "tfevents" not in p.name
    }
    assert written == {
        "config.yaml",
        "run.json",
        "preparation.json",
        "metrics.csv",
        "checkpoints/last.safetensors",
        f"checkpoints/best-{3 * result.best['epoch']:.0f}.safetensors",
    }
    assert (path / "config.yaml").read_text() == to_yaml(build(e).experiment)
    table = rows(path)
    assert list(table[0]) == ["epoch", "step", "split", "loss", "accuracy", *Passes().row]
    assert [(r["epoch"], r["step"], r["split"]) for r in table[:2]] == [
        ("1", "3", "train"),
        ("1", "3", "validation"),
    ]
    assert (table[-1]["epoch"], table[-1]["step"], table[-1]["split"]) == ("4", "12", "test")
    assert float(table[-1]["accuracy"]) == result.metrics["test_accuracy"]
    saved = record(path)
    assert saved["status"] == "completed"
    assert saved["stop_reason"] == "max_epochs"
    assert saved["metrics"] == result.metrics
    assert saved["best"]["epoch"] in range(1, 5)
    last = load_checkpoint(path / "checkpoints" / "last.safetensors")
    assert set(last.arrays) >= {
        f"learner/{name}"
        for name in (
            "weights/dense_1/kernel",
            "weights/dense_1/bias",
            "slots/gradients/dense_2/kernel",
            "gradients/dense_1/kernel",
        )
    }
    assert last.state["position"]["progress"]["epoch"] == 4
    assert best_of(path).keys() == {f"dense_{i}/{w}" for i in (1, 2) for w in ("kernel", "bias")}


def test_events_carry_keras_tags_and_steps(tmp_path):
    path = folder(tmp_path)
    run(experiment(tensorboard={"histograms": 2}, epochs=3), path)
    scalars, histograms = events(path / "train")
    epochs = {tag for tag in scalars if not tag.startswith("telemetry/")}
    by_passes = {"passes/loss", "passes/accuracy"}  # ours
    assert epochs - by_passes == {"epoch_loss", "epoch_accuracy", "epoch_learning_rate"}
    assert set(events(path / "validation")[0]) - by_passes == {"epoch_loss", "epoch_accuracy"}
    assert [step for step, _ in scalars["epoch_loss"]] == [0, 1, 2]
    losses = [float(r["loss"]) for r in rows(path) if r["split"] == "train"]
    np.testing.assert_allclose([v for _, v in scalars["epoch_loss"]], losses, rtol=1e-6)
    parameters = [f"dense_{i}/{w}" for i in (1, 2) for w in ("kernel", "bias")]
    assert set(histograms) == {
        f"{kind}/{p}" for kind in ("weights", "gradients", "updates") for p in parameters
    } | {"outputs/dense_1", "outputs/dense_2"}
    assert [step for step, _ in histograms["weights/dense_1/kernel"]] == [0, 2]


def test_the_test_split_sees_the_restored_weights(tmp_path):
    e = experiment(
        data={"name": "iris", "test_split": 0.2}, epochs=60, learning_rate=0.3, dtype="float64",
        early_stopping={"patience": 5, "restore_best_weights": True},
    )  # fmt: skip
    path = folder(tmp_path)
    result = run(e, path)
    assert result.progress.stop_reason == "patience_exhausted"
    assert result.restored_epoch == result.best["epoch"] < result.progress.epoch
    assert rows(path)[-1]["epoch"] == str(result.restored_epoch)
    descent, best = build(e).descent(), best_of(path)
    for name, view in descent.weights.items():
        view[...] = best[name]
    test = descent.material.splits["test"]
    accuracy = np.mean(descent.loss.decide(descent.predict(test.inputs)) == test.targets)
    assert accuracy == result.metrics["test_accuracy"]
    assert descent.measure("test", NoBrake()) == [
        {name: result.metrics[f"test_{name}"] for name in ("loss", "accuracy")}
    ]


def test_steps_end_a_run_in_the_middle_of_an_epoch(tmp_path):
    result = run(experiment(batch_size=32, steps=6, epochs=100), folder(tmp_path))
    progress = result.progress
    assert (progress.step, progress.epoch, progress.stop_reason) == (6, 2, "max_steps")


def test_divergence_is_a_result_that_names_step_and_tensor(tmp_path):
    path = folder(tmp_path)
    e = experiment(
        data="linear",
        loss="mse",
        optimizer="sgd",
        learning_rate=1e4,
        model={"hidden": [8], "activation": "linear"},
    )
    result = run(e, path)
    assert result.status == record(path)["status"] == "diverged"
    assert "diverged at epoch 1, step" in result.message
    assert "the output of dense_" in result.message or "the loss" in result.message
    assert "try a smaller learning_rate" in result.message
    json.loads(
        (path / "run.json").read_text(), parse_constant=lambda c: pytest.fail(f"{c} is no JSON")
    )


def test_a_bug_leaves_a_failed_run_behind(tmp_path):
    class Broken(Callback):
        def look(self, lane):
            raise RuntimeError("broken")

    path = folder(tmp_path)
    with pytest.raises(RuntimeError, match="broken"):
        run(experiment(), path, [Broken()])
    assert record(path)["status"] == "failed"


@pytest.mark.parametrize(("fields", "problem"), [
    ({"batch_size": 512}, "batch_size: 512 is larger than the 128 training examples"),
    ({"early_stopping": {"monitor": "val_acc"}}, "did you mean 'val_accuracy'"),
    ({"early_stopping": {}, "data": {"name": "circle", "validation_split": 0.0}}, "'val_loss' is not measured"),
    ({"loss": "binary_cross_entropy", "data": "iris"}, "needs two classes"),
    ({"loss": "softmax_cross_entropy", "data": "diabetes"}, "needs classes"),
    ({"model": {"layers": [{"dense": 10}]}}, "gives 10 outputs"),
    ({"model": {"hidden": [10**9, 10**9]}}, "make the layers smaller"),
])  # fmt: skip
def test_what_cannot_work_is_told_before_anything_is_written(fields, problem):
    with pytest.raises(ConfigError, match=problem):
        build(experiment(**fields))


def test_all_losses_and_modes_learn_something(tmp_path):
    for loss in ("auto", "softmax_cross_entropy", "mse", "mae", "huber"):
        for mode in ("batch", "stochastic", "minibatch"):
            e = experiment(
                loss=loss,
                batch_mode=mode,
                epochs=40,
                learning_rate=0.02,
                data={"name": "gauss", "samples": 100},
            )
            result = run(e, folder(tmp_path, f"{loss}-{mode}"))
            assert result.metrics["val_accuracy"] >= 0.9, (loss, mode)


@pytest.mark.parametrize(
    ("moment", "when"),
    [("start", EPOCH), ("look", Every(1)), ("look", EPOCH), ("hear", EPOCH), ("finish", EPOCH)],
)
def test_whatever_breaks_the_run_is_failed_and_every_callback_finishes(tmp_path, moment, when):
    class Broken(Callback):
        hears: ClassVar = {"gradient_norm": 1}

    class Last(Callback):
        finished = 0

        def finish(self, lane):
            self.finished += 1

    def broken(self, lane, *heard):
        raise RuntimeError("broken")

    setattr(Broken, moment, broken)
    Broken.when = when
    path, last = folder(tmp_path), Last()
    with pytest.raises(RuntimeError, match="broken"):
        run(experiment(), path, [Broken(), last])
    assert record(path)["status"] == "failed"
    assert last.finished == 1


def test_after_a_restore_the_row_is_that_of_the_weights_kept(tmp_path):
    e = experiment(
        data={"name": "iris", "test_split": 0.2}, epochs=60, learning_rate=0.3,
        early_stopping={"patience": 5, "restore_best_weights": True},
    )  # fmt: skip
    path = folder(tmp_path)
    result = run(e, path)
    kept = [
        r
        for r in rows(path)
        if r["epoch"] == str(result.restored_epoch) and r["split"] == "validation"
    ]
    assert result.metrics["val_loss"] == float(kept[0]["loss"]) == result.best["val_loss"]
    last, best = load_checkpoint(path / "checkpoints/last.safetensors"), best_of(path)
    assert last.state["position"]["progress"]["epoch"] == result.progress.epoch
    assert last.state["position"]["best"]["row"]["epoch"] == result.restored_epoch
    kernel = last.arrays["learner/weights/dense_1/kernel"]
    assert not np.array_equal(kernel, best["dense_1/kernel"])


def test_a_folder_is_for_one_run(tmp_path):
    run(experiment(), tmp_path / "new" / "exp")
    with pytest.raises(RunError, match="is not empty; give each run a folder of its own"):
        run(experiment(), str(tmp_path / "new" / "exp"))


@pytest.mark.parametrize("record", ["", "[]", "3", '"paused"', "{"])
def test_a_folder_with_a_damaged_record_is_not_written_to(tmp_path, record):
    (tmp_path / "run.json").write_text(record)
    with pytest.raises(RunError, match="is not empty"):
        run(experiment(), tmp_path)
    assert (tmp_path / "run.json").read_text() == record
    assert len(list(tmp_path.iterdir())) == 1


def test_the_batch_order_hash_sees_the_batches(tmp_path):
    sizes = {
        size: run(experiment(batch_size=size), tmp_path / str(size)).folder for size in (8, 16)
    }
    assert len({record(path)["hashes"]["batch_order"] for path in sizes.values()}) == 2


def test_every_problem_of_a_combination_is_told(tmp_path):
    with pytest.raises(ConfigError) as raised:
        build(experiment(
            loss="binary_cross_entropy", data="iris", batch_size=500, early_stopping={"monitor": "x"},
            model={"layers": [{"dense": 7}]},
        ))  # fmt: skip
    assert len(raised.value.problems) == 4


def test_a_batch_size_that_nobody_gave_fits_the_data(tmp_path):
    parts = build(experiment(data={"name": "linear", "samples": 20}))
    assert parts.batch_length == parts.experiment.batch_size == 16


@pytest.mark.parametrize(
    "model", [{"hidden": None}, {"activation": None}, {"layers": None}, {"hidden": []}]
)
def test_null_means_the_default_and_is_saved_so(model, tmp_path):
    e = experiment(model=model)
    (tmp_path / "c.yaml").write_text(to_yaml(e))
    assert load(tmp_path / "c.yaml") == e


def test_runs_that_share_a_model_share_its_network():
    first = experiment(model={"hidden": [5]})
    other = first.model_copy(update={"seed": 7, "learning_rate": 0.5})
    assert build(first).network is build(other).network
    assert build(first).network is not build(experiment(model={"hidden": [5]})).network
    assert build(first.model_copy(update={"freeze": ("dense_1",)})).network.frozen_size == 15
    assert build(first).network.frozen_size == 0
