"""The metric over keys: the map's shades and words, lanes for what diverged, slices of a search."""

import json
import re

import pytest

from backproplab.report.heat import STEPS, heat_map, shade, shade_edges
from backproplab.report.landscape import lines_figure
from backproplab.report.naming import Layout
from backproplab.report.slices import slices

CELLS = {  # (activation, rate): best and last val_loss, or None if diverged
    ("relu", 0.01): (0.8, 0.8),
    ("relu", 0.1): (0.1, 0.102),
    ("relu", 1): (0.2, 0.3),
    ("tanh", 0.1): (0.4, 400.0),
    ("tanh", 1): None,
}
WORDS = ["still falling", "level", "rises", "blew up", "diverged"]


def cell_runs(write_run, session):
    trials = []
    for (activation, rate), found in CELLS.items():
        name, values = f"r{len(trials)}", {"model.activation": activation, "learning_rate": rate}
        trials.append({"number": len(trials), "label": "", "values": values, "runs": [name]})
        given = {"activation": activation, "learning_rate": rate}
        if found is None:
            write_run(name, status="diverged", **given)
            continue
        best, last = found
        epoch = 2 if best == last else 1
        write_run(
            name, best, **given, metrics={"val_loss": last}, best={"val_loss": best, "epoch": epoch}
        )
    (session / "sweep.json").write_text(json.dumps({"trials": trials}))


@pytest.fixture
def comparison(write_run, session, compare):
    cell_runs(write_run, session)
    return compare()[0]


def test_each_cell_has_a_number_and_a_word(comparison):
    table = heat_map(Layout(comparison))
    cells = re.findall(r'<td class="([^"]*)">(?:<b>([^<]*)</b><i>([^<]*)</i>)?', table)
    assert sorted(word for _, _, word in cells if word) == sorted(WORDS)
    assert [(number, kind) for kind, number, word in cells if word == "diverged"] == [
        ("✗ 1/1", "dv")
    ]
    assert [kind for kind, _, word in cells if word == "blew up"] == ["h5 bl"]
    assert table.count("not tried") == 1


def test_shades_are_equal_ratios(comparison):
    edges = shade_edges(comparison)
    assert edges == pytest.approx([0.1 * 8 ** (at / STEPS) for at in range(1, STEPS)])
    assert [shade(v, edges, 1) for v in (0.1, 0.8)] == [1, STEPS]
    assert [shade(v, edges, -1) for v in (0.1, 0.8)] == [STEPS, 1]


def test_a_diverged_trial_is_in_the_lane_and_never_a_point(comparison):
    picture = lines_figure(Layout(comparison))
    assert picture.count("<circle") == sum(found is not None for found in CELLS.values())
    assert picture.count(">✗</text>") == 1
    (top, height) = re.search(
        r'class="hatch"[^>]* height="(\d+)" x="\d+" y="(\d+)"', picture
    ).groups()[::-1]
    place = float(re.search(r'y="([\d.]+)" class="m xx[^"]*">✗', picture)[1])
    assert float(top) < place < float(top) + float(height)


def test_no_lane_where_nothing_diverged(write_run, session, compare):
    for rate in (0.1, 1):
        write_run(f"r{rate}", rate, learning_rate=rate)
    assert "hatch" not in lines_figure(Layout(compare()[0]))


def test_the_loss_of_guessing_is_a_line(write_run, compare):
    for rate, loss in ((0.1, 0.5), (1, 4.0)):
        write_run(f"r{rate}", loss, learning_rate=rate, model="64-32-10 relu")
    assert ">guessing, ln 10</text>" in lines_figure(Layout(compare()[0]))


def test_a_search_is_sliced_by_key(write_run, compare):
    for number in range(20):
        write_run(f"r{number}", None if number == 19 else 0.1 + number / 10, activation=("relu", "tanh")[number % 2],
                  learning_rate=10.0 ** -number, status="diverged" if number == 19 else "completed")  # fmt: skip
    comparison = compare()[0]
    for picture in slices(comparison, comparison.keys):
        assert picture.count("<circle") == 19
        assert picture.count('class="dot top"') == 5
        assert picture.count(">✗</text>") == picture.count('class="hatch"') == 1
