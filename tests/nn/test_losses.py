"""Losses and metrics: closed forms, scikit-learn, and the family's rules."""

import numpy as np
import pytest
import sklearn.metrics
from scipy.special import huber as scipy_huber

from backproplab.autograd import Tensor, gradcheck
from backproplab.nn import Loss, metrics_of
from backproplab.nn.losses import Auto, BinaryCrossEntropy, Huber, SoftmaxCrossEntropy
from backproplab.task import Task

THREE, TWO = Task("classification", 3), Task("classification", 2)
NUMBERS = Task("regression", 2)
CASES = [
    (member(), task)
    for member in Loss.members.values()
    for task in (THREE, TWO, NUMBERS)
    if member is not Auto and not member().problem(task)
]
IDS = [f"{loss.name}-{task}" for loss, task in CASES]


def data(loss, task, seed=0):
    rng = np.random.default_rng(seed)
    targets = (
        rng.standard_normal((6, 2))
        if task.kind == "regression"
        else rng.integers(0, task.outputs, 6)
    )
    outputs = rng.standard_normal((6, loss.units(task))) + 0.1
    return outputs, targets, loss.encode(targets, task, np.float64)


@pytest.mark.parametrize(("loss", "task"), CASES, ids=IDS)
def test_one_number_an_example_and_its_gradient(loss, task):
    outputs, _, encoded = data(loss, task)
    y = loss(Tensor(outputs), Tensor(encoded))
    assert y.shape == (6,)
    assert (y.value >= 0).all()
    gradcheck(lambda z: loss(z, Tensor(encoded)), outputs)


@pytest.mark.parametrize(("loss", "task"), CASES, ids=IDS)
def test_a_population_shares_its_targets(loss, task):
    _, _, encoded = data(loss, task)
    members = np.stack([data(loss, task, seed)[0] for seed in range(3)])
    together = loss(Tensor(members), Tensor(encoded)).value
    alone = [loss(Tensor(m), Tensor(encoded)).value for m in members]
    np.testing.assert_allclose(together, alone, rtol=1e-14)


def test_values_by_scikit_learn_and_scipy():
    outputs, targets, encoded = data(SoftmaxCrossEntropy(), THREE)
    p = np.exp(outputs) / np.exp(outputs).sum(axis=1, keepdims=True)
    mean = SoftmaxCrossEntropy()(Tensor(outputs), Tensor(encoded)).value.mean()
    assert mean == pytest.approx(sklearn.metrics.log_loss(targets, p, labels=[0, 1, 2]))
    outputs, targets, encoded = data(BinaryCrossEntropy(), TWO)
    p = 1 / (1 + np.exp(-outputs[:, 0]))
    mean = BinaryCrossEntropy()(Tensor(outputs), Tensor(encoded)).value.mean()
    assert mean == pytest.approx(sklearn.metrics.log_loss(targets, p, labels=[0, 1]))
    error = np.linspace(-3, 3, 13)[:, None]
    ours = Huber(delta=1.5)(Tensor(error), Tensor(np.zeros_like(error))).value
    np.testing.assert_allclose(ours, scipy_huber(1.5, error[:, 0]), rtol=1e-14)


@pytest.mark.parametrize(
    ("task", "name"),
    [(THREE, "softmax_cross_entropy"), (TWO, "binary_cross_entropy"), (NUMBERS, "mse")],
)
def test_auto_follows_the_task(task, name):
    assert Auto().resolve(task).name == name


@pytest.mark.parametrize(("loss", "task", "problem"), [
    (SoftmaxCrossEntropy(), NUMBERS, "needs classes"),
    (BinaryCrossEntropy(), THREE, "needs two classes, the data are 3 classes"),
])  # fmt: skip
def test_what_cannot_serve_says_why(loss, task, problem):
    assert problem in loss.problem(task)


@pytest.mark.parametrize(("loss", "task"), [c for c in CASES if c[1].kind == "classification"])
def test_the_decided_class_is_the_cheapest_label(loss, task):
    outputs, _, _ = data(loss, task)
    if loss.name in ("mse", "mae", "huber"):  # distances to 0 and 1: read between them
        outputs = 1 / (1 + np.exp(-outputs))
    prices = [
        loss(Tensor(outputs), Tensor(loss.encode(np.full(6, label), task, np.float64))).value
        for label in range(task.outputs)
    ]
    np.testing.assert_array_equal(loss.decide(outputs), np.argmin(prices, axis=0))


def test_metrics_by_scikit_learn():
    rng = np.random.default_rng(0)
    truth, outputs = rng.standard_normal((20, 2)), rng.standard_normal((20, 2))
    by_name = {m.name: m.function(Auto(), outputs, truth) for m in metrics_of(NUMBERS)}
    assert by_name["mae"] == pytest.approx(sklearn.metrics.mean_absolute_error(truth, outputs))
    assert by_name["r2"] == pytest.approx(
        sklearn.metrics.r2_score(truth, outputs, multioutput="variance_weighted")
    )
    labels, logits = rng.integers(0, 3, 20), rng.standard_normal((20, 3))
    (accuracy,) = metrics_of(THREE)
    expected = sklearn.metrics.accuracy_score(labels, logits.argmax(axis=1))
    assert accuracy.function(SoftmaxCrossEntropy(), logits, labels) == expected
