"""What whole trainings must reach, on real data; acceptance lines of anchors/learners.md 14, 15."""

import statistics
from dataclasses import replace
from pathlib import Path

import pytest

from backproplab.config import Experiment, load
from backproplab.experiment import build, run
from backproplab.learners import NoBrake
from backproplab.loop import Callback
from backproplab.registry import families

CONFIGS = Path(__file__).parent.parent / "configs"
IDX = Path("/usr/share/datasets/fashion-mnist")
needs_fashion_mnist = pytest.mark.skipif(
    not IDX.is_dir(), reason="Debian's dataset-fashion-mnist is not installed"
)


def test_the_quickstart_reaches_95_percent_on_validation(tmp_path):
    assert run(load(CONFIGS / "quickstart.yaml"), tmp_path).metrics["val_accuracy"] >= 0.95


class OnTest(Callback):
    """The test accuracy after every epoch, which a run itself looks at only once."""

    def __init__(self):
        self.accuracies = []

    def look(self, lane):
        (row,) = lane.learning.measure("test", NoBrake())
        self.accuracies.append(row["accuracy"])


# file -> published accuracy (arXiv 1708.07747 table 3), tolerance, least final accuracy
ROWS = {
    "relu_100": (0.871, 0.01, 0.865),
    "relu_100_10": (0.870, 0.01, 0.865),
    "tanh_100": (0.868, 0.01, 0.858),
    "tanh_100_10": (0.863, 0.01, 0.853),
    "relu_10_10": (0.850, 0.015, 0.83),
    "relu_10": (0.848, 0.015, 0.83),
    "tanh_10_10": (0.841, 0.015, 0.826),
    "tanh_10": (0.840, 0.015, 0.825),
}


@pytest.mark.slow
@needs_fashion_mnist
@pytest.mark.parametrize("name", ROWS)
def test_the_published_fashion_mnist_table(tmp_path, name):
    published, tolerance, final = ROWS[name]
    experiment = load(CONFIGS / "fashion_mnist_table" / f"{name}.yaml")
    on_test = OnTest()
    result = run(experiment, tmp_path, [on_test])
    assert max(on_test.accuracies) >= published - tolerance
    assert result.metrics["test_accuracy"] >= final
    if name == "relu_100":
        assert max(on_test.accuracies[:8]) >= published


@pytest.mark.slow
@needs_fashion_mnist
def test_the_fashion_mnist_config_reaches_the_published_accuracy(tmp_path):
    assert run(load(CONFIGS / "fashion_mnist.yaml"), tmp_path).metrics["test_accuracy"] >= 0.871


@pytest.mark.slow
@needs_fashion_mnist
def test_softmax_regression_on_fashion_mnist(tmp_path):
    experiment = load(
        CONFIGS / "fashion_mnist_table" / "relu_10.yaml", "model.hidden=[]", "epochs=5", "name=s"
    )
    assert run(experiment, tmp_path).metrics["test_accuracy"] >= 0.835


def playground(tmp_path, name, *words):
    """Final validation loss and accuracy for five seeds."""
    config = tmp_path / "c.yaml"
    config.write_text(
        f"data: {{name: {name}, validation_split: 0.5}}\nmodel: {{hidden: [4, 2], activation: tanh}}\n"
        "optimizer: sgd\nlearning_rate: 0.1\nbatch_size: 10\nepochs: 100\ntensorboard: {histograms: 0}\n"
    )
    results = []
    for seed in range(5):
        folder = tmp_path / f"{name}-{seed}"
        folder.mkdir()
        results.append(run(load(config, f"seed={seed}", *words), folder).metrics)
    return results


@pytest.mark.slow
@pytest.mark.parametrize(("name", "accuracy"), [("circle", 0.97), ("gauss", 0.99), ("xor", 0.95)])
def test_the_playground_sets_are_learned(tmp_path, name, accuracy):
    results = playground(tmp_path, name)
    assert statistics.median(r["val_accuracy"] for r in results) >= accuracy


@pytest.mark.slow
@pytest.mark.parametrize("name", ["circle", "xor"])
def test_a_linear_model_cannot(tmp_path, name):
    results = playground(tmp_path, name, "model.hidden=[]", "epochs=30")
    assert statistics.median(r["val_accuracy"] for r in results) <= 0.70


# optimizer -> learning rate, flavor that the table is of, its train cross-entropy (None: not in
# the table); anchors/learners.md section 8: digits / 16, 64-64-10 relu, batch 32, 30 epochs
DIGITS = {
    "sgd": (0.1, "keras", 0.074),
    "momentum": (0.05, "keras", 0.010),
    "nesterov": (0.05, "keras", 0.010),
    "adagrad": (0.05, "torch", 0.027),  # keras' initial accumulator of 0.1 makes it 0.062
    "adadelta": (1.0, "keras", 0.065),
    "rmsprop": (0.001, "keras", 0.062),
    "adam": (0.001, "keras", 0.077),
    "adamax": (0.002, "keras", 0.104),
    "nadam": (0.001, "keras", 0.076),
    "amsgrad": (0.001, "keras", None),
    "adamw": (0.001, "keras", None),
    "lion": (0.0003, "keras", None),  # Chen et al.: a third to a tenth of Adam's
}
FLAVORS = ("keras", "torch")
SEEDS = (0, 1, 2)


def digits(tmp_path, optimizer, rate, **fields):
    """The final metrics of each seed, on pixels of 0 to 1."""
    results = []
    for seed in SEEDS:
        parts = build(Experiment.model_validate({
            "data": {"name": "digits", "validation_split": 0.0, "test_split": 0.2, "standardize": False},
            "model": {"hidden": [64]}, "optimizer": optimizer, "learning_rate": rate, "seed": seed,
            "batch_size": 32, "epochs": 30, "tensorboard": {"histograms": 0},
        } | fields))  # fmt: skip
        scaled = {
            name: replace(split, inputs=split.inputs / 16)
            for name in ("train", "test")
            if (split := getattr(parts.splits, name))
        }
        parts = replace(parts, splits=replace(parts.splits, **scaled))
        results.append(run(parts, tmp_path / str(seed)).metrics)
    return results


@pytest.mark.slow
@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("name", sorted(families()["optimizer"].keys() - {"lbfgs", "newton"}))
def test_every_optimizer_learns_the_digits(tmp_path, name, flavor):
    assert name in DIGITS, f"{name} has no learning rate in this file"
    rate, tabulated, cross_entropy = DIGITS[name]
    results = digits(tmp_path, {"name": name, "flavor": flavor}, rate)
    assert min(r["test_accuracy"] for r in results) >= 0.95
    if cross_entropy and flavor == tabulated:
        assert statistics.median(r["loss"] for r in results) == pytest.approx(
            cross_entropy, rel=0.2
        )


@pytest.mark.slow
@pytest.mark.parametrize("flavor", FLAVORS)
def test_lbfgs_learns_the_digits_from_whole_batches(tmp_path, flavor):
    fields = {"batch_mode": "batch", "epochs": 100}
    results = digits(tmp_path, {"name": "lbfgs", "flavor": flavor}, 1.0, **fields)
    assert min(r["test_accuracy"] for r in results) >= 0.95
    assert max(r["loss"] for r in results) < 0.01
