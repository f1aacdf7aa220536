"""Numeric, analytic and backprop gradients: the course's comparison, and its toy net by hand."""

import numpy as np
import pytest

import backproplab as bpl
from backproplab.autograd import Tensor, ops
from backproplab.learners.backprop import BackpropSource
from backproplab.nn import Model
from backproplab.nn.losses import MeanSquaredError


def test_the_toy_net_of_the_chain_rule_lecture():
    # anchors/learners.md section 2: both units are sigmoids, the loss is ½(y - .8)²
    def lecture(w1, b1, w2, b2):
        a = ops.sigmoid(1.0 * w1 + b1)
        return 0.5 * (ops.sigmoid(a * w2 + b2) - 0.8) ** 2

    # dW1 by mpmath to 40 digits: the anchor's ...3292727 has one digit wrong
    value, gradients = bpl.value_and_grad(lecture, (0, 1, 2, 3))(0.5, 0.1, 1.5, 0.2)
    assert value.item() == pytest.approx(0.0006892826056283362, abs=1e-15)
    expected = [
        -0.0023049782993272698,
        -0.0023049782993272698,
        -0.004336615062015758,
        -0.006716599869310625,
    ]
    np.testing.assert_allclose([g.item() for g in gradients], expected, rtol=0, atol=1e-15)


def test_its_second_derivatives():
    # anchors/learners.md section 7: the Hessian is indefinite
    def lecture(w):
        a = ops.sigmoid(w[0] + w[1])
        return 0.5 * (ops.sigmoid(a * w[2] + w[3]) - 0.8) ** 2

    h = bpl.hessian(lecture)(np.array([0.5, 0.1, 1.5, 0.2])).value
    first = [0.00494129109703585, 0.00494129109703585, 0.006496644139633837, 0.012442062846321818]
    np.testing.assert_allclose(h[0], first, rtol=1e-10)
    np.testing.assert_allclose(h[1], first, rtol=1e-10)
    np.testing.assert_allclose(h[2, 2:], [0.015113944418615488, 0.023408652982830035], rtol=1e-10)
    product = bpl.hvp(lecture, np.array([0.5, 0.1, 1.5, 0.2]), [1.0, 2.0, 3.0, 4.0]).value
    # the last by the row above, 3 h41 + 3 h43 + 4 h44: the anchor's ...7453... has a digit wrong
    expected = [0.08408205709529633, 0.08408205709529633, 0.1584663776060681, 0.25257452398783276]
    np.testing.assert_allclose(product, expected, rtol=1e-10)
    assert h[3, 3] == pytest.approx(0.036255594125094305, rel=1e-10)
    np.testing.assert_allclose(
        np.linalg.eigvalsh(h), [-0.00098036, 0, 0.00294588, 0.05928660], atol=1e-8
    )


def slide_net():
    """1-333-1 tanh, exactly 1000 weights: the slide's "tiny network"."""
    network = Model(hidden=(333,), activation="tanh").network((1,), 1)
    parameters = network.parameters(np.float64)
    network.initialize(parameters, np.random.default_rng(0))
    assert len(parameters) == 1000
    x = np.random.default_rng(1).uniform(-3, 3, (32, 1))
    source = BackpropSource(network, MeanSquaredError(), parameters, np.random.default_rng(0))
    return source, x, np.sin(x)


def analytic(learner, x, t):
    """The four equations of backpropagation, by hand: δᴸ, δˡ = (δˡ⁺¹ Wᵀ) ∘ σ'(zˡ), ∂b, ∂W."""
    w = learner.parameters.views
    a = np.tanh(x @ w["dense_1/kernel"] + w["dense_1/bias"])
    delta2 = 2 * (a @ w["dense_2/kernel"] + w["dense_2/bias"] - t) / len(x)
    delta1 = delta2 @ w["dense_2/kernel"].T * (1 - a * a)
    return np.concatenate(
        [(x.T @ delta1).ravel(), delta1.sum(0), (a.T @ delta2).ravel(), delta2.sum(0)]
    )


def numeric(learner, x, t, h=1e-4):
    """Central differences: 2 · 1000 forward passes."""
    flat, gradient = learner.parameters.flat, np.zeros(1000)

    def loss():
        y = learner.network(learner.parameters.tensors(), Tensor(x))
        return np.mean((y.value - t) ** 2)

    for i in range(1000):
        start = flat[i]
        flat[i] = start + h
        above = loss()
        flat[i] = start - h
        gradient[i] = (above - loss()) / (2 * h)
        flat[i] = start
    return gradient


def relative(a, b):
    """cs231n's measure."""
    return np.max(np.abs(a - b) / np.maximum(1e-8, np.abs(a) + np.abs(b)))


def test_numeric_analytic_and_backprop_agree_on_a_thousand_weights():
    learner, x, t = slide_net()
    learner(x, t)
    by_backprop = learner.gradient.flat.copy()
    assert learner.loss(x, t) == pytest.approx(
        np.mean((learner.network(learner.parameters.tensors(), Tensor(x)).value - t) ** 2)
    )
    assert relative(by_backprop, analytic(learner, x, t)) < 1e-12
    assert relative(by_backprop, numeric(learner, x, t)) < 1e-6
