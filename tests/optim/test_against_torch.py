"""Flavor torch against torch.optim itself, in float64."""

import numpy as np
import pytest

from backproplab.optim import Clipping, Optimizer, Updater

torch = pytest.importorskip("torch", reason="PyTorch is an oracle of `make test-slow` only")
optim = torch.optim
pytestmark = pytest.mark.slow

# ours: (our fields, theirs, their arguments beyond the defaults)
CASES = {
    "sgd": ({}, optim.SGD, {}),
    "sgd with weight decay": ({"weight_decay": 0.1}, optim.SGD, {"weight_decay": 0.1}),
    "momentum": ({}, optim.SGD, {"momentum": 0.9}),
    "momentum with weight decay": ({"weight_decay": 0.1}, optim.SGD, {"momentum": 0.9, "weight_decay": 0.1}),
    "nesterov": ({"momentum": 0.8}, optim.SGD, {"momentum": 0.8, "nesterov": True}),
    "adagrad": ({}, optim.Adagrad, {}),
    "adagrad from 0.3": ({"initial_accumulator_value": 0.3}, optim.Adagrad, {"initial_accumulator_value": 0.3}),
    "adadelta": ({}, optim.Adadelta, {}),
    "rmsprop": ({}, optim.RMSprop, {}),
    "rmsprop centered": ({"centered": True}, optim.RMSprop, {"centered": True}),
    "rmsprop with momentum": ({"momentum": 0.7}, optim.RMSprop, {"momentum": 0.7}),
    "rmsprop with all": ({"momentum": 0.7, "centered": True, "weight_decay": 0.1}, optim.RMSprop, {"momentum": 0.7, "centered": True, "weight_decay": 0.1}),
    "adam": ({}, optim.Adam, {}),
    "adam with weight decay": ({"weight_decay": 0.1}, optim.Adam, {"weight_decay": 0.1}),
    "adam with betas": ({"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3}, optim.Adam, {"betas": (0.5, 0.9), "eps": 1e-3}),
    "amsgrad": ({}, optim.Adam, {"amsgrad": True}),
    "adamw": ({}, optim.AdamW, {}),
    "adamax": ({}, optim.Adamax, {}),
    "nadam": ({}, optim.NAdam, {}),
}  # fmt: skip
LOOSE = {"nadam": 1e-6}  # PyTorch keeps nadam's product in float32


def ours(name, fields):
    return Optimizer.parse({"name": name.split()[0], "flavor": "torch", **fields})


def bound(optimizer, theta, grad):
    return Updater(optimizer, theta, grad, {s: np.zeros_like(theta) for s in optimizer.slots})


@pytest.mark.parametrize("name", CASES)
def test_200_random_steps_with_a_falling_learning_rate(name):
    fields, theirs, arguments = CASES[name]
    optimizer = ours(name, fields)
    rng = np.random.default_rng(0)
    theta, grad = rng.standard_normal(20), np.zeros(20)
    weights = torch.tensor(theta, requires_grad=True)
    reference = theirs([weights], **arguments)
    assert reference.param_groups[0]["lr"] == optimizer.default_learning_rate
    update = bound(optimizer, theta, grad)
    for t in range(1, 201):
        grad[:] = rng.standard_normal(20) * 10.0 ** rng.integers(-6, 3, 20)
        weights.grad = torch.tensor(grad)
        lr = optimizer.default_learning_rate / (1 + t / 50)
        reference.param_groups[0]["lr"] = lr
        reference.step()
        update(lr, t)
        tolerance = LOOSE.get(name, 1e-12)
        np.testing.assert_allclose(theta, weights.detach().numpy(), rtol=tolerance, atol=tolerance)


def quadratic(rng):
    """½ θᵀAθ - bᵀθ, eigenvalues 0.3 to 10: with a wider spread rounding grows to other paths."""
    basis, _ = np.linalg.qr(rng.standard_normal((12, 12)))
    a, b = (basis * np.geomspace(0.3, 10, 12)) @ basis.T, rng.standard_normal(12)
    return lambda theta: a @ theta - b


def logistic_regression(rng):
    """Mean cross-entropy on 80 noisily labelled examples, with a little weight decay."""
    x = rng.standard_normal((80, 12))
    y = (x @ rng.standard_normal(12) + rng.standard_normal(80) > 0).astype(float)
    return lambda theta: x.T @ (1 / (1 + np.exp(-x @ theta)) - y) / 80 + 1e-3 * theta


@pytest.mark.parametrize("history", [1, 3, 10])
@pytest.mark.parametrize("problem", [quadratic, logistic_regression])
def test_200_steps_of_lbfgs(problem, history):
    slope = problem(np.random.default_rng(0))
    theta, grad = np.full(12, 0.5), np.zeros(12)
    weights = torch.tensor(theta, requires_grad=True)
    reference = optim.LBFGS(
        [weights], max_iter=1, history_size=history, tolerance_grad=0, tolerance_change=0
    )
    update = bound(ours("lbfgs", {"history": history}), theta, grad)

    def closure():
        weights.grad = torch.tensor(slope(weights.detach().numpy()))
        return torch.zeros(())

    for t in range(1, 201):
        grad[:] = slope(theta)
        update(1.0, t)
        reference.step(closure)
        np.testing.assert_allclose(theta, weights.detach().numpy(), rtol=1e-9, atol=1e-9)
    assert np.abs(slope(theta)).max() < 1e-5


@pytest.mark.parametrize("limit", [0.5, 100.0])
def test_global_norm_clips_as_torch(limit):
    gradient = np.random.default_rng(0).standard_normal(50)
    weights = torch.zeros(50, dtype=torch.float64, requires_grad=True)
    weights.grad = torch.tensor(gradient)
    torch.nn.utils.clip_grad_norm_([weights], limit)
    Clipping.parse({"global_norm": limit}).clip(gradient, {})
    np.testing.assert_allclose(gradient, weights.grad.numpy(), rtol=1e-6)
