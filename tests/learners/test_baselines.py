"""Baselines: scikit-learn's own numbers on the rows that a network gets, once for each data set."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from pydantic import ValidationError
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression

from backproplab import report
from backproplab.config import Experiment
from backproplab.errors import ConfigError
from backproplab.experiment import build, run
from backproplab.learners import Baseline, NoBrake, Span
from backproplab.report.baselines import against_baselines
from backproplab.report.conclusion import conclude
from backproplab.report.tables import measured as measured_cell
from backproplab.runs import create_session, experiment_folder
from backproplab.sweep import library as sweep_library
from backproplab.sweep import space

CONFIGS = Path(__file__).parents[2] / "configs" / "baselines"
FAST = {"random_forest": {"trees": 5}, "gradient_boosting": {"iterations": 3}}


def experiment(name, data="wine", **settings):
    learner = {"name": name, **FAST.get(name, {}), **settings}
    return Experiment.model_validate({"data": data, "learner": learner, "threads": 1})


def fitted(name, data="wine", **settings):
    """The material of a baseline, and the learning after its fit."""
    parts = build(experiment(name, data, **settings))
    learning = parts.experiment.learner.begin(parts.material)
    learning.advance(Span(0, 1), {}, NoBrake())
    return parts.material, learning


def measured(learning, split="validation"):
    (row,) = learning.measure(split, NoBrake())
    return row


def compared(sweep, root, metric):
    """The comparison of all runs of a sweep, which are trained here, one after the other."""
    root.mkdir()
    session = create_session(root)
    for trial in sweep.trials:
        for repeat in sweep.repeats:
            own = trial.experiment(repeat)
            run(own, experiment_folder(session, own.name))
    return report.compare(report.read_records(report.chosen_runs(root, []))[0], metric)


def test_linear_is_scikit_learns_logistic_regression():
    material, learning = fitted("linear")
    train, held = material.train, material.splits["validation"]
    theirs = LogisticRegression(max_iter=1000).fit(train.inputs, train.targets)
    p, row = theirs.predict_proba(held.inputs), measured(learning)
    assert row["accuracy"] == theirs.score(held.inputs, held.targets)
    assert row["loss"] == pytest.approx(sklearn.metrics.log_loss(held.targets, p), rel=1e-5)


def test_linear_is_least_squares_in_a_regression():
    material, learning = fitted("linear", "diabetes")
    train, held = material.train, material.splits["validation"]
    theirs = LinearRegression().fit(train.inputs.astype(float), train.targets)
    row = measured(learning)
    assert row["r2"] == pytest.approx(theirs.score(held.inputs, held.targets), rel=1e-5)
    answers = theirs.predict(held.inputs)
    mse = sklearn.metrics.mean_squared_error(held.targets, answers)
    assert row["loss"] == pytest.approx(mse, rel=1e-5)


def test_a_forest_is_scikit_learns():
    material, learning = fitted("random_forest", trees=20)
    train, held = material.train, material.splits["validation"]
    seed = int(material.stream("learner").integers(2**31))
    theirs = RandomForestClassifier(20, random_state=seed).fit(train.inputs, train.targets)
    assert measured(learning)["accuracy"] == theirs.score(held.inputs, held.targets)


def test_the_majority_has_the_shares_of_the_classes():
    material, learning = fitted("majority")
    shares = np.bincount(material.train.targets) / len(material.train)
    np.testing.assert_allclose(learning.predict(material.train.inputs[:1])[0], shares, rtol=1e-6)
    assert measured(learning, "train")["accuracy"] == pytest.approx(shares.max())


@pytest.mark.parametrize("name", Baseline.members)
def test_nothing_is_pickled_and_only_numbers_are_kept(name, tmp_path, saved):
    run(experiment(name), tmp_path / "run")
    _, _, arrays, _ = saved(tmp_path / "run")
    assert {kind for kind, _, _ in arrays.values()} <= {"<f4", "<f8", "<i8", "|u1"}
    names = {path.name for path in (tmp_path / "run").rglob("*") if path.is_file()}
    assert not any(name.endswith((".pkl", ".joblib", ".pickle")) for name in names)


def test_a_class_said_to_be_impossible_costs_infinity(tmp_path):
    """A forest of two trees; its trial has no mean of the loss, and tables read ∞."""
    (tmp_path / "s.yaml").write_text(
        "base: {data: wine, learner: {random_forest: {trees: 2}}, tensorboard: off}\nfolds: 3\n"
    )
    found = compared(space.read(tmp_path / "s.yaml"), tmp_path / "runs", "val_loss")
    losses = [record.details["metrics"]["val_loss"] for record in found.records]
    assert None in losses
    assert any(loss is not None for loss in losses)
    written = [path.read_text() for path in tmp_path.glob("runs/*/*/metrics.csv")]
    assert sum(",inf," in text for text in written) >= losses.count(None)
    (trial,) = found.trials
    assert (trial.mean("val_loss"), trial.by_seed("val_loss")) == (None, {})
    assert trial.mean("val_accuracy") is not None
    assert measured_cell(trial, "val_loss") == "∞"


def test_examples_may_count_differently(tmp_path):
    random = np.random.default_rng(0)
    with (tmp_path / "t.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["a", "b", "w", "label"])
        for i in range(90):
            kind = i % 3
            writer.writerow([*random.normal(kind, 1, 2).round(3), i % 4, "klm"[kind]])
    data = {"name": "csv", "path": str(tmp_path / "t.csv"), "weights": "w", "label_noise": None}
    parts = build(experiment("linear", data))
    learning = parts.experiment.learner.begin(parts.material)
    learning.advance(Span(0, 1), {}, NoBrake())
    train, held = parts.splits.train, parts.splits.validation
    theirs = LogisticRegression(max_iter=1000).fit(
        train.inputs, train.targets, sample_weight=train.weights / train.weights.mean()
    )
    row, p = measured(learning), theirs.predict_proba(held.inputs)
    score = theirs.score(held.inputs, held.targets, sample_weight=held.weights)
    assert row["accuracy"] == pytest.approx(score)
    loss = sklearn.metrics.log_loss(held.targets, p, sample_weight=held.weights)
    assert row["loss"] == pytest.approx(loss, rel=1e-4)


# --- of a sweep

SWEEP = """
base: {data: wine, model: {hidden: [8]}, epochs: 12, learning_rate: 0.02, threads: 1, tensorboard: off}
grid: {optimizer: [adam, sgd], data: [wine, iris]}
baselines: [majority, {random_forest: {trees: 5}}]
"""


def read(folder, text=SWEEP):
    (folder / "s.yaml").write_text(text)
    return space.read(folder / "s.yaml")


def test_each_is_one_trial_for_each_data_set_however_many_learn_it(tmp_path):
    found = read(tmp_path)
    assert len(found.trials) == 4 + 4
    own = [(t.resolved.data.name, t.resolved.learner.name) for t in found.trials[4:]]
    names = [("wine", "majority"), ("wine", "random_forest"), ("iris", "majority"),
             ("iris", "random_forest")]  # fmt: skip
    assert own == names
    again = read(tmp_path, SWEEP.replace("sgd]", "sgd, nadam, adagrad]"))
    assert len(again.trials) == 8 + 4


def test_they_are_ranked_beside_the_networks_and_the_conclusion_names_them(tmp_path):
    text = SWEEP.replace(", data: [wine, iris]", "") + "folds: 3\nmetric: test_accuracy\n"
    found = compared(read(tmp_path, text), tmp_path / "runs", "test_accuracy")
    assert set(found.keys) == {"optimizer", "learner"}
    said = against_baselines(found)
    assert "beats majority" in said
    assert "random_forest" in said
    assert said in conclude(found).text
    assert sum(trial.is_baseline for trial in found.trials) == 2


SEARCH = """
base: {data: wine, model: {hidden: [4]}, epochs: 6, threads: 1, tensorboard: off}
method: tpe
num_trials: 4
parameters: {learning_rate: {min: 0.01, max: 0.1}}
baselines: [majority, linear]
metric: val_accuracy
"""


def searched(text, folder):
    """The sweep, and the comparison of its runs, by a worker of its own."""
    folder.mkdir()
    sweep = read(folder, text)
    session = sweep_library.run(sweep, folder / "runs", executor="local:1")
    assert sweep_library.run(sweep, folder / "runs", executor="local:1", resume=session) == session
    records = report.read_records(report.chosen_runs(folder / "runs", []))[0]
    return sweep, report.compare(records, "val_accuracy")


@pytest.mark.slow
@pytest.mark.parametrize("more", ["", "pruner: {asha: {min_epochs: 2}}\n", "method: random\n"])
def test_a_search_has_them_beside_the_trials_that_it_chooses(more, tmp_path):
    """Once each, numbered after them; what is proposed is what it is without them."""
    text = SEARCH.replace("method: tpe\n", "") + more if "method" in more else SEARCH + more
    sweep, found = searched(text, tmp_path / "with")
    assert [(t.number, t.label) for t in sweep.trials] == [(4, "learner-majority"), (5, "learner-linear")]  # fmt: skip
    assert len(found.trials) == 6
    assert sum(trial.is_baseline for trial in found.trials) == 2
    plain = text.replace("baselines: [majority, linear]\n", "")
    _, without = searched(plain, tmp_path / "without")
    rates = [
        sorted(t.values["learning_rate"] for t in each.trials if not t.is_baseline)
        for each in (found, without)
    ]
    assert rates[0] == rates[1]


@pytest.mark.slow
def test_the_best_network_is_compared_with_the_baselines_on_its_data(tmp_path):
    grid = "data.train_samples: [30, 90]"
    text = SWEEP.replace("data: [wine, iris]", grid) + "seeds: 2\nmetric: test_accuracy\n"
    text = text.replace("data: wine", "data: {name: wine, test_split: 0.2}").replace(", sgd]", "]")
    found = compared(read(tmp_path, text), tmp_path / "runs", "test_accuracy")
    assert sum(trial.is_baseline for trial in found.trials) == 4
    said = against_baselines(found)
    assert said.count("majority (") == said.count("random_forest (") == 1


@pytest.mark.parametrize(("text", "what"), [
    (SWEEP.replace("majority", "forest"), "'forest' is not known; one of"),
    (SWEEP.replace("data: wine", "data: cubic_spiral").replace(", data: [wine, iris]", "").replace(
        "majority", "gradient_boosting"), "gradient_boosting predicts one number"),
    (SEARCH.replace("learning_rate:", "data.train_samples: {min: 20, max: 60, distribution: int}, learning_rate:"),
     "baselines: tpe chooses data.train_samples, on which a baseline depends"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(text, what, tmp_path):
    with pytest.raises(ConfigError) as caught:
        read(tmp_path, text)
    assert any(what in str(problem) for problem in caught.value.problems), caught.value


def test_a_baseline_has_no_use_for_a_model():
    with pytest.raises(ValidationError, match="has no use for it"):
        Experiment.model_validate({"data": "wine", "learner": "linear", "model": {"hidden": [3]}})


def test_estimators_are_loaded_when_one_is_fitted():
    code = (
        "import sys, backproplab.learners, backproplab.sweep.space; print('sklearn' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


@pytest.mark.slow
@pytest.mark.parametrize("data", ["iris", "wine", "breast_cancer", "digits", "diabetes"])
def test_no_network_of_our_configs_is_beaten_by_a_forest(data, tmp_path):
    """Acceptance of learners.md 12: at least the forest's accuracy - 0.01, of diabetes R² ≥ 0.44;
    the forest's own values are within 0.03 of those of scikit-learn 1.9 in other folds."""
    theirs = {"iris": 0.94, "wine": 0.9719, "breast_cancer": 0.9649, "digits": 0.9733,
              "diabetes": 0.4187}[data]  # fmt: skip
    sweep = space.read(CONFIGS / f"{data}.yaml")
    found = compared(sweep, tmp_path / "runs", sweep.metric.name)
    learners = [t.best_record.config["learner"] for t in found.trials]
    names = [each if isinstance(each, str) else each["name"] for each in learners]
    values = [t.mean(sweep.metric.name) for t in found.trials]
    means = dict(zip(names, values, strict=True))
    assert means["random_forest"] == pytest.approx(theirs, abs=0.03)
    least = 0.44 if data == "diabetes" else means["random_forest"] - 0.01
    assert means["gradient_descent"] >= least
    assert means["majority"] < 0.65
    said = against_baselines(found)
    assert "majority (" in said.partition("beats ")[2].partition("cannot be")[0]
    assert not said.partition("is beaten by")[2].count("random_forest")
