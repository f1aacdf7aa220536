"""Optimizers: the goldens of Keras' formulas, and what holds for every member of the family."""

import json
from pathlib import Path

import numpy as np
import pytest

from backproplab.optim import Optimizer
from backproplab.optim.rules import BLOCK, Adam, Momentum, Nesterov, Sgd

# Keras 3.15.1's formulas in float64: tests/reference/README.md
GOLDENS = json.loads(Path(__file__).parent.parent.joinpath("reference/optimizers.json").read_text())
MEMBERS = [member() for member in Optimizer.members.values()]
NAMES = list(Optimizer.members)
SAME = {"sgd": Sgd(), "sgd_momentum": Momentum(), "sgd_nesterov": Nesterov(), "adam": Adam()}


def run(optimizer, theta, gradients, lr):
    """The weights after each of the updates."""
    slots = {name: np.zeros_like(theta) for name in optimizer.slots}
    path = []
    for t, gradient in enumerate(gradients, start=1):
        optimizer.step(theta, np.asarray(gradient, theta.dtype), lr, t, slots)
        path.append(theta.copy())
    return path


@pytest.mark.parametrize("name", SAME)
def test_keras_goldens(name):
    rate = GOLDENS["keras"][name]["args"]["learning_rate"]
    path = run(SAME[name], np.array(GOLDENS["w0"]), GOLDENS["grads"], rate)
    golden = GOLDENS["keras_formula_float64"][name]
    np.testing.assert_allclose(path, golden, rtol=1e-12, atol=1e-12)


# keras/src/optimizers/*_test.py, test_single_step: lr 0.5, w = [1 2 3 4], g = [1 6 7 2]
@pytest.mark.parametrize(
    ("optimizer", "expected"), [(Adam(), [0.5, 1.5, 2.5, 3.5]), (Sgd(), [0.5, -1, -0.5, 3])]
)
def test_keras_single_step(optimizer, expected):
    (after,) = run(optimizer, np.array([1.0, 2, 3, 4]), [[1, 6, 7, 2]], 0.5)
    np.testing.assert_allclose(after, expected, atol=1e-4)


def test_momentum_on_the_quadratic_takes_the_predicted_steps():
    # anchors/learners.md section 13: ½(x² + 25y²) from (10, 1) to |p| < 1e-6
    curvature = np.array([1.0, 25.0])

    def steps(optimizer, lr):
        theta, slots = np.array([10.0, 1.0]), {s: np.zeros(2) for s in optimizer.slots}
        for t in range(1, 1000):
            optimizer.step(theta, curvature * theta, lr, t, slots)
            if np.linalg.norm(theta) < 1e-6:
                return t
        return None

    assert steps(Sgd(), 2 / 26) == 202
    assert steps(Sgd(), 0.079) == 546
    assert steps(Sgd(), 0.08) is None
    assert steps(Momentum(momentum=0.4444), 0.11) == 49


@pytest.mark.parametrize("optimizer", MEMBERS, ids=NAMES)
def test_it_descends_a_quadratic(optimizer):
    theta = np.array([3.0, -2.0])
    slots = {name: np.zeros(2) for name in optimizer.slots}
    for t in range(1, 2001):
        optimizer.step(theta, 2 * theta, 0.01, t, slots)
    assert np.abs(theta).max() < 0.05


@pytest.mark.parametrize("optimizer", MEMBERS, ids=NAMES)
def test_it_works_in_place_and_keeps_float32(optimizer):
    theta = np.linspace(-1, 1, 5, dtype=np.float32)
    before = theta
    run(optimizer, theta, [np.ones(5)] * 3, 0.1)
    assert before is theta
    assert theta.dtype == np.float32
    assert (theta != np.linspace(-1, 1, 5, dtype=np.float32)).all()


@pytest.mark.parametrize("optimizer", MEMBERS, ids=NAMES)
def test_a_zero_gradient_moves_nothing_at_first_and_makes_no_nan(optimizer):
    theta = np.ones(4)
    run(optimizer, theta, [np.zeros(4)] * 3, 0.1)
    np.testing.assert_array_equal(theta, np.ones(4))


@pytest.mark.parametrize("optimizer", MEMBERS, ids=NAMES)
def test_blocks_change_no_bit(optimizer):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(2 * BLOCK + 7).astype(np.float32)
    gradients = rng.standard_normal((3, theta.size)).astype(np.float32)
    whole, slots = theta.copy(), {name: np.zeros_like(theta) for name in optimizer.slots}
    for t, gradient in enumerate(gradients, start=1):
        optimizer.update(whole, gradient, 0.1, t, **slots)
    np.testing.assert_array_equal(run(optimizer, theta, gradients, 0.1)[-1], whole)


@pytest.mark.parametrize("optimizer", MEMBERS, ids=NAMES)
def test_a_population_is_its_members_with_their_own_learning_rates(optimizer):
    rng = np.random.default_rng(0)
    theta, gradients = rng.standard_normal((3, 5)), rng.standard_normal((4, 3, 5))
    rates = np.array([[0.1], [0.01], [0.5]])
    alone = [run(optimizer, theta[p].copy(), gradients[:, p], rates[p, 0])[-1] for p in range(3)]
    together = run(optimizer, theta.copy(), gradients, rates)[-1]
    np.testing.assert_allclose(together, alone, rtol=1e-14)
