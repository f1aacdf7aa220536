"""A metric is declared in one place: whoever ranks, monitors or shows it agrees on its goal."""

import numpy as np
import pytest

from backproplab import report
from backproplab.config import load
from backproplab.errors import ConfigError
from backproplab.experiment import run
from backproplab.measures import (
    MEASURES,
    goal_of,
    label_of,
    listed,
    measure,
    monitored,
    named,
    of_split,
    parsed,
    prefixed,
)
from backproplab.nn.metrics import METRICS, metric
from backproplab.optim.plateau import ReduceOnPlateau
from backproplab.report.page import render
from backproplab.report.series import series
from backproplab.runs import best_by, create_session, open_log_root
from backproplab.sweep.schema import Objective
from backproplab.sweep.space import read

CONFIG = "data: {name: circle, validation_split: 0.2}\nmodel: {hidden: [2]}\nepochs: 6\n"


def misses(loss, outputs, targets):
    """Falls while the network learns."""
    return np.mean(loss.decide(outputs) != targets, axis=-1)


def hits(loss, outputs, targets):
    return 1 - misses(loss, outputs, targets)


@pytest.fixture
def declare(request):
    """Declares a metric for as long as the test runs."""

    def declare(name, goal, function=hits):
        metric(name, goal, ["classification"], function, f"share of {name}", standard=True)
        request.addfinalizer(lambda: (METRICS.pop(name), MEASURES.pop(name)))

    return declare


@pytest.fixture
def trained(tmp_path):
    """Trains two runs of one session, the second with these words, and gives their records."""

    def train(*words):
        (tmp_path / "c.yaml").write_text(CONFIG)
        session = create_session(open_log_root(tmp_path / "runs"))
        run(load(tmp_path / "c.yaml"), session / "first")
        run(load(tmp_path / "c.yaml", "learning_rate=0.3", *words), session / "second")
        return report.read_records(report.chosen_runs(tmp_path / "runs"))[0]

    return train


@pytest.mark.parametrize(("goal", "function"), [("max", hits), ("min", misses)])
def test_all_agree_on_an_added_metric(declare, trained, tmp_path, goal, function):
    declare("added", goal, function)
    records = trained("early_stopping={monitor: val_added, patience: 99}")
    best = min if goal == "min" else max

    assert goal_of("val_added") == monitored("val_added", ["loss", "val_added"], "") == goal
    assert Objective(name="val_added").minimizes is (goal == "min")
    assert sweep_by("val_added", tmp_path).metric.minimizes is (goal == "min")

    rate = ReduceOnPlateau(monitor="val_added", patience=1).begin(0.1, 10)
    rate.epoch({"val_added": 0.5})
    rate.epoch({"val_added": best(0.4, 0.6)})
    assert rate(0) == 0.1
    rate.epoch({"val_added": best(0.4, 0.6)})
    assert rate(0) < 0.1

    for record in records:
        values = series(record)["val_added"].values()
        assert best_by(record.info, "val_added", goal == "min")["val_added"] == best(values)
    found = report.compare(records, "val_added")
    assert found.metric.goal == goal
    means = [trial.mean("val_added") for trial in found.trials]
    assert means == sorted(means, reverse=goal == "max")
    assert "val_added" in report.ranked_table(found).columns
    assert "validation share of added" in render(found)[0]


def test_a_measure_without_a_goal_is_shown_but_ranks_nothing(declare, trained, tmp_path):
    declare("plain", None)
    records = trained()
    assert "val_plain" in report.ranked_table(report.compare(records)).columns
    for use in (
        lambda: report.compare(records, "val_plain"),
        lambda: monitored("val_plain", ["loss", "val_plain"], "early_stopping"),
        lambda: ReduceOnPlateau(monitor="plain").begin(0.1, 10).epoch({"plain": 1.0}),
        lambda: sweep_by("val_plain", tmp_path),
    ):
        with pytest.raises(ConfigError, match=r"'(val_)?plain' has no better or worse"):
            use()
    assert report.compare(records, "val_plain", "min").metric.goal == "min"


def sweep_by(name, folder):
    (folder / "s.yaml").write_text(f"base: c.yaml\ngrid: {{epochs: [1, 2]}}\nmetric: {name}\n")
    return read(folder / "s.yaml")


def test_names():
    row = {"loss": 1.0, "accuracy": 0.5}
    for split in ("train", "validation", "test"):
        assert parsed(named(split, "loss")) == (split, "loss")
        assert of_split(split, {"other": 2.0} | prefixed(split, row)) == row | (
            {"other": 2.0} if split == "train" else {}
        )
    assert [label_of(name) for name in ("loss", "val_r2", "test_mae", "val_my_own")] == [
        "training loss", "validation R²", "test mean absolute error", "validation my own",
    ]  # fmt: skip


def test_what_a_table_lists():
    names = ["loss", "accuracy", "val_loss", "val_accuracy", "test_loss", "test_accuracy", "loss"]
    assert listed(names) == ["loss", "val_loss", "val_accuracy", "test_accuracy"]
    assert listed(reversed(names)) == ["loss", "val_accuracy", "val_loss", "test_accuracy"]


@pytest.mark.parametrize(("name", "goal"), [("val_loss", "min"), ("test_x", None), ("loss", "max")])
def test_a_measure_that_cannot_be_declared(name, goal):
    with pytest.raises(ValueError, match=r"prefix stands for a split|has the goal min already"):
        measure(name, goal)
