"""Convolutional experiments, whole: the same bytes, statistics that are kept, accuracies reached."""

import json
from pathlib import Path

import numpy as np
import pytest

from backproplab import Tensor
from backproplab.config import Experiment, load, to_yaml
from backproplab.experiment import build, run
from backproplab.journal import load as load_checkpoint
from backproplab.learners import NoBrake, fingerprint

CONFIGS = Path(__file__).parent.parent / "configs"
LAYERS = [
    {"reshape": [8, 8, 1]},
    {"conv2d": {"filters": 4, "kernel": 3}},
    {"batch_norm": {"momentum": 0.9}},
    "relu",
    {"max_pool": {"window": 3, "stride": 2}},
    {"residual": ["layer_norm", {"conv2d": {"filters": 4, "padding": "same"}}]},
    "flatten",
    {"dropout": 0.2},
    {"dense": 10},
]


def experiment(**fields):
    return Experiment.model_validate(
        {"name": "cnn", "data": "digits", "model": {"layers": LAYERS}, "epochs": 2, "batch_size": 64} | fields
    )  # fmt: skip


@pytest.fixture(scope="module")
def two_runs(tmp_path_factory):
    folders = [tmp_path_factory.mktemp(name) for name in ("one", "two")]
    return folders, [run(experiment(), folder) for folder in folders]


def best_of(folder):
    """The arrays of the best weights that the last checkpoint names."""
    last = load_checkpoint(folder / "checkpoints/last.safetensors")
    return load_checkpoint(folder / last.state["files"]["best"]).arrays


def test_the_same_config_gives_the_same_bytes(two_runs, saved):
    (one, two), _ = two_runs
    assert (one / "metrics.csv").read_bytes() == (two / "metrics.csv").read_bytes()
    assert saved(one) == saved(two)
    left, right = (json.loads((f / "run.json").read_text())["hashes"] for f in (one, two))
    assert left == right


def test_a_config_comes_back_from_its_file(tmp_path):
    (tmp_path / "c.yaml").write_text(to_yaml(experiment()))
    assert load(tmp_path / "c.yaml") == experiment()


def test_a_checkpoint_holds_the_statistics_and_evaluates_as_the_run_did(two_runs):
    (folder, _), (result, _) = two_runs
    last = load_checkpoint(folder / "checkpoints/last.safetensors").arrays
    assert "learner/slots/gradients/batch_norm_1/scale" in last
    assert "learner/slots/gradients/batch_norm_1/mean" not in last
    weights = {name.removeprefix("learner/weights/"): array for name, array in last.items()}
    descent = build(experiment()).descent()
    for arrays, row in ((weights, result.metrics), (best_of(folder), result.best)):
        assert np.ptp(arrays["batch_norm_1/mean"]) > 0
        for name, view in descent.weights.items():
            view[...] = arrays[name]
        (measured,) = descent.measure("validation", NoBrake())
        assert measured == {name: row[f"val_{name}"] for name in measured}


def test_early_stopping_restores_the_statistics_with_the_weights(tmp_path):
    stopping = {"patience": 1, "restore_best_weights": True}
    e = experiment(learning_rate=0.05, epochs=30, early_stopping=stopping)
    result = run(e, tmp_path)
    assert 0 < result.restored_epoch < result.progress.epoch
    best = best_of(tmp_path)
    in_order = {name: best[name] for name in build(e).descent().weights}
    hashes = json.loads((tmp_path / "run.json").read_text())["hashes"]
    assert hashes["weights"] == fingerprint(in_order)


def test_evaluation_in_tiles_is_evaluation_at_once(monkeypatch):
    descent = build(experiment(dtype="float64")).descent()
    train = descent.material.train
    whole = descent.network(descent.parameters.tensors(), Tensor(train.inputs))
    expected = descent.loss(whole, Tensor(train.encoded)).value.mean()
    monkeypatch.setattr("backproplab.learners.evaluation.ENTRIES", 8 * 8 * 16 * 100)
    (measured,) = descent.measure("train", NoBrake())
    assert descent.updates.evaluation.length < len(train)
    assert measured["loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_the_digits_cnn_reaches_96_percent(tmp_path, seed):
    result = run(load(CONFIGS / "digits_cnn.yaml", f"seed={seed}"), tmp_path)
    assert result.progress.epoch == 20
    assert result.metrics["val_accuracy"] >= 0.96


needs_fashion_mnist = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's dataset-fashion-mnist is not installed",
)


@pytest.mark.slow
@needs_fashion_mnist
def test_the_fashion_mnist_cnn_reaches_90_percent(tmp_path):
    result = run(load(CONFIGS / "fashion_mnist_cnn.yaml"), tmp_path)
    assert result.progress.epoch <= 10
    assert result.metrics["test_accuracy"] >= 0.90


@pytest.mark.slow
@needs_fashion_mnist
def test_a_cnn_of_9098_weights_on_10_000_images(tmp_path):
    # anchors/learners.md section 11: at least 0.82 in 5 epochs, with less than 10 000 weights
    conv = lambda filters: {"conv2d": {"filters": filters, "padding": "same"}}
    layers = [{"reshape": [28, 28, 1]}, conv(8), "relu", "max_pool", conv(16), "relu", "max_pool", "flatten", {"dense": 10}]  # fmt: skip
    data = {"name": "fashion_mnist", "validation_split": 1 - 10_000 / 60_000}
    e = experiment(data=data, model={"layers": layers}, epochs=5, tensorboard={"histograms": 0})
    assert len(build(e).splits.train) == 10_000
    assert build(e).descent().size == 9098
    assert run(e, tmp_path).metrics["test_accuracy"] >= 0.82
