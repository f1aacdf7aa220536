"""Optimizers: goldens of both flavors, published numbers, and what holds for the whole family."""

import json
from math import prod
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backproplab.optim import Optimizer, Updater
from backproplab.optim.rules import Momentum, Sgd, damping

# PyTorch's and Keras' formulas in float64: tests/reference/README.md
GOLDENS = json.loads(Path(__file__).parent.parent.joinpath("reference/optimizers.json").read_text())
NAMES = sorted(Optimizer.members)
VARIANTS = {"rmsprop centered": {"centered": True, "momentum": 0.5}}
FAMILY = {
    f"{name} {flavor}": Optimizer.parse(
        {"name": name.split()[0], "flavor": flavor, **VARIANTS.get(name, {})}
    )
    for name in (*NAMES, *VARIANTS)
    for flavor in ("keras", "torch")
}
every_member = pytest.mark.parametrize("optimizer", FAMILY.values(), ids=FAMILY)

# the fixture's names: ours, and what the fixture's runs were given
SAME = {
    "sgd": {"name": "sgd"},
    "sgd_momentum": {"name": "momentum"},
    "sgd_nesterov": {"name": "nesterov"},
    "adagrad": {"name": "adagrad"},
    "adadelta": {"name": "adadelta", "rho": 0.9, "epsilon": 1e-6},
    "rmsprop": {"name": "rmsprop", "rho": 0.9},
    "rmsprop_centered": {"name": "rmsprop", "rho": 0.9, "centered": True},
    "rmsprop_momentum": {"name": "rmsprop", "rho": 0.9, "momentum": 0.9},
    "adam": {"name": "adam"},
    "adam_amsgrad": {"name": "amsgrad"},
    "adamax": {"name": "adamax"},
    "nadam": {"name": "nadam"},
    "adamw": {"name": "adamw", "weight_decay": 0.1},
}


def bound(optimizer, theta, grad, **slots):
    """The updater, with zero slots by default."""
    zeros = {name: np.zeros_like(theta) for name in optimizer.slots}
    return Updater(optimizer, theta, grad, zeros | slots)


def run(optimizer, theta, gradients, lr):
    """The weights after each of the updates."""
    grad, path = np.zeros_like(theta), []
    update = bound(optimizer, theta, grad)
    for t, gradient in enumerate(gradients, start=1):
        grad[...] = gradient
        update(lr, t)
        path.append(theta.copy())
    return path


@pytest.mark.parametrize("flavor", ["keras", "torch"])
@pytest.mark.parametrize("name", SAME)
def test_goldens(name, flavor):
    optimizer = Optimizer.parse({**SAME[name], "flavor": flavor})
    arguments = GOLDENS[flavor][name]["args"]
    path = run(
        optimizer,
        np.array(GOLDENS["w0"]),
        GOLDENS["grads"],
        arguments["lr" if flavor == "torch" else "learning_rate"],
    )
    keras = flavor == "keras"
    golden = GOLDENS["keras_formula_float64"][name] if keras else GOLDENS["torch"][name]["w"]
    # PyTorch keeps nadam's product in float32
    tolerance = 1e-9 if (name, flavor) == ("nadam", "torch") else 1e-12
    np.testing.assert_allclose(path, golden, rtol=tolerance, atol=tolerance)


# keras/src/optimizers/*_test.py, test_single_step
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgd", [0.5, -1, -0.5, 3]),
        ("adam", [0.5, 1.5, 2.5, 3.5]),
        ("nadam", [0.4686, 1.4686, 2.4686, 3.4686]),
        ("rmsprop", [-0.5811, 0.4189, 1.4189, 2.4189]),
        ("adagrad", [0.5233, 1.5007, 2.5005, 3.5061]),
        ("adadelta", [0.9993, 1.9993, 2.9993, 3.9993]),
    ],
)
def test_keras_single_step(name, expected):
    (after,) = run(Optimizer.parse(name), np.array([1.0, 2, 3, 4]), [[1, 6, 7, 2]], 0.5)
    np.testing.assert_allclose(after, expected, atol=1e-4)


# cs231n 2024, assignment 2, FullyConnectedNets.ipynb: row 0 of the next weights, from slots
# that stand between the two numbers
@pytest.mark.parametrize(
    ("config", "slots", "lr", "t", "expected"),
    [
        ({"name": "momentum"}, {"velocity": (0.6, 0.9)}, 1e-3, 1,
         [0.1406, 0.20738947, 0.27417895, 0.34096842, 0.40775789]),
        ({"name": "rmsprop", "flavor": "torch"}, {"square": (0.6, 0.9)}, 1e-2, 1,
         [-0.39223849, -0.34037513, -0.28849239, -0.23659121, -0.18467247]),
        # Adam keeps its averages over 1 - beta
        ({"name": "adam", "flavor": "torch"}, {"gradients": (6.0, 9.0), "squares": (700.0, 500.0)}, 1e-2, 6,
         [-0.40094747, -0.34836187, -0.29577703, -0.24319299, -0.19060977]),
    ],
)  # fmt: skip
def test_cs231n(config, slots, lr, t, expected):
    theta, grad = np.linspace(-0.4, 0.6, 20), np.linspace(-0.6, 0.4, 20)
    slots = {name: np.linspace(*ends, 20) for name, ends in slots.items()}
    bound(Optimizer.parse(config), theta, grad, **slots)(lr, t)
    np.testing.assert_allclose(theta[:5], expected, atol=5e-9)


def test_momentum_on_the_quadratic_takes_the_predicted_steps():
    # anchors/learners.md section 13: ½(x² + 25y²) from (10, 1) to |p| < 1e-6
    curvature = np.array([1.0, 25.0])

    def steps(optimizer, lr):
        theta, grad = np.array([10.0, 1.0]), np.zeros(2)
        update = bound(optimizer, theta, grad)
        for t in range(1, 1000):
            grad[:] = curvature * theta
            update(lr, t)
            if np.linalg.norm(theta) < 1e-6:
                return t
        return None

    assert steps(Sgd(), 2 / 26) == 202
    assert steps(Sgd(), 0.079) == 546
    assert steps(Sgd(), 0.08) is None
    assert steps(Momentum(momentum=0.4444), 0.11) == 49


def test_the_flavors_of_momentum_part_when_the_learning_rate_falls():
    # anchors/learners.md 8.1: ten steps on g = w, lr 0.1, from step 6 on 0.01
    def end(flavor):
        theta = np.ones(1)
        update = bound(Momentum(flavor=flavor), theta, theta)
        for t in range(1, 11):
            update(0.1 if t < 6 else 0.01, t)
        return theta[0]

    assert end("keras") == pytest.approx(-0.92965, abs=1e-5)
    assert end("torch") == pytest.approx(-0.11584, abs=1e-5)


@given(t=st.integers(1, 3000), decay=st.sampled_from([1.0, 0.004, 0.3]))
def test_nadams_product_has_a_closed_form(t, decay):
    product = prod(1 - 0.5 * 0.96 ** (i * decay) for i in range(1, t + 1))
    assert damping(t, decay) == pytest.approx(product, rel=1e-12, abs=1e-300)


def test_lbfgs_solves_a_quadratic_in_a_few_steps_where_gradient_descent_does_not():
    curvature = np.geomspace(1, 1000, 6)
    theta, grad = np.ones(6), np.zeros(6)
    update = bound(Optimizer.parse("lbfgs"), theta, grad)
    for t in range(1, 41):
        grad[:] = curvature * theta
        update(1.0, t)
    assert np.abs(theta).max() < 1e-8


def test_lbfgs_forgets_no_pair_when_a_move_shows_no_curvature():
    optimizer = Optimizer.parse({"lbfgs": 2})
    theta, grad = np.array([1.0, 1.0]), np.zeros(2)
    slots = {name: np.zeros(2) for name in optimizer.slots}
    update = Updater(optimizer, theta, grad, slots)
    for t in range(1, 4):
        grad[:] = [1, 10] * theta
        update(1.0, t)
    pairs = {name: slots[name].copy() for name in slots if name[-1].isdigit()}
    update(1.0, 4)  # the same gradient again: y = 0
    for name, pair in pairs.items():
        np.testing.assert_array_equal(slots[name], pair)


def test_a_flavor_brings_its_own_defaults():
    keras, torch = (Optimizer.parse({"name": "nadam", "flavor": f}) for f in ("keras", "torch"))
    assert (keras.epsilon, keras.momentum_decay, keras.default_learning_rate) == (1e-7, 1, 0.001)
    assert (torch.epsilon, torch.momentum_decay, torch.default_learning_rate) == (1e-8, 4e-3, 2e-3)
    given = Optimizer.parse({"name": "nadam", "flavor": "torch", "epsilon": 1e-3})
    assert given.epsilon == 1e-3
    assert Optimizer.parse({"adam": 0.8}).beta_1 == 0.8
    assert Optimizer.parse({"sgd": "torch"}).flavor == "torch"


@pytest.mark.parametrize(
    "config",
    [
        {"name": "adam", "beta_1": 1.0},
        {"name": "adam", "epsilon": 0.0},
        {"name": "sgd", "weight_decay": -0.1},
        {"name": "sgd", "l1": -1.0},
        {"name": "sgd", "flavor": "jax"},
        {"name": "nadam", "momentum_decay": 0.0},
        {"name": "lbfgs", "history": 0},
        {"name": "rmsprop", "momentum": 1.0},
    ],
)
def test_ranges(config):
    with pytest.raises(ValidationError):
        Optimizer.parse(config)


@every_member
def test_its_description_is_its_config(optimizer):
    assert Optimizer.parse(optimizer.describe()) == optimizer


@every_member
def test_it_descends_a_quadratic(optimizer):
    theta, grad = np.array([3.0, -2.0]), np.zeros(2)
    update = bound(optimizer, theta, grad)
    lr = {"adagrad": 0.3, "adadelta": 2.0, "lbfgs": 1.0}.get(optimizer.name, 0.01)
    for t in range(1, 2001):
        grad[:] = 2 * theta
        update(lr, t)
    assert np.abs(theta).max() < 0.05


@every_member
def test_it_works_in_place_and_keeps_float32(optimizer):
    start = np.linspace(-1, 1, 6, dtype=np.float32)
    theta, grad = start.copy(), np.ones(6, np.float32)
    slots = {name: np.zeros_like(theta) for name in optimizer.slots}
    update = Updater(optimizer, theta, grad, slots)
    for t in range(1, 4):
        update(0.1, t)
    assert (theta != start).all()
    np.testing.assert_array_equal(grad, 1)
    assert all(slot.dtype == np.float32 and np.isfinite(slot).all() for slot in slots.values())


@every_member
def test_a_zero_gradient_moves_nothing_and_makes_no_nan(optimizer):
    theta = np.zeros(4)  # where no weight decay pulls
    for after in run(optimizer, theta, [np.zeros(4)] * 3, 0.1):
        np.testing.assert_array_equal(after, np.zeros(4))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_member
def test_a_population_is_its_members_bit_for_bit(optimizer, dtype):
    rng = np.random.default_rng(0)
    theta, gradients = rng.standard_normal((3, 50)), rng.standard_normal((6, 3, 50))
    theta, gradients = theta.astype(dtype), gradients.astype(dtype)
    rates = np.array([[0.1], [0.01], [0.5]])
    alone = [run(optimizer, theta[p].copy(), gradients[:, p], rates[p, 0])[-1] for p in range(3)]
    together = run(optimizer, theta.copy(), gradients, rates)[-1]
    np.testing.assert_array_equal(together, alone)


@every_member
def test_the_largest_stable_rate_parts_the_rates_that_converge(optimizer):
    """On ½ λ θ² it converges a thousandth below the limit and not a thousandth above."""
    curvature = 13.0
    limit = optimizer.stable_rate(curvature)
    assert (limit is not None) == bool(optimizer.limit)
    assert optimizer.stable_rate(-1.0) is None
    if limit is None or optimizer.second_order:
        return
    for share, converges in ((0.999, True), (1.001, False)):
        theta, gradient = np.ones(1), np.empty(1)
        update = bound(optimizer, theta, gradient)
        for t in range(1, 20_001):
            gradient[:] = curvature * theta
            update(share * limit, t)
            if abs(theta[0]) > 1e6:
                break
        assert (abs(theta[0]) < 1e-6) == converges


def test_newton_s_largest_stable_rate():
    """Its step on ½ λ θ² covers rate · λ / (λ + damping) of the distance."""
    newton = Optimizer.members["newton"]
    assert newton().stable_rate(13.0) == 2
    assert newton(damping=6.5).stable_rate(13.0) * 13 / (13 + 6.5) == pytest.approx(2)
