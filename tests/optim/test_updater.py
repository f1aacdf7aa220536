"""Updater: blocks, regularization, no allocation."""

import tracemalloc

import numpy as np
import pytest

from backproplab.optim import Optimizer, Updater
from backproplab.optim.updater import BLOCK, SHORTEST

FAMILY = {
    f"{name} {flavor}": Optimizer.parse({"name": name, "flavor": flavor})
    for name in sorted(Optimizer.members)
    for flavor in ("keras", "torch")
}
every_member = pytest.mark.parametrize("optimizer", FAMILY.values(), ids=FAMILY)
REGULARIZED = {"l1": 0.01, "l2": 0.02, "weight_decay": 0.03}


def slots_of(optimizer, theta):
    return {name: np.zeros_like(theta) for name in optimizer.slots}


def after_one(config, theta, gradient, lr=0.1):
    theta = np.array(theta)
    optimizer = Optimizer.parse(config)
    Updater(optimizer, theta, np.array(gradient), slots_of(optimizer, theta))(lr, 1)
    return theta


@every_member
@pytest.mark.parametrize("shape", [(2 * BLOCK + 7,), (300, 2 * SHORTEST + 3)], ids=str)
def test_blocks_change_no_bit(optimizer, shape):
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(shape).astype(np.float32)
    whole, grad = theta.copy(), np.empty_like(theta)
    slots, whole_slots = slots_of(optimizer, theta), slots_of(optimizer, theta)
    work = tuple(np.empty_like(theta) for _ in range(optimizer.scratch))
    update = Updater(optimizer.model_copy(update={"weight_decay": 0.0}), theta, grad, slots)
    assert len(update.blocks) == (3 if optimizer.blockwise else 1)
    for t in range(1, 4):
        grad[...] = rng.standard_normal(shape)
        update(0.1, t)
        optimizer.update(whole, grad, np.float32(0.1), t, work, **whole_slots)
    np.testing.assert_array_equal(theta, whole)


@every_member
@pytest.mark.parametrize("fields", [{}, REGULARIZED], ids=["plain", "regularized"])
def test_no_array_is_allocated(optimizer, fields):
    theta = np.random.default_rng(0).standard_normal(100_000).astype(np.float32)
    update = Updater(
        optimizer.model_copy(update=fields), theta, theta[::-1].copy(), slots_of(optimizer, theta)
    )
    for t in range(1, 13):  # L-BFGS remembers ten steps
        update(1e-3, t)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    update(1e-3, 13)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < (4000 if optimizer.blockwise else 8000)  # its two numbers a pair


@every_member
def test_the_gradient_is_never_written(optimizer):
    theta, grad = np.linspace(-1, 1, 9), np.linspace(1, 2, 9)
    update = Updater(
        optimizer.model_copy(update=REGULARIZED), theta, grad, slots_of(optimizer, theta)
    )
    grad.flags.writeable = False
    for t in range(1, 4):
        update(0.1, t)


@pytest.mark.parametrize("flavor", ["keras", "torch"])
def test_l1_and_l2_add_the_slope_of_their_penalties(flavor):
    theta, gradient = np.array([2.0, -3.0, 0.0]), np.array([0.5, 0.25, 0.125])
    config = {"name": "sgd", "flavor": flavor, "l1": 0.1, "l2": 0.2}
    slope = gradient + 0.1 * np.sign(theta) + 2 * 0.2 * theta
    np.testing.assert_allclose(after_one(config, theta, gradient), theta - 0.1 * slope, rtol=1e-15)


@every_member
def test_l1_and_l2_are_a_gradient_with_their_slope(optimizer):
    theta, gradient = np.array([2.0, -3.0, 0.0]), np.array([0.5, 0.25, 0.125])
    slope = gradient + 0.1 * np.sign(theta) + 2 * 0.2 * theta
    config = optimizer.describe()
    ours = after_one({**config, "l1": 0.1, "l2": 0.2}, theta, gradient)
    np.testing.assert_allclose(ours, after_one(config, theta, slope), rtol=1e-12)


@every_member
def test_weight_decay_shrinks_the_weights_or_joins_the_gradient(optimizer):
    theta, gradient = np.array([2.0, -3.0, 0.5]), np.array([0.5, 0.25, 0.125])
    bare = {**optimizer.describe(), "weight_decay": 0.0}
    ours = after_one({**bare, "weight_decay": 0.3}, theta, gradient)
    if optimizer.decoupled:
        expected = after_one(bare, theta * (1 - 0.1 * 0.3), gradient)
    else:
        expected = after_one(bare, theta, gradient + 0.3 * theta)
    np.testing.assert_allclose(ours, expected, rtol=1e-12)


def test_where_weight_decay_is_decoupled():
    decoupled = {name for name, optimizer in FAMILY.items() if optimizer.decoupled}
    keras = {name for name in FAMILY if name.endswith("keras")} - {"lbfgs keras", "newton keras"}
    assert decoupled == keras | {"adamw torch", "lion torch"}


def test_decay_takes_the_weights_before_the_step_and_l2_the_weights_before_the_decay():
    config = {"name": "sgd", "l2": 0.5, "weight_decay": 1.0}
    assert after_one(config, [4.0], [0.0], lr=0.25) == pytest.approx(4 - 0.25 * 4 - 0.25 * 4)


def test_a_network_without_weights_is_updated_too():
    empty = np.zeros(0, np.float32)
    Updater(Optimizer.parse("adam"), empty, empty, {"gradients": empty, "squares": empty})(0.1, 1)
