"""Initializers: exact bounds, variances, orthogonality."""

import numpy as np
import pytest

from backproplab.nn import Initializer
from backproplab.nn.initializers import Constant, Normal, Orthogonal, Uniform, fans

INSTANCES = {name: member() for name, member in Initializer.members.items()}
# name -> variance at fan_in 1000, fan_out 500, by the papers named in the docstrings
VARIANCE = {
    "zeros": 0, "ones": 0, "constant": 0, "normal": 0.05**2, "uniform": 0.05**2 / 3,
    "glorot_uniform": 2 / 1500, "glorot_normal": 2 / 1500,
    "he_uniform": 2 / 1000, "he_normal": 2 / 1000,
    "lecun_uniform": 1 / 1000, "lecun_normal": 1 / 1000, "fan_in_uniform": 1 / 3000,
    "orthogonal": 1 / 1000,
}  # fmt: skip


def draw(initializer, shape=(1000, 500), seed=0):
    return initializer.draw(np.random.default_rng(seed), shape)


@pytest.mark.parametrize("name", INSTANCES)
def test_mean_and_variance(name):
    w = draw(INSTANCES[name])
    assert w.shape == (1000, 500)
    assert w.var() == pytest.approx(VARIANCE[name], rel=0.02)
    assert abs(w.mean() - (name == "ones")) <= 0.01 * np.sqrt(VARIANCE[name])


@pytest.mark.parametrize("name", INSTANCES)
def test_same_seed_same_bits(name):
    np.testing.assert_array_equal(draw(INSTANCES[name]), draw(INSTANCES[name]))


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("glorot_uniform", np.sqrt(6 / 1500)),
        ("he_uniform", np.sqrt(6 / 1000)),
        ("lecun_uniform", np.sqrt(3 / 1000)),
    ],
)
def test_the_limit_of_a_uniform_is_kept_and_reached(name, limit):
    largest = np.abs(draw(INSTANCES[name])).max()
    assert 0.9999 * limit < largest <= limit


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
def test_orthogonal(shape):
    w = draw(Orthogonal(gain=2.0), shape)
    product = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(product, 4 * np.eye(min(shape)), atol=1e-13)


def test_settings_are_used():
    assert (draw(Constant(value=-8.0)) == -8).all()
    assert draw(Normal(stddev=3.0)).std() == pytest.approx(3, rel=0.01)
    assert np.abs(draw(Uniform(limit=2.0))).max() == pytest.approx(2, rel=0.01)


def test_fans_of_dense_and_convolution():
    assert fans((784, 128)) == (784, 128)
    assert fans((3, 3, 16, 32)) == (9 * 16, 9 * 32)
