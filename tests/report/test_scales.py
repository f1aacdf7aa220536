"""Places and round numbers: closed forms, and the laws that figures rely on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.report.scales import SPAN, Scale

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("scale", "value", "place"),
    [
        (Scale(2, 4), 3, 0.5),
        (Scale(1e-4, 1, is_log=True), 1e-3, 0.25),
        (Scale(3, 3), 3, 0.5),
    ],
)
def test_places(scale, value, place):
    assert scale.fraction(value) == pytest.approx(place)


@pytest.mark.parametrize(
    ("scale", "texts"),
    [
        (Scale(0, 1), ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (Scale(1e-4, 1, is_log=True), ["0.0001", "0.001", "0.01", "0.1", "1"]),
        (Scale(0.01, 1, is_log=True), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]),
        (Scale(0.001, 1, is_log=True), ["0.001", "0.003", "0.01", "0.03", "0.1", "0.3", "1"]),
        (Scale(0.2, 0.4, is_log=True), ["0.2", "0.25", "0.3", "0.35", "0.4"]),
        (Scale(1e-30, 1, is_log=True), ["10⁻³⁰", "10⁻²⁵", "10⁻²⁰", "10⁻¹⁵", "10⁻¹⁰", "10⁻⁵", "1"]),
    ],
)
def test_ticks_are_round_and_within(scale, texts):
    assert [text for _, text in scale.ticks()] == texts
    assert all(0 <= place <= 1 + 1e-12 for place, _ in scale.ticks())


def test_a_metric_is_on_the_scale_but_what_is_far_out():
    assert Scale.of_metric([0.3, 0.4, 0.5, 0.6, 90.0], 1) == Scale(0.3, 0.6)
    assert Scale.of_metric([0.9, 0.8, 0.7, 0.6, -90.0], -1) == Scale(0.6, 0.9)
    assert Scale.of_metric([0.0001, 0.001, 0.01, 0.1], 1).is_log
    assert Scale.of_metric([-5.0, 0.6, 0.6, 0.7], 1).low == -5  # far out, but better


@given(NUMBERS, st.sampled_from([1, -1]))
def test_the_best_is_always_on_the_scale(means, sign):
    scale = Scale.of_metric(means, sign)
    best = min(means, key=lambda mean: sign * mean)
    assert best == (scale.low if sign > 0 else scale.high) or scale.is_log


# values, (low, high) of a logarithmic scale: the ends of those at most 1.5 decades, or the distance
# of the quartiles, beyond the quartiles
ENDS = {
    "a straight descent is shown whole": ([10.0**-n for n in range(41)], (1e-40, 1)),
    "more than 1.5 decades below the quartile": ([1e-30, *[0.1] * 9, 1.0], (0.1, 1)),
    "more than 1.5 decades above the quartile": ([0.1, *[1.0] * 9, 1e30], (0.1, 1)),
    "within them all is shown": ([0.004, *[0.1] * 9, 2.0], (0.004, 2)),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_few_tiny_values_do_not_stretch_a_logarithmic_scale(case):
    values, ends = ENDS[case]
    scale = Scale.of(np.array(values))
    assert scale.is_log
    assert (scale.low, scale.high) == pytest.approx(ends, rel=1e-12)


@given(st.lists(st.floats(1e-200, 1e200), min_size=2, max_size=40))
def test_half_of_the_values_are_always_on_a_scale(values):
    scale = Scale.of(np.array(values))
    assert min(values) <= scale.low <= scale.high <= max(values)
    assert 2 * sum(scale.low <= value <= scale.high for value in values) >= len(values)
    assert scale.is_log == (max(values) / min(values) > SPAN)
    assert scale.is_log or (scale.low, scale.high) == (min(values), max(values))


def test_a_trial_of_almost_no_loss_is_beyond_the_end():
    scale = Scale.of_metric([1e-22, *[0.1] * 9, 0.5], 1)
    assert (scale.low, scale.high, scale.is_log) == (0.1, 0.5, True)
    assert scale.fraction(1e-22) < 0


def test_below_a_logarithmic_scale_there_is_room_for_zero_and_less():
    """R² of most trials just below 1, of others far below 0."""
    means = [*np.linspace(0.02, 0.97, 12), -13.0, -56.0]
    scale = Scale.of_metric(means, -1)
    assert scale.is_log
    assert scale.fraction(-13.0) < 0
    assert scale.fraction(0.0) < 0
