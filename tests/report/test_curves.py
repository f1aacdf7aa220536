"""Learning curves: which are drawn, thinned without a change to see, cut where they leave."""

import json
import re
from html import unescape

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backproplab.report.curves import POINTS, draw, extremes
from backproplab.report.multiples import Line, Panel, chosen, panels_of
from backproplab.report.naming import COLORS, PANELS
from backproplab.report.series import Band

FINITE = st.floats(-1e6, 1e6)


def band(mean, spread=0.0):
    mean = np.asarray(mean, float)
    return Band(np.arange(1, len(mean) + 1), mean, mean - spread, mean + spread)


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
    """Where it is smooth: a panel is 224 pixels high."""
    curve = np.exp(-np.arange(5000) / 800)
    kept = extremes(curve, POINTS)
    between = np.interp(np.arange(5000), kept, curve[kept])
    assert np.abs(between - curve).max() < 1 / 112


@pytest.fixture
def grid(write_run, session):
    """Four optimizers × eight rates × two seeds as a sweep; the rate 1000 diverges."""
    trials = []
    for optimizer in ("a", "b", "c", "d"):
        for at, rate in enumerate((0.001, 0.01, 0.1, 0.2, 0.3, 0.5, 1, 1000)):
            names = [f"{optimizer}-{rate}-{seed}" for seed in range(2)]
            values = {"optimizer": optimizer, "learning_rate": rate}
            trials.append({"number": len(trials), "label": "", "values": values, "runs": names})
            for seed, name in enumerate(names):
                given = {"seed": seed, "optimizer": optimizer, "learning_rate": rate}
                loss = 0.1 + at / 10 + seed / 20
                write_run(name, None if rate == 1000 else loss, **given,
                          status="diverged" if rate == 1000 else "completed")  # fmt: skip
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))


def test_a_panel_for_each_word_and_a_color_for_each_number(grid, compare):
    panels, left = panels_of(compare()[0], [])
    assert [panel.title for panel in panels] == ["a", "b", "c", "d"]
    assert left == "2 more values of learning_rate"
    for panel in panels:
        assert [line.label for line in panel.lines] == ["0.001", "0.01", "0.1", "0.2", "0.3", "0.5"]
        assert [line.color for line in panel.lines] == [f"c{at}" for at in range(1, COLORS + 1)]


def test_a_diverged_trial_is_a_note_not_a_curve(write_run, compare):
    rows = ["1,train,1", "1,validation,2", "2,train,5", "2,validation,7"]
    write_run("a", 0.1)
    write_run("b", status="diverged", learning_rate=9, rows=rows, epochs=2)
    (panel, *_), _ = panels_of(compare()[0], [])
    assert [line.label for line in panel.lines] == ["0.1"]
    assert panel.notes == ["✗ 9 diverged in epoch 3"]


def test_training_and_validation_are_in_one_axis_with_the_best_epoch(write_run, compare):
    rows = [f"{e},{split},{v}" for e, a, b in ((1, 3, 4), (2, 2, 2.5), (3, 1, 3)) for split, v in (("train", a), ("validation", b))]  # fmt: skip
    write_run("a", 2.5, rows=rows)
    panels, _ = panels_of(compare()[0], [])
    (line,) = panels[0].lines
    assert list(line.train.mean) == [3, 2, 1]
    assert list(line.validation.mean) == [4, 2.5, 3]
    assert line.best == 2
    (picture,) = draw(panels, several=True)
    assert len(re.findall('class="tr o1"', picture)) == 1
    assert len(re.findall('class="va o1"', picture)) == 1
    told = json.loads(unescape(re.search('data-series="([^"]*)"', picture)[1]))
    assert told["rows"] == [["a", "o1", [4, 2.5, 3], [3, 2, 1]]]
    assert told["at"] == ["1", "2", "3"]


@pytest.mark.parametrize("epochs", [50, 5000])
def test_points_of_a_line(epochs):
    mean = np.random.default_rng(0).random(epochs) + 0.5
    line = Line("a", "o1", None, band(mean, 0.1), 1.0)
    (picture,) = draw([Panel("loss", "", [line])], several=True)
    path = re.search(r'<path d="([^"]*)" class="va o1"', picture)[1]
    assert len(re.findall("[ML]", path)) == min(epochs, POINTS)
    assert len(picture) < 12_000


def test_what_leaves_the_picture_is_marked_and_said():
    steady, wild = band([0.5, 0.4, 0.3, 0.2] * 5), band([0.5, *[10.0**at for at in range(19)]])
    lines = [Line("fine", "o1", None, steady), Line("wild", "o2", None, wild)]
    (picture,) = draw([Panel("loss", "", lines)], several=True)
    assert ">▲</text>" in picture
    assert ">wild left the picture, ended at 10¹⁸</text>" in picture
    assert picture.count(">fine</text>") == 2  # on both scales
    assert ">wild</text>" not in picture


def test_all_panels_have_the_same_axes():
    pair = [
        Panel(name, "", [Line("x", "c1", None, band(v))])
        for name, v in (("a", [1, 2]), ("b", [1, 5]))
    ]
    first, second = (
        re.findall(r'class="e">([^<]*)<', picture) for picture in draw(pair, several=False)
    )
    assert first == second


def test_more_than_six_panels_show_the_best(write_run, session, compare):
    trials = []
    for at in range(8):
        for rate in (0.1, 1.0):
            name, values = f"o{at}-{rate}", {"optimizer": f"o{at}", "learning_rate": rate}
            trials.append({"number": len(trials), "label": "", "values": values, "runs": [name]})
            write_run(name, 1 - at / 10 + rate / 100, optimizer=f"o{at}", learning_rate=rate)
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))
    panels, left = panels_of(compare()[0], [])
    assert [panel.title for panel in panels] == [f"o{at}" for at in range(7, 7 - PANELS, -1)]
    assert left == "2 more values of optimizer"


def test_epochs_of_other_lengths_are_drawn_by_update_and_by_second_too(write_run, compare):
    """One update an epoch against fifty, and the few take longer: three epochs of each."""
    rows = [f"{epoch},train,{1 / epoch}" for epoch in (1, 2, 3)]
    for name, steps, seconds in [("batch", 3, 6.0), ("stochastic", 150, 0.3)]:
        details = {"epochs": 3, "steps": steps, "seconds": seconds}
        write_run(name, 0.1, learning_rate=steps, rows=rows, **details)
    panels, _ = panels_of(compare()[0], [])
    units = {panel.unit: panel for panel in panels}
    assert list(units) == ["epoch", "update", "second"]
    assert [list(line.main.at) for line in units["update"].lines] == [[1, 2, 3], [50, 100, 150]]
    assert [line.best for line in units["second"].lines] == pytest.approx([6, 0.3])


def test_epochs_of_one_length_are_not(write_run, compare):
    rows = ["1,train,1", "2,train,0.5"]
    for name in ("long", "short"):
        write_run(name, 0.1, learning_rate=len(name), rows=rows, steps=20, seconds=1.0)
    write_run("lost", learning_rate=9, rows=rows, steps=25, seconds=1.0, status="diverged")
    assert {panel.unit for panel in panels_of(compare()[0], [])[0]} == {"epoch"}


def write_passes(folder, losses, forward, backward):
    """metrics.csv with the counters; forward, backward: passes of an epoch."""
    head = "epoch,split,loss,forward_passes,backward_passes"
    rows = [f"{e},train,{x},{forward * e},{backward * e}" for e, x in enumerate(losses, start=1)]
    (folder / "metrics.csv").write_text("\n".join([head, *rows, ""]))


def test_trials_whose_steps_take_more_passes_are_drawn_by_passes(write_run, compare):
    """One pass forward and one backward against a numeric gradient of 20 passes; a step an epoch."""
    for name, forward, backward in [("backprop", 1, 1), ("numeric", 20, 0)]:
        counts = {"forward_passes": 3 * forward, "backward_passes": 3 * backward}
        folder = write_run(name, 0.1, optimizer=name, epochs=3, steps=3, seconds=1.0, **counts)
        write_passes(folder, [1, 1 / 2, 1 / 3], forward, backward)
    panels, _ = panels_of(compare()[0], [])
    units = {panel.unit: panel for panel in panels}
    assert list(units) == ["epoch", "pass", "second"]
    assert [list(line.main.at) for line in units["pass"].lines] == [[2, 4, 6], [20, 40, 60]]
    assert [line.best for line in units["pass"].lines] == [6, 60]


GENERATIONS = {"rows": ["1,train,1", "2,train,0.5"], "unit": "generation", "seconds": 1.0}


def test_learners_without_batches_are_drawn_by_their_steps(write_run, compare):
    """Of one unit: every panel, its axis named by it."""
    for name, steps in [("short", 40), ("long", 200)]:
        write_run(name, 0.1, learning_rate=steps, steps=steps, **GENERATIONS)
    panels, _ = panels_of(compare()[0], [])
    assert {panel.unit for panel in panels} == {"generation"}
    ends = [line.main.at.tolist() for line in panels[0].lines]
    assert sorted(ends) == [[20, 40], [100, 200]]
    assert all(line.best == line.main.at[-1] for line in panels[0].lines)
    assert ">generation<" in "".join(map(str, draw(panels, several=True)))


def test_learners_of_several_units_are_drawn_by_steps_and_by_passes(write_run, compare):
    passes = {"forward_passes": 10_000, "backward_passes": 0}
    folder = write_run("genetic", 0.1, learning_rate=1, steps=200, **GENERATIONS, **passes)
    write_passes(folder, [1, 0.5], 5000, 0)
    updates = GENERATIONS | {"unit": "", "forward_passes": 50, "backward_passes": 50}
    write_passes(write_run("descent", 0.2, learning_rate=2, steps=50, **updates), [1, 0.5], 25, 25)
    panels, _ = panels_of(compare()[0], [])
    units = {panel.unit: panel for panel in panels}
    assert list(units) == ["epoch", "step", "pass", "second"]
    ends = [line.main.at.tolist() for line in units["pass"].lines]
    assert sorted(ends) == [[50, 100], [5000, 10_000]]


def test_each_way_to_find_weights_is_drawn_before_a_second_of_another(write_run, compare):
    for number in range(9):
        folder = write_run(f"run{number}", 0.1 + number / 100, learning_rate=number + 1.0)
        learner = "gradient_descent" if number == 8 else "genetic"
        config = folder / "config.yaml"
        config.write_text(f"{config.read_text()}learner: {{name: {learner}}}\n")
    comparison = compare()[0]
    drawn = [trial.best_record.info.name for trial in chosen(comparison)]
    assert drawn == ["run0", "run1", "run2", "run3", "run4", "run8"]
