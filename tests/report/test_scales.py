"""Places and shades: closed forms, and the laws that figures rely on."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.report.scales import Scale, Shades
from backproplab.report.theme import SHADES

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=40)


@pytest.mark.parametrize(
    ("scale", "value", "place"),
    [
        (Scale(2, 4), 3, 0.5),
        (Scale(2, 4, falls=True), 2, 1),
        (Scale(1e-4, 1, is_log=True), 1e-3, 0.25),
        (Scale(1e-4, 1, is_log=True, falls=True), 1e-3, 0.75),
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
        (Scale(0.01, 1, is_log=True), ["0.01", "0.03", "0.1", "0.3", "1"]),
        (Scale(0.2, 0.4, is_log=True), ["0.2", "0.24", "0.28", "0.32", "0.36", "0.4"]),
    ],
)
def test_ticks_are_round_and_within(scale, texts):
    assert [text for _, text in scale.ticks()] == texts
    assert all(0 <= place <= 1 + 1e-12 for place, _ in scale.ticks())


def test_a_metric_is_on_the_scale_but_what_is_far_out():
    assert Scale.of_metric([0.3, 0.4, 0.5, 0.6, 90.0], 1) == Scale(0.3, 0.6, falls=True)
    assert Scale.of_metric([0.9, 0.8, 0.7, 0.6, -90.0], -1) == Scale(0.6, 0.9)
    assert Scale.of_metric([0.0001, 0.001, 0.01, 0.1], 1).is_log
    assert Scale.of_metric([-5.0, 0.6, 0.6, 0.7], 1).low == -5  # far out, but better


def test_shades_are_of_as_many_trials_and_the_last_is_the_best():
    colors = [light for light, _ in SHADES]
    means = [float(mean) for mean in range(4 * len(SHADES))]
    for sign in (1, -1):
        shades = Shades.of(means, sign)
        found = [shades.color(mean) for mean in means]
        assert found[::sign] == [color for color in colors[::-1] for _ in range(4)]


@given(NUMBERS, st.sampled_from([1, -1]))
def test_a_better_trial_is_never_paler(means, sign):
    shades, colors = Shades.of(means, sign), [light for light, _ in SHADES]
    order = sorted(means, key=lambda mean: sign * mean)
    places = [colors.index(shades.color(mean)) for mean in order]
    assert places == sorted(places, reverse=True)
    assert np.all(np.diff(-sign * shades.edges) >= 0)


@given(NUMBERS, st.sampled_from([1, -1]))
def test_the_best_is_at_the_top(means, sign):
    scale = Scale.of_metric(means, sign)
    best = min(means, key=lambda mean: sign * mean)
    assert min(scale.fraction(best), 1) == (1 if scale.low < scale.high else 0.5)


# values, (low, high) of a logarithmic scale: the ends of those at most 3 decades, or the distance
# of the quartiles, beyond the quartiles
ENDS = {
    "a straight descent is shown whole": ([10.0**-n for n in range(41)], (1e-40, 1)),
    "more than three decades below the quartile": ([1e-30, *[0.1] * 9, 1.0], (0.1, 1)),
    "more than three decades above the quartile": ([0.1, *[1.0] * 9, 1e30], (0.1, 1)),
    "within them all is shown": ([2e-4, *[0.1] * 9, 20.0], (2e-4, 20)),
}


@pytest.mark.parametrize("case", ENDS)
def test_a_few_tiny_values_do_not_stretch_a_logarithmic_scale(case):
    values, ends = ENDS[case]
    scale = Scale.of(np.array(values))
    assert scale.is_log
    assert (scale.low, scale.high) == pytest.approx(ends, rel=1e-12)


@given(st.lists(st.floats(1e-300, 1e300), min_size=2, max_size=40))
def test_half_of_the_values_are_always_on_a_scale(values):
    scale = Scale.of(np.array(values))
    assert min(values) <= scale.low <= scale.high <= max(values)
    assert 2 * sum(scale.low <= value <= scale.high for value in values) >= len(values)
    assert scale.is_log == (max(values) / min(values) > 30)
    assert scale.is_log or (scale.low, scale.high) == (min(values), max(values))


def test_a_trial_of_almost_no_loss_is_beyond_the_top():
    scale = Scale.of_metric([1e-22, *[0.1] * 9, 0.5], 1)
    assert (scale.low, scale.high, scale.is_log) == (0.1, 0.5, True)
    assert scale.fraction(1e-22) > 1 == scale.fraction(scale.low)


def test_below_a_logarithmic_scale_there_is_room_for_zero_and_less():
    """R² of most trials just below 1, of others far below 0."""
    means = [*np.linspace(0.02, 0.97, 12), -13.0, -56.0]
    scale = Scale.of_metric(means, -1)
    assert scale.is_log
    assert scale.fraction(-13.0) < 0
    assert scale.fraction(0.0) < 0
