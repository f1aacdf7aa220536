"""Least squares by gradient descent, below and above the largest stable rate.

Numbers: anchors/learners.md, section 13: scikit-learn's diabetes, all 442 rows standardized.
"""

from pathlib import Path

import numpy as np
import pytest

import backproplab as bpl
from backproplab.experiment import build

CONFIG = Path(__file__).parent.parent / "configs" / "diabetes_ols.yaml"
LARGEST = 8.04842  # eigenvalue of the Hessian of the mean squared error
MSE = 2859.69634758675


def rates_until(tmp_path, rate, epochs):
    made = bpl.load(CONFIG, f"learning_rate={rate}", f"epochs={epochs}", "tensorboard=off")
    return bpl.run(made, tmp_path / str(rate)).metrics["loss"]


def test_the_curvature_limits_the_rate():
    inputs = build(bpl.load(CONFIG)).splits.train.inputs
    x = np.column_stack([inputs, np.ones(len(inputs))])
    largest = np.linalg.eigvalsh(2 * x.T @ x / len(x))[-1]
    assert largest == pytest.approx(LARGEST, abs=5e-6)
    assert 0.24 < 2 / largest < 0.26


@pytest.mark.slow
def test_it_ends_at_least_squares_below_the_limit(tmp_path):
    ended = bpl.run(bpl.load(CONFIG, "tensorboard=off"), tmp_path / "run")
    assert ended.metrics["loss"] == pytest.approx(MSE, rel=1e-6)
    assert ended.metrics["r2"] == pytest.approx(0.5177484222203499, rel=1e-6)


@pytest.mark.slow
def test_it_grows_without_end_above_the_limit(tmp_path):
    first, last = (rates_until(tmp_path, rate, 200) for rate in (0.24, 0.26))
    assert first < 3100
    assert last > 1e6 * 29_000  # the loss before training


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.98, 1.02])
def test_the_observed_limit_is_the_predicted_one_within_2_percent(tmp_path, factor):
    early, late = (rates_until(tmp_path / str(n), factor * 2 / LARGEST, n) for n in (200, 400))
    assert (late > 100 * early) is (factor > 1)
