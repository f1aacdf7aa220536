"""The range test on a quadratic, where theory says at which rate it blows up; and its figure."""

import subprocess
import sys
from itertools import repeat
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from backproplab.errors import DivergedError
from backproplab.learners.backprop import BackpropSource
from backproplab.learners.range_test import BLOW_UP, SMOOTHING, RangeTest, range_test
from backproplab.report.range_figure import FORMS, SIGNATURE, range_figure

NOTHING = repeat((np.zeros(0), np.zeros(0)))


class Quadratic(BackpropSource):
    """½ k θ² from θ = 1: gradient descent shrinks it for rates below 2 / k and grows it above."""

    def __init__(self, k, start=1.0):
        self.k, self.theta, self.gradient, self.updates = k, start, 0.0, []

    def loss(self, inputs, targets):
        return 0.5 * self.k * self.theta**2

    def __call__(self, inputs, targets, rows=None, brake=None):
        self.gradient = self.k * self.theta
        return True

    def descend(self, rate, t):
        self.updates.append((t, rate))
        self.theta -= rate * self.gradient


def curve_of(learner, *limits):
    updates = SimpleNamespace(source=learner, updater=learner.descend)
    return range_test(SimpleNamespace(updates=updates), NOTHING, *limits)


def bowl(f):
    """A curve over six decades without noise: f of log10 rate."""
    rates = np.geomspace(1e-6, 1, 100)
    losses = np.array([f(x) for x in np.log10(rates)])
    return RangeTest(rates, losses, losses)


@pytest.mark.parametrize("k", [0.5, 4.0, 100.0])
def test_it_blows_up_above_two_over_the_curvature(k):
    learner = Quadratic(k)
    test = curve_of(learner, 1.3e-4 / k, 100 / k, 400)
    least = np.argmin(test.losses)
    assert len(test.rates) < 400
    # the loss of a batch is due to the rate before it
    assert test.rates[least - 1] <= 2 / k <= test.rates[least + 1]
    assert 0 < test.suggested < 2 / k


def test_the_points_are_those_of_the_updates_evenly_spaced_in_log():
    learner = Quadratic(1.0)
    test = curve_of(learner, 1e-5, 1e-1, 50)
    np.testing.assert_array_equal(test.rates, np.geomspace(1e-5, 1e-1, 50))
    assert learner.updates == list(enumerate(test.rates.tolist(), start=1))
    thetas = np.cumprod([1.0, *(1 - test.rates[:-1])])
    np.testing.assert_allclose(test.losses, 0.5 * thetas**2, rtol=1e-12)


def test_the_average_is_a_weighted_mean_of_the_losses_so_far():
    test = curve_of(Quadratic(1.0), 1e-3, 1.0, 40)
    weights = SMOOTHING ** np.arange(40.0)
    expected = [np.average(test.losses[: i + 1], weights=weights[i::-1]) for i in range(40)]
    np.testing.assert_allclose(test.smoothed, expected, rtol=1e-12)


def test_it_stops_at_four_times_the_best_and_learns_no_more():
    learner = Quadratic(1.0)
    test = curve_of(learner, 1.3e-2, 1e4, 400)
    assert test.smoothed[-1] > BLOW_UP * test.smoothed.min()
    assert (test.smoothed[:-1] <= BLOW_UP * np.minimum.accumulate(test.smoothed)[:-1]).all()
    assert len(learner.updates) == len(test.rates) - 1


def test_overflow_ends_it_and_stays_out_of_the_curve():
    test = curve_of(Quadratic(np.float64(1.0)), 1e-3, 1e300, 20)
    assert len(test.rates) == len(test.losses) == len(test.smoothed) < 20
    for points in (test.rates, test.losses, test.smoothed):
        assert np.isfinite(points).all()


def test_a_first_loss_that_is_not_finite_is_an_error():
    with pytest.raises(DivergedError, match="before any update"):
        curve_of(Quadratic(1.0, start=np.inf), 1e-3, 1.0, 20)


def test_steepest_and_lowest_of_a_curve_that_is_known():
    # a logistic fall is steepest at its middle; then a rise from 10^-1 on
    test = bowl(lambda x: 1 / (1 + np.exp(4 * (x + 3))) + max(x + 1, 0))
    assert np.log10(test.steepest) == pytest.approx(-3, abs=0.07)
    assert np.log10(test.lowest) == pytest.approx(-1, abs=0.07)
    assert test.suggested == test.steepest


def test_the_smaller_of_the_two_is_suggested():
    test = bowl(lambda x: 1 / (1 + np.exp(9 * (x + 1))) + 3 * max(x + 0.5, 0))
    assert test.suggested == test.lowest / 10 < test.steepest


def test_while_the_loss_still_falls_its_least_is_not_known():
    test = bowl(lambda x: 1 / (1 + np.exp(9 * (x + 1))))
    assert test.still_falling
    assert test.suggested == test.steepest > test.lowest / 10
    cut = RangeTest(test.rates, test.losses, test.smoothed, blown_up=True)  # the next was infinite
    assert not cut.still_falling
    assert cut.suggested == cut.lowest / 10


def test_no_rate_below_the_first_is_suggested():
    rates = np.geomspace(0.05, 1, 100)
    losses = 1 - np.exp(-((np.log10(rates) + 0.9) ** 2) * 20)
    test = RangeTest(rates, losses, losses)
    assert test.lowest / 10 < 0.05
    assert test.suggested == 0.05


@pytest.mark.parametrize(("k", "largest", "blown"), [(1.0, 1e4, True), (1.0, 1.5, False)])
def test_whether_it_blew_up(k, largest, blown):
    assert curve_of(Quadratic(k), 1e-2, largest, 200).blown_up == blown


@pytest.mark.parametrize("curve", [lambda x: x, lambda x: 1.0], ids=["rising", "flat"])
def test_nothing_is_suggested_where_nothing_falls(curve):
    test = bowl(curve)
    assert test.steepest is None
    assert test.suggested is None


@pytest.fixture
def test_of_a_bowl():
    return curve_of(Quadratic(4.0), 1e-4, 10.0, 200)


@pytest.mark.parametrize("form", FORMS)
def test_a_figure_is_signed_and_the_same_each_time(test_of_a_bowl, form):
    first = range_figure(test_of_a_bowl, "a bowl", form)
    assert SIGNATURE in first
    assert first == range_figure(test_of_a_bowl, "a bowl", form)


def test_an_svg_is_well_formed_readable_and_themed(test_of_a_bowl):
    svg = range_figure(test_of_a_bowl, "a < bowl & $more$", "svg").decode()
    root = ElementTree.fromstring(svg)
    words = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    suggested = f"suggested: {test_of_a_bowl.suggested:.2g}"
    assert {"learning rate", "loss of the batch", "a < bowl & $more$", suggested} <= words
    assert "prefers-color-scheme: dark" in svg


def test_a_figure_can_be_drawn_of_a_curve_without_a_suggestion():
    for curve in (lambda x: x, lambda x: 1.0):
        assert SIGNATURE in range_figure(bowl(curve), "flat", "svg")


def test_matplotlib_is_loaded_when_a_figure_is_drawn():
    program = "import sys, backproplab.report.range_figure; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)
