"""A network beside scikit-learn's on the same folds: acceptance lines of anchors/learners.md 12.

Those that name the forest are in learners/test_baselines.py.
"""

from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from backproplab.experiment import build, run
from backproplab.sweep import space

CONFIGS = Path(__file__).parent.parent / "configs" / "baselines"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(f"ignore::{ConvergenceWarning.__module__}.ConvergenceWarning"),
]


def folds(name, *words):
    """The experiments of the config's network, one a fold."""
    sweep = space.read(CONFIGS / f"{name}.yaml", words, {"baselines": ()})
    (trial,) = sweep.trials
    return [trial.experiment(repeat) for repeat in sweep.repeats]


def mean_of(folder, experiments, metric, *estimators):
    """The mean over the folds of our metric, and of the score of each estimator on these rows."""
    scores = []
    for experiment in experiments:
        parts = build(experiment)
        train, test = parts.splits.train, parts.splits.test
        shape = train.targets.shape[:1]
        fits = [make().fit(train.inputs, train.targets.reshape(shape)) for make in estimators]
        theirs = [fit.score(test.inputs, test.targets.reshape(-1)) for fit in fits]
        scores.append([run(parts, folder / experiment.name).metrics[metric], *theirs])
    return np.mean(scores, axis=0)


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_it_is_as_good_as_their_network(tmp_path, name):
    ours, network = mean_of(
        tmp_path, folds(name), "test_accuracy",
        lambda: MLPClassifier((50,), max_iter=300, random_state=0),
    )  # fmt: skip
    assert ours >= network - 0.015
    if name == "wine":
        assert ours >= 0.96


def test_gradient_descent_on_wine_needs_standardized_inputs(tmp_path):
    sweep = space.read(CONFIGS.parent / "normalization.yaml")
    means = {}
    for trial in sweep.trials:
        experiments = [trial.experiment(repeat) for repeat in sweep.repeats]
        first = experiments[0]
        (mean,) = mean_of(tmp_path, experiments, "test_accuracy")
        means[first.optimizer.name, first.data.standardize] = mean
    assert means["sgd", True] >= 0.96
    assert means["sgd", False] <= 0.75
    assert means["adam", True] >= 0.96
    assert means["adam", False] < means["adam", True] - 0.05


def test_diabetes(tmp_path):
    ours, network = mean_of(
        tmp_path, folds("diabetes"), "test_r2",
        lambda: MLPRegressor(hidden_layer_sizes=(20,), max_iter=200, random_state=0),
    )  # fmt: skip
    assert ours >= 0.44
    assert ours >= network - 0.015
