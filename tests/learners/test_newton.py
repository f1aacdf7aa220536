"""Newton's method, and the end of descent by the norm of the gradient."""

import json
import signal
from dataclasses import replace

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from backproplab.autograd import Tensor, hessian, ops
from backproplab.config import Experiment
from backproplab.errors import ConfigError
from backproplab.experiment import build, resume, run
from backproplab.files import DiskFolder
from backproplab.learners import NoBrake, Span, Split
from backproplab.learners.curvature import Curvature, newton_direction
from backproplab.learners.descent import CONVERGED
from backproplab.loop import Callback, Every
from backproplab.nn import Model
from backproplab.nn.losses import SoftmaxCrossEntropy
from backproplab.optim import Optimizer, Updater
from backproplab.streams import stream

CONFIG = {
    "data": {"name": "circle", "samples": 60},
    "model": {"hidden": [4], "activation": "tanh"},
    "batch_mode": "batch",
    "epochs": 20,
    "threads": 1,
    "tensorboard": {"telemetry": False, "histograms": 0},
}


def experiment(**fields):
    return Experiment.model_validate(CONFIG | fields)


def record(folder):
    return json.loads((folder / "run.json").read_text())


# --- Newton


def test_the_hessian_is_that_of_the_transforms():
    network = Model(hidden=(3,), activation="tanh").network((2,), 3)
    parameters = network.parameters(np.float64)
    network.initialize(parameters, stream(0, "init"))
    generator = np.random.default_rng(0)
    x, t = generator.standard_normal((9, 2)), generator.integers(0, 3, 9)
    own = Curvature(network, SoftmaxCrossEntropy(), parameters, stream(0, "dropout"), 0.0)
    assert own.fill(x, t, None, None)

    def loss(theta):
        parts, at = {}, 0
        for name, shape in parameters.weights.items():
            size = int(np.prod(shape))
            parts[name] = ops.reshape(theta[at : at + size], shape=shape)
            at += size
        return ops.mean(SoftmaxCrossEntropy()(network(parts, Tensor(x)), Tensor(t)))

    expected = hessian(loss)(parameters.trainable).value
    np.testing.assert_allclose(own.hessian, expected, atol=1e-14)
    np.testing.assert_allclose(own.hessian, own.hessian.T, rtol=0, atol=1e-12)


def test_breast_cancer_in_eight_steps():
    """anchors/learners.md section 7: logistic regression on the first 5 standardized features.

    The anchor's |g| 5.9e-6 is the largest entry before the eighth step (NumPy, by hand); the norm
    there is 1.0172e-5, and 4.2e-9 after it.
    """
    inputs, targets = load_breast_cancer(return_X_y=True)
    x = inputs[:, :5]
    split = Split((x - x.mean(axis=0)) / x.std(axis=0), targets, targets[:, None].astype(float))
    model = {"layers": [{"dense": {"units": 1, "initializer": "zeros"}}]}
    data = {"name": "breast_cancer", "validation_split": 0}
    parts = build(experiment(data=data, model=model, optimizer="newton", dtype="float64"))
    network = parts.experiment.model.network((5,), 1)
    material = replace(parts.material, network=network, splits={"train": split})
    learning = parts.experiment.learner.begin(material)
    made = advance(learning, 9)
    norms = made.scalars["gradient_norm"][1]
    assert norms[7] == pytest.approx(1.017195331652731e-05, rel=1e-9)
    assert norms[8] == pytest.approx(4.2e-9, rel=0.01)
    (row,) = learning.measure("train", NoBrake())
    assert row["loss"] == pytest.approx(0.1487022643883075, abs=1e-12)


def advance(learning, steps):
    """Steps in batch mode, with the norm of each gradient."""
    rows = np.arange(len(learning.material.train))
    span = Span(0, steps, np.tile(rows, steps), len(rows), whole=True)
    return learning.advance(span, {"gradient_norm": 1}, NoBrake())


def test_where_the_curvature_is_negative_the_step_goes_down():
    g = np.array([1.0, -2.0])
    for matrix in (np.diag([1.0, -3.0]), np.zeros((2, 2)), np.diag([-1.0, -1.0])):
        assert newton_direction(matrix, g, 0.0) @ g > 0
    np.testing.assert_allclose(newton_direction(np.diag([2.0, 4.0]), g, 0.0), [0.5, -0.5])
    np.testing.assert_allclose(newton_direction(np.diag([2.0, 4.0]), g, 1.0), [1 / 3, -0.4])
    assert np.isnan(newton_direction(np.full((2, 2), np.inf), g, 0.0)).all()


LAYERS = [{"dense": {"units": 4, "activation": "tanh"}}, "batch_norm", {"dropout": 0.2},
          {"dense": 1}]  # fmt: skip


def test_a_network_with_dropout_and_batch_norm_stops_and_resumes_to_the_same_bytes(tmp_path, saved):
    e = experiment(optimizer={"newton": {"damping": 0.1}}, model={"layers": LAYERS}, epochs=8)
    stop = Stop(3)
    run(e, tmp_path / "parts", [stop])
    stop.armed = False
    resume(tmp_path / "parts", callbacks=[stop])
    run(e, tmp_path / "whole", [stop])
    assert saved(DiskFolder(tmp_path / "parts")) == saved(DiskFolder(tmp_path / "whole"))


class Stop(Callback):
    name = "stop"

    def __init__(self, step):
        self.when = Every(step)
        self.armed = True

    def look(self, lane):
        if self.armed:
            signal.raise_signal(signal.SIGINT)


def test_its_passes(tmp_path):
    run(experiment(optimizer="newton", epochs=2), tmp_path / "run")
    weights = 2 * 4 + 4 + 4 + 1
    found = record(tmp_path / "run")
    assert (found["forward_passes"], found["backward_passes"]) == (2 * 2, 2 * (2 + weights))


@pytest.mark.parametrize(("fields", "what"), [
    ({"optimizer": "newton", "batch_mode": "minibatch"}, "needs the gradient of all examples"),
    ({"optimizer": "newton", "model": {"hidden": [1000]}}, "at most 2,000 weights, the network"),
])  # fmt: skip
def test_what_newton_cannot_do_is_refused(fields, what):
    with pytest.raises(ConfigError, match=what):
        build(experiment(**fields))


def test_regularization_is_part_of_gradient_and_hessian():
    """One step from zero solves a quadratic, ½ a w² - b w + l2 w², whatever l2 is."""
    a, b, l2 = np.diag([2.0, 0.5]), np.array([1.0, 3.0]), 0.3
    theta, gradient = np.zeros(2), -b
    optimizer = Optimizer.parse({"newton": {"l2": l2}})
    Updater(optimizer, theta, gradient, {}, lambda g, more: newton_direction(a, g, more))(1.0, 1)
    np.testing.assert_allclose(theta, np.linalg.solve(a + 2 * l2 * np.eye(2), b))


# --- tolerance


def descent(tolerance, **fields):
    return experiment(learner={"gradient_descent": {"tolerance": tolerance}}, **fields)


def test_descent_ends_where_the_gradient_is_small(tmp_path):
    e = descent(1e-6, optimizer="newton", model={"layers": [{"dense": 1}]}, dtype="float64")
    result = run(e, tmp_path / "run")
    assert (result.status, result.progress.stop_reason) == ("completed", CONVERGED)
    assert 1 < result.progress.step < 20
    parts = build(e)
    learning = parts.experiment.learner.begin(parts.material)
    made = advance(learning, 20)
    assert made.done == result.progress.step
    assert min(made.scalars["gradient_norm"][1]) > 1e-6


def test_one_that_begins_at_the_end_does_no_step(tmp_path):
    result = run(descent(1e9), tmp_path / "run")
    assert (result.status, result.progress.step) == ("completed", 0)


def test_batches_have_no_end():
    with pytest.raises(ConfigError, match=r"learner\.tolerance: a batch's gradient says nothing"):
        build(descent(1e-6, batch_mode="minibatch"))
    build(descent(1e-6, batch_mode="minibatch", batch_size=48))  # all examples
