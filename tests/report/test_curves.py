"""Learning curves: thinned without a change to see, few bands, axes that most values fill."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backproplab.palette import TRIALS
from backproplab.report import curves, panels
from backproplab.report.curves import BANDED, POINTS, Panel, curves_figure, extremes, is_cut
from backproplab.report.series import Band, pace

FINITE = st.floats(-1e6, 1e6)


def band(mean, spread=0.0):
    mean = np.asarray(mean, float)
    return Band(np.arange(1, len(mean) + 1), mean, mean - spread, mean + spread)


def paths(figure):
    """(number of points, style) of every line of data."""
    found = re.findall(r'<path d="([^"]*)" clip-path[^>]*style="([^"]*)"', figure)
    return [(len(re.findall("[ML]", line)), style) for line, style in found]


@given(arrays(float, st.integers(1, 2000), elements=FINITE), st.sampled_from([20, 100, 200]))
def test_a_thinned_curve_keeps_its_ends_and_its_extremes(curve, points):
    kept = extremes(curve, points)
    assert len(kept) <= max(points, 1)
    assert list(kept) == sorted(set(kept))
    assert (kept[0], kept[-1]) == (0, len(curve) - 1)
    assert (curve[kept].min(), curve[kept].max()) == (curve.min(), curve.max())
    if len(curve) <= points:
        assert len(kept) == len(curve)


@given(st.integers(0, 2999))
def test_no_spike_is_lost(place):
    curve = np.linspace(1, 0, 3000)
    curve[place] = 9
    assert place in extremes(curve, 100)


def test_a_thinned_curve_is_within_a_pixel_of_the_curve():
    """Where it is smooth: a panel is some 300 points high and 430 pixels wide."""
    curve = np.exp(-np.arange(5000) / 800)
    kept = extremes(curve, POINTS)
    between = np.interp(np.arange(5000), kept, curve[kept])
    assert np.abs(between - curve).max() < 1 / 300


@pytest.mark.parametrize(("epochs", "most"), [(50, 50), (5000, POINTS)])
def test_points_of_a_line(epochs, most):
    random = np.random.default_rng(0)
    others = [{"loss": band(random.random(epochs))}]
    best = [{"loss": band(random.random(epochs))}]
    lines = paths(curves_figure([Panel("loss", best, others)]))
    grey, color = ([n for n, style in lines if name in style] for name in ("--other", "--trial-0"))
    (grey,), (color,) = grey, color
    assert 0.9 * most <= color <= most + 1  # matplotlib closes a path with a point of its own
    assert grey <= min(epochs, curves.FAINT_POINTS) + 1


def test_only_the_best_have_bands():
    best = [{"loss": band([0.5, 0.4, 0.3], 0.1)} for _ in TRIALS]
    figure = curves_figure([Panel("loss", best)])
    filled = re.findall(r"fill: var\(--trial-(\d)\); fill-opacity: 0.18", figure)
    assert sorted(filled) == [str(at) for at in range(BANDED)]


def test_an_axis_is_cut_where_a_few_values_are_tiny():
    losses = [0.5, 0.4, 0.3, 0.2, 0.3, 0.2, 0.3]
    best = [{"loss": band([*losses, 0.2])}, {"loss": band(losses)}]
    assert not is_cut(Panel("loss", best))
    tiny = Panel("loss", [*best, {"loss": band([*losses, 1e-32])}])
    assert is_cut(tiny)
    figure = curves_figure([tiny])
    assert ">0.3<" in figure
    assert "e-" not in "".join(re.findall(r">([^<>]*)</text>", figure))


def test_the_caption_says_what_is_drawn(write_run, compare):
    rows = ["1,train,1", "2,train,0.5", "3,train,{}"]
    for rate in range(1, 6):
        for seed in range(2):
            last = [*rows[:2], rows[2].format(0.3 + seed)]
            write_run(f"r{rate}-{seed}", 0.1 * rate, seed=seed, learning_rate=rate, rows=last)
    said = "".join(panels.curves(compare()[0], []))
    assert "bands of the best 3 reach from the smallest to the largest" in said
    assert "leaves the axis" not in said
    rows = [f"{epoch},train,{1e-32 if epoch == 20 else 1}" for epoch in range(1, 21)]
    write_run("tiny", 0.01, learning_rate=9, rows=rows)
    assert "▲ and ▼ mark where a curve leaves the axis." in "".join(panels.curves(compare()[0], []))


def test_epochs_of_other_lengths_are_drawn_by_update_and_by_second_too(write_run, compare):
    """One update an epoch against fifty, and the few take longer: three epochs of each."""
    rows = [f"{epoch},train,{1 / epoch}" for epoch in (1, 2, 3)]
    for name, steps, seconds in [("batch", 3, 6.0), ("stochastic", 150, 0.3)]:
        details = {"epochs": 3, "steps": steps, "seconds": seconds}
        write_run(name, 0.1, learning_rate=steps, rows=rows, **details)
    comparison = compare()[0]
    drawn = {label: panels.bands(trial, [])["loss"].by(pace(trial, label))
             for label in ("steps", "seconds") for trial in comparison.trials[:1]}  # fmt: skip
    assert list(drawn["steps"].at) == [1, 2, 3]
    assert list(drawn["seconds"].at) == [2, 4, 6]
    said = "".join(panels.curves(comparison, []))
    for words in (
        ">update<",
        ">second of training<",
        ">epoch<",
        "differ in their updates per epoch",
    ):
        assert words in said


def test_epochs_of_one_length_are_not(write_run, compare):
    rows = ["1,train,1", "2,train,0.5"]
    for name in ("long", "short"):
        write_run(name, 0.1, learning_rate=len(name), rows=rows, steps=20, seconds=1.0)
    write_run("lost", 9, learning_rate=9, rows=rows, steps=25, seconds=1.0, status="diverged")
    assert ">update<" not in "".join(panels.curves(compare()[0], []))
