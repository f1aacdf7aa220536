"""Contours: when there is a surface to draw, and what is on it."""

import re

import numpy as np
import pytest

from backproplab.report import panels
from backproplab.report.contour import _means, _sides, contour_figure


@pytest.fixture
def search(write_run, compare):
    """Trials over learning_rate and the units of a layer, with an activation that means little."""

    def search(points, lost=()):
        for number, (rate, units) in enumerate(points):
            bad = number in lost
            run = write_run(f"r{number}", None if bad else abs(np.log10(rate)) + units / 100,
                            learning_rate=rate, activation=("relu", "tanh")[number % 2],
                            status="diverged" if bad else "completed")  # fmt: skip
            config = run / "config.yaml"
            config.write_text(config.read_text().replace("epochs: 2", f"epochs: {units}"))
        return compare()[0]

    return search


def scattered(n, seed=0):
    random = np.random.default_rng(seed)
    return [(float(10 ** random.uniform(-3, 1)), int(units)) for units in random.permutation(n) + 1]


def test_a_search_has_contours_with_its_trials_on_them(search):
    comparison = search(scattered(20), lost=(3,))
    figure = contour_figure(comparison)
    assert "learning_rate" in figure
    assert "epochs" in figure
    assert len(re.findall(r"<use [^>]*fill: var\(--ink\)", figure)) >= 19  # dots, and ticks
    assert "fill: var(--shade-6)" in figure
    assert "fill: var(--shade-0)" in figure
    (part,) = panels._two_keys(comparison)
    assert "interpolated between the trials" in part


def test_places_are_by_the_scale_of_their_axis(search):
    comparison = search([(10.0 ** (at / 3 - 3), 1 + at * 7 % 12) for at in range(12)])
    sides = _sides(comparison)
    assert {side.key for side in sides} == {"learning_rate", "epochs"}
    at = [side.key for side in sides].index("learning_rate")
    places = sorted(point[at] for point in _means(comparison, sides))
    assert places == pytest.approx([number / 11 for number in range(12)])


@pytest.mark.parametrize(
    "points",
    {
        "few": scattered(9),
        "on a line": [(10.0 ** (at / 5 - 3), 1 + at) for at in range(20)],
        "few values": [(rate, 1 + at % 3) for at, rate in enumerate(np.logspace(-3, 0, 20))],
    }.values(),
    ids=["few", "on a line", "few values"],
)
def test_no_surface_no_contours(search, points):
    assert contour_figure(search([(float(rate), units) for rate, units in points])) == ""


def test_a_grid_of_two_keys_has_a_heat_map_instead(write_run, compare):
    for number in range(10):
        write_run(f"r{number}", 0.1 + number, learning_rate=0.1 * (1 + number // 2),
                  activation=("relu", "tanh")[number % 2])  # fmt: skip
    (part,) = panels._two_keys(compare()[0])
    assert "each cell" in part
