"""Parallel coordinates: where the lines of trials go, worked out by hand."""

import re

import pytest

from backproplab.palette import TRIALS
from backproplab.report import panels
from backproplab.report.differences import ABSENT
from backproplab.report.parallel import BELOW, LOWEST, _key_column, _metric_column, parallel_figure
from backproplab.report.scales import Scale
from backproplab.report.theme import SHADES


@pytest.fixture
def trials(write_run, compare):
    """Trials with any values of a key ``k``, the best first."""
    write_run("a", 0.1)
    (trial,) = compare()[0].trials

    def make(*values):
        return [type(trial)(trial.records, trial.metric, {"k": value}) for value in values]

    return make


def column(trials, key="k"):
    found = _key_column(key, trials)
    return [round(place, 6) for place in found.places], found.ticks


def test_many_numbers_stand_where_they_are(trials):
    values = [number / 20 for number in range(21)]
    places, ticks = column(trials(*values))
    assert places == values
    assert ticks == [(pytest.approx(p), f"{p:g}") for p in (0, 0.2, 0.4, 0.6, 0.8, 1.0)]


def test_trials_of_one_word_share_its_room_the_best_on_top(trials):
    places, ticks = column(trials("tanh", "relu", "tanh", "relu"))
    assert places == pytest.approx(
        [1, 2 / 9, 7 / 9, 0], abs=1e-6
    )  # a third is room: 1/2 of the way
    assert ticks == [(pytest.approx(1 / 6), "relu"), (pytest.approx(5 / 6), "tanh")]


def test_a_logarithmic_key_has_even_steps(write_run, compare):
    for number, rate in enumerate((0.01, 0.1, 1)):
        write_run(f"r{number}", 0.1 + number, learning_rate=rate)
    ticks = column(compare()[0].trials, "learning_rate")[1]
    assert [text for _, text in ticks] == ["0.01", "0.1", "1"]
    assert ticks[1][0] == pytest.approx((ticks[0][0] + ticks[2][0]) / 2)


def test_what_a_trial_does_not_set_is_below(trials):
    places, ticks = column(trials(0.5, ABSENT, 0.9))
    assert places[1] == BELOW
    assert ticks[0] == (BELOW, "not set")
    assert [text for _, text in ticks[1:]] == ["0.5", "0.9"]


def test_ticks_that_would_cover_each_other_are_left_out(trials):
    ticks = column(trials(1.0, 1.001, 1.5, 2.0))[1]
    assert [text for _, text in ticks] == ["1", "1.5", "2"]


def test_the_metric_has_places_for_far_out_and_diverged():
    scale = Scale(0.1, 0.5, falls=True)
    found = _metric_column("val_loss", [0.1, 0.5, 7.0, None], scale)
    assert found.places == [1, 0, BELOW, LOWEST]
    assert found.ticks[:2] == [(LOWEST, "diverged"), (BELOW, "far out")]
    assert not {LOWEST, BELOW} & {at for at, _ in _metric_column("m", [0.1, 0.5], scale).ticks}


@pytest.mark.parametrize(
    ("scale", "mean", "text"),
    [
        (Scale(1e-4, 1, is_log=True, falls=True), 1e-22, "≤ 0.0001"),
        (Scale(1, 1e4, is_log=True), 1e22, "≥ 1e+04"),
    ],
)
def test_a_trial_better_than_the_axis_ends_at_its_top(scale, mean, text):
    found = _metric_column("val_loss", [mean, 1e-2, 1e2], scale)
    assert found.places[0] == 1
    assert found.ticks[-1] == (1.0, text)
    assert all(place < 1 for place, _ in found.ticks[:-1])


def test_a_line_for_each_trial_the_best_last_and_thick(write_run, compare):
    for number in range(8):
        lost = number == 7
        write_run(f"r{number}", None if lost else 0.1 + number / 10, learning_rate=1 + number,
                  activation=("relu", "tanh")[number % 2], status="diverged" if lost else "completed")  # fmt: skip
    comparison = compare()[0]
    figure = parallel_figure(comparison, comparison.trials, comparison.keys)
    names = {f"var(--shade-{at})": at for at in range(len(SHADES))} | {"var(--trial-1)": -1}
    lines = re.findall(r'<path d="M[^"]*?L[^"]*?L[^"]*?" [^>]*style="([^"]*)"', figure)
    drawn = [
        names[s]
        for line in lines
        for s in re.findall(r"stroke: (var\([^)]*\))", line)
        if s in names
    ]
    assert len(drawn) >= 8
    assert drawn[:8] == [-1, 0, 1, 2, 3, 4, 5, 6]  # the worst first: what is later is on top
    assert "stroke-width: 2.8" in lines[7]
    for text in ("learning_rate", "model.activation", "val_loss", "relu", "tanh", "diverged"):
        assert f">{text}<" in figure
    assert SHADES[0][0] not in figure
    assert TRIALS[1][0] not in figure


def test_the_page_draws_it_for_two_keys_and_says_how_many(write_run, compare):
    from backproplab.report import panels

    for number in range(3):
        write_run(f"r{number}", 0.1 + number, learning_rate=1 + number)
    assert panels._all_keys(compare()[0]) == []
    for number in range(400):
        write_run(f"s{number}", 0.1 + number, learning_rate=10 + number, activation="tanh")
    (figure,) = panels._all_keys(compare()[0])
    assert "202 of the 403 trials are drawn" in figure
    assert len(figure) < 200_000


def test_a_key_that_no_drawn_trial_has_is_left_out(write_run, compare):
    write_run("a", 0.1)
    write_run("b", 0.2, learning_rate=1)
    for name, momentum in [("c", 0.5), ("d", 0.9)]:
        optimizer = f"{{name: momentum, momentum: {momentum}}}"
        write_run(name, status="failed", optimizer=optimizer)
    comparison = compare()[0]
    assert "optimizer.momentum" in comparison.keys
    drawn = "".join(panels.keys(comparison)).rpartition("<figure>")[2]
    assert ">learning_rate<" in drawn
    assert ">optimizer.momentum<" not in drawn
