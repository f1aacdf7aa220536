"""Convolutional experiments, whole: the same bytes, statistics that are kept, accuracies reached."""

import json
from pathlib import Path

import numpy as np
import pytest

from backproplab import Tensor
from backproplab.config import Experiment, load, to_yaml
from backproplab.experiment import build, run
from backproplab.train import checkpoint
from backproplab.train.evaluation import Evaluation

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


def test_the_same_config_gives_the_same_bytes(two_runs):
    (one, two), _ = two_runs
    for name in ("metrics.csv", "checkpoints/last.safetensors", "checkpoints/best.safetensors"):
        assert (one / name).read_bytes() == (two / name).read_bytes()
    left, right = (json.loads((f / "run.json").read_text())["hashes"] for f in (one, two))
    assert left == right


def test_a_config_comes_back_from_its_file(tmp_path):
    (tmp_path / "c.yaml").write_text(to_yaml(experiment()))
    assert load(tmp_path / "c.yaml") == experiment()


def test_a_checkpoint_holds_the_statistics_and_evaluates_as_the_run_did(two_runs):
    (folder, _), (result, _) = two_runs
    parts = build(experiment())
    parameters = parts.parameters
    for kind, row in (("last", result.metrics), ("best", result.state.best)):
        arrays = checkpoint.load(folder / f"checkpoints/{kind}.safetensors").arrays
        assert np.ptp(arrays["batch_norm_1/mean"]) > 0
        assert "slot/gradients/batch_norm_1/scale" in arrays or kind == "best"
        assert "slot/gradients/batch_norm_1/mean" not in arrays
        for name, view in parameters.views.items():
            view[...] = arrays[name]
        split = parts.split(parts.splits.validation)
        measure = Evaluation(parts.network, parameters, parts.loss, parts.metrics)
        measured = measure(split.inputs, split.targets, split.encoded)
        assert measured == {name: row[f"val_{name}"] for name in measured}


def test_early_stopping_restores_the_statistics_with_the_weights(tmp_path):
    stopping = {"patience": 1, "restore_best_weights": True}
    e = experiment(learning_rate=0.05, epochs=30, early_stopping=stopping)
    result = run(e, tmp_path)
    assert 0 < result.restored_epoch < result.state.epoch
    best = checkpoint.load(tmp_path / "checkpoints/best.safetensors")
    parameters = build(e).parameters
    for name, view in parameters.views.items():
        view[...] = best.arrays[name]
    hashes = json.loads((tmp_path / "run.json").read_text())["hashes"]
    assert hashes["weights"] == parameters.fingerprint()


def test_evaluation_in_tiles_is_evaluation_at_once(monkeypatch):
    parts = build(experiment(dtype="float64"))
    split = parts.split(parts.splits.train)
    whole = parts.network(parts.parameters.tensors(), Tensor(split.inputs))
    expected = parts.loss(whole, Tensor(split.encoded)).value.mean()
    monkeypatch.setattr("backproplab.train.evaluation.ENTRIES", 8 * 8 * 16 * 100)
    measure = Evaluation(parts.network, parts.parameters, parts.loss, parts.metrics)
    measured = measure(split.inputs, split.targets, split.encoded)
    assert measured["loss"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [42, 1, 2])
def test_the_digits_cnn_reaches_96_percent(tmp_path, seed):
    result = run(load(CONFIGS / "digits_cnn.yaml", f"seed={seed}"), tmp_path)
    assert result.state.epoch == 20
    assert result.metrics["val_accuracy"] >= 0.96


needs_fashion_mnist = pytest.mark.skipif(
    not Path("/usr/share/datasets/fashion-mnist").is_dir(),
    reason="Debian's dataset-fashion-mnist is not installed",
)


@pytest.mark.slow
@needs_fashion_mnist
def test_the_fashion_mnist_cnn_reaches_90_percent(tmp_path):
    result = run(load(CONFIGS / "fashion_mnist_cnn.yaml"), tmp_path)
    assert result.state.epoch <= 10
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
    assert len(build(e).parameters) == 9098
    assert run(e, tmp_path).metrics["test_accuracy"] >= 0.82
