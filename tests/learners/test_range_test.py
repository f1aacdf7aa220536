"""The range test on a quadratic, where theory says at which rate it blows up; and its figure."""

import subprocess
import sys
from itertools import repeat
from types import SimpleNamespace
from xml.etree import ElementTree

import numpy as np
import pytest

from backproplab.config import Experiment
from backproplab.errors import DivergedError
from backproplab.experiment import build, find_learning_rate, run
from backproplab.experiment.rates import FoundRates, raced
from backproplab.learners.race import LOOKS
from backproplab.learners.range_test import APART, BLOW_UP, SMOOTHING, RangeTest, growing
from backproplab.report.range_figure import FORMS, SIGNATURE, range_figure

SPLIT = SimpleNamespace(inputs=np.zeros(1), encoded=np.zeros(1))


class Quadratic:
    """½ k θ² from θ = 1: gradient descent shrinks it for rates below 2 / k and grows it above.

    A descent whose one example has this loss.
    """

    material = SimpleNamespace(train=SPLIT, dtype=np.float64)
    network = SimpleNamespace(output_shape=())

    def __init__(self, k, start=1.0):
        self.k, self.theta, self.followed, self.updates = k, start, [], self

    def loss(self, outputs, encoded):
        return outputs

    def fill(self, inputs, targets, rows, brake, outputs):
        outputs[...] = 0.5 * self.k * self.theta**2
        self.gradient = self.k * self.theta

    def follow(self, rate, t):
        self.followed.append((t, rate))
        self.theta -= rate * self.gradient


def curve_of(descent, smallest, largest, steps):
    rates = np.geomspace(smallest, largest, steps)
    return RangeTest.of(rates, [growing(descent, repeat(None), rates)])


def bowl(f, seeds=1, blown_up=False):
    """A curve over six decades without noise: f of log10 rate."""
    rates = np.geomspace(1e-6, 1, 100)
    losses = np.array([[f(x) for x in np.log10(rates)]] * seeds)
    return RangeTest(rates, losses, losses, blown_up)


@pytest.mark.parametrize("k", [0.5, 4.0, 100.0])
def test_it_blows_up_above_two_over_the_curvature(k):
    learner = Quadratic(k)
    test = curve_of(learner, 1.3e-4 / k, 100 / k, 400)
    least = np.argmin(test.losses[0])
    assert len(test.rates) < 400
    # the loss of a batch is due to the rate before it
    assert test.rates[least - 1] <= 2 / k <= test.rates[least + 1]
    assert 2 / k <= test.stable <= test.rates[-1]  # the average rises with a delay


def test_the_points_are_those_of_the_updates_evenly_spaced_in_log():
    learner = Quadratic(1.0)
    test = curve_of(learner, 1e-5, 1e-1, 50)
    np.testing.assert_array_equal(test.rates, np.geomspace(1e-5, 1e-1, 50))
    assert learner.followed == list(enumerate(test.rates.tolist(), start=1))
    thetas = np.cumprod([1.0, *(1 - test.rates[:-1])])
    np.testing.assert_allclose(test.losses[0], 0.5 * thetas**2, rtol=1e-12)


def test_the_average_is_a_weighted_mean_of_the_losses_so_far():
    test = curve_of(Quadratic(1.0), 1e-3, 1.0, 40)
    weights = SMOOTHING ** np.arange(40.0)
    expected = [np.average(test.losses[0, : i + 1], weights=weights[i::-1]) for i in range(40)]
    np.testing.assert_allclose(test.smoothed[0], expected, rtol=1e-12)


def test_it_stops_at_four_times_the_best_and_learns_no_more():
    learner = Quadratic(1.0)
    test = curve_of(learner, 1.3e-2, 1e4, 400)
    assert test.median[-1] > BLOW_UP * test.median.min()
    assert (test.median[:-1] <= BLOW_UP * np.minimum.accumulate(test.median)[:-1]).all()
    assert len(learner.followed) == len(test.rates) - 1


def test_overflow_ends_it_and_stays_out_of_the_curve():
    test = curve_of(Quadratic(np.float64(1.0)), 1e-3, 1e300, 20)
    assert (1, len(test.rates)) == test.losses.shape == test.smoothed.shape
    assert len(test.rates) < 20
    for points in (test.rates, test.losses, test.smoothed):
        assert np.isfinite(points).all()


def test_a_first_loss_that_is_not_finite_is_an_error():
    with pytest.raises(DivergedError, match="before any update"):
        curve_of(Quadratic(1.0, start=np.inf), 1e-3, 1.0, 20)


def test_steepest_lowest_and_stable_of_a_curve_that_is_known():
    # a logistic fall to 0.1 is steepest at its middle; then a rise from 10^-1 on
    test = bowl(lambda x: 0.1 + 1 / (1 + np.exp(4 * (x + 3))) + max(x + 1, 0))
    assert np.log10(test.steepest) == pytest.approx(-3, abs=0.07)
    assert np.log10(test.lowest) == pytest.approx(-1, abs=0.07)
    assert np.log10(test.stable) == pytest.approx(-0.975, abs=0.07)  # 0.1 + 0.025


def test_the_median_of_the_seeds_counts():
    rates = np.geomspace(1e-3, 1.0, 4)
    runs = [[(1.0, 1.0)] * 4, [(3.0, 3.0)] * 4, [(2.0, 2.0)] * 2]
    test = RangeTest.of(rates, runs)
    np.testing.assert_array_equal(test.median, [2, 2, 3, 3])
    assert not test.blown_up
    ended = RangeTest.of(rates, [runs[0], runs[2], runs[2]])
    np.testing.assert_array_equal(ended.median, [2, 2])
    assert ended.blown_up


def test_candidates_are_half_a_decade_apart_from_the_largest_stable_rate_down():
    test = bowl(lambda x: 2 + max(x + 1, 0))
    assert test.candidates[0] == test.stable
    np.testing.assert_allclose(test.candidates[:-1] / test.candidates[1:], APART)
    short = RangeTest(test.rates[60:], test.losses[:, 60:], test.smoothed[:, 60:])
    assert short.stable == test.stable
    assert len(short.candidates) == 4
    assert (short.candidates >= short.rates[0]).all()


def test_while_the_loss_does_not_rise_the_largest_stable_rate_is_not_known():
    test = bowl(lambda x: 1 / (1 + np.exp(9 * (x + 1))))
    assert test.stable is None
    assert test.candidates[0] == test.rates[-1] < 10 * test.steepest
    early = bowl(lambda x: 1 / (1 + np.exp(9 * (x + 4))))
    assert early.candidates[0] == 10 * early.steepest
    cut = bowl(lambda x: 1 / (1 + np.exp(9 * (x + 1))), blown_up=True)  # the next was infinite
    assert cut.stable == cut.rates[-1]


@pytest.mark.parametrize(("k", "largest", "blown"), [(1.0, 1e4, True), (1.0, 1.5, False)])
def test_whether_it_blew_up(k, largest, blown):
    assert curve_of(Quadratic(k), 1e-2, largest, 200).blown_up == blown


@pytest.mark.parametrize("curve", [lambda x: x, lambda x: 1.0], ids=["rising", "flat"])
def test_nothing_is_steepest_where_nothing_falls(curve):
    assert bowl(curve).steepest is None


def found_in(test, means=(0.3, 0.2, 0.4), before=1.0):
    """Three trials with two seeds."""
    scores = np.array(means)[:, None] + np.array([[-0.1, 0.1]])
    return FoundRates(test, np.array([0.1, 0.03, 0.01]), scores, before, "validation", 400, (0.4,))


def test_the_least_mean_is_suggested_if_it_is_below_the_loss_before_training():
    test = bowl(lambda x: x)
    np.testing.assert_allclose(found_in(test).means, [0.3, 0.2, 0.4])
    assert found_in(test).suggested == 0.03
    assert found_in(test, (np.inf, np.inf, 0.4)).suggested == 0.01
    assert found_in(test, before=0.2).suggested is None


@pytest.fixture
def found():
    return found_in(curve_of(Quadratic(4.0), 1e-4, 10.0, 200))


@pytest.mark.parametrize("form", FORMS)
def test_a_figure_is_signed_and_the_same_each_time(found, form):
    first = range_figure(found, "a bowl", form)
    assert SIGNATURE in first
    assert first == range_figure(found, "a bowl", form)


def test_an_svg_is_well_formed_readable_and_themed(found):
    svg = range_figure(found, "a < bowl & $more$", "svg").decode()
    root = ElementTree.fromstring(svg)
    words = {"".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")}
    suggested = "suggested: 0.03"
    assert {"learning rate", "loss of the batch", "a < bowl & $more$", suggested} <= words
    assert "prefers-color-scheme: dark" in svg


def test_a_figure_can_be_drawn_of_a_curve_without_a_suggestion():
    for curve in (lambda x: x, lambda x: 1.0):
        assert SIGNATURE in range_figure(found_in(bowl(curve, 3), before=0), "flat", "svg")


def test_matplotlib_is_loaded_when_a_figure_is_drawn():
    program = "import sys, backproplab.report.range_figure; sys.exit('matplotlib' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


RACE = {
    "data": {"name": "circle", "samples": 60},
    "model": {"hidden": [4], "activation": "tanh"},
    "optimizer": "momentum",
    "batch_size": 7,
    "epochs": LOOKS,
    "threads": 1,
    "tensorboard": {"telemetry": False, "histograms": 0},
}


def test_a_trial_measures_what_a_run_with_its_rate_measures(tmp_path):
    """A run of ten epochs looks where a race of as many updates does."""
    parts = build(Experiment.model_validate(RACE | {"learning_rate": 0.5}))
    rates = np.array([1e4, 0.1, 0.01])
    found = raced(parts, rates, parts.updates, "validation")
    for rate, score in zip(rates[1:], found[1:], strict=True):
        own = parts.experiment.model_copy(update={"learning_rate": float(rate)})
        assert run(own, tmp_path / f"{rate}").best["val_loss"] == pytest.approx(score, rel=1e-12)
    alone = [raced(parts, rates[n : n + 1], parts.updates, "validation")[0] for n in range(3)]
    np.testing.assert_array_equal(found, alone)


SOURCES = {
    "backprop": {},
    "analytic": {"learner": {"name": "gradient_descent", "gradient": "analytic"}},
    "newton": {"batch_mode": "batch", "batch_size": None, "optimizer": "newton"},
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(change, id=name, marks=[pytest.mark.slow] if name == "newton" else [])
        for name, change in SOURCES.items()
    ],
)
def test_a_rate_is_found_for_every_source_of_gradients(change):
    parts = build(Experiment.model_validate(RACE | change))
    one, two = (find_learning_rate(parts, 1e-4, 1e3, 20, 2) for _ in range(2))
    assert one.suggested == two.suggested
    np.testing.assert_array_equal(one.scores, two.scores)
    assert one.scores.shape == (len(one.tried), 2)
    assert one.suggested in one.tried
    assert bool(one.limits) == bool(parts.experiment.optimizer.limit)
