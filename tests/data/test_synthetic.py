"""Drawn sets against their formulas."""

import numpy as np
import pytest
from pydantic import ValidationError

from backproplab.data import Dataset
from backproplab.streams import stream


def read(name: str, seed: int = 0, **fields):
    examples = Dataset.members[name](**fields).read(stream(seed, "data")).examples
    return examples.inputs, examples.targets


@pytest.mark.parametrize("samples", [2, 7, 500])
def test_moons_are_scikit_learns(samples) -> None:
    from sklearn.datasets import make_moons

    points, labels = read("moons", samples=samples, noise=0.0)
    expected, expected_labels = make_moons(samples, shuffle=False)
    np.testing.assert_allclose(points, expected, atol=1e-15)
    assert np.array_equal(labels, expected_labels)


def test_noise_on_moons_is_normal() -> None:
    clean, noisy = (read("moons", samples=20_000, noise=noise)[0] for noise in (0.0, 0.3))
    deviations = noisy - clean
    assert deviations.mean() == pytest.approx(0, abs=0.01)
    assert deviations.std() == pytest.approx(0.3, rel=0.02)


def test_sine_is_the_sine_between_its_bounds() -> None:
    x, y = read("sine", low=-1.0, high=2.0)
    assert np.array_equal(y, np.sin(x))
    assert x.shape == y.shape == (500, 1)
    assert -1 <= x.min() < -0.9 < 1.9 < x.max() < 2


def test_linear_is_the_notebooks_line() -> None:
    x, y = read("linear")
    assert x.shape == (100, 1)
    assert 0 <= x.min() < x.max() < 1
    np.testing.assert_allclose(np.polyfit(x[:, 0], y[:, 0], 1), [0.1, 0.3], rtol=1e-12)


def test_a_cubic_spiral_is_the_flow_of_its_field() -> None:
    """Against SciPy's DOP853, and y(1.5) and y(25) of anchors/learners.md 5a."""
    from scipy.integrate import solve_ivp

    x, y = read("cubic_spiral", samples=51, interval=1.5)
    np.testing.assert_allclose(y[0], [1.2919915630840135, 0.9725860740878126], atol=1e-8)
    np.testing.assert_allclose(x[-1], [-0.4436236, 0.2794406], atol=1e-6)
    field = lambda t, y: y**3 @ np.array([[-0.1, 2.0], [-2.0, -0.1]])
    exact = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-12}
    theirs = solve_ivp(field, (0, 26.5), [2, 0], **exact, dense_output=True).sol
    np.testing.assert_allclose(x, theirs(np.linspace(0, 25, 51)).T, atol=1e-7)
    np.testing.assert_allclose(y, theirs(np.linspace(1.5, 26.5, 51)).T, atol=1e-7)


@pytest.mark.parametrize("name", ["sine", "linear"])
def test_noise_on_curves_is_normal_and_moves_targets_only(name) -> None:
    x, y = read(name, samples=20_000)
    same, noisy = read(name, samples=20_000, noise=0.5)
    assert np.array_equal(x, same)
    assert (noisy - y).std() == pytest.approx(0.5, rel=0.02)


@pytest.mark.parametrize(
    ("name", "fields", "fault"),
    [
        ("sine", {"low": 2.0, "high": 2.0}, "must be above low"),
        ("sine", {"low": -1e7}, "greater than or equal to"),
        ("linear", {"noise": -0.1}, "greater than or equal to 0"),
        ("moons", {"samples": 10**8}, "less than or equal to"),
    ],
)
def test_what_is_refused(name, fields, fault) -> None:
    with pytest.raises(ValidationError, match=fault):
        Dataset.members[name](**fields)
