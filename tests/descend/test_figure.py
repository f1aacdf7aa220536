"""The figure shows the path that the table lists."""

from xml.etree import ElementTree

import numpy as np
import pytest

from backproplab.descend import descend_all
from backproplab.descend.asked import read
from backproplab.descend.contours import along, contours, drawn
from backproplab.descend.figure import render
from backproplab.explain.axes import Panel, ticks
from backproplab.palette import THEMES

SVG = "{http://www.w3.org/2000/svg}"
CASES = {
    "rates": ("(x - 3)**2", "x=0 learning_rate=0.01,0.4,0.95,1,1.05"),
    "starts": ("two_minima", "w=-1.8,0.05,0.15,1.7"),
    "one": ("(x - 3)**2", "x=0 learning_rate=0.4"),
    "optimizers": ("quadratic", "optimizer=sgd,momentum,adam"),
    "heights": ("rosenbrock", "optimizer=momentum,adam"),
    "nothing known": ("saddle", "x=1 y=0,1e-8"),
    "gone at once": ("rosenbrock", "learning_rate=0.5"),
    "nowhere to go": ("x*0 + 1", "x=1"),
    "a line": ("2*x", "x=0 steps=50"),
    "edge of the domain": ("sqrt(x) + y**2", "x=0.01 y=1 learning_rate=0.1"),
}  # fmt: skip


def shown(case):
    what, words = CASES[case]
    asked = read(what, words.split())
    return descend_all(asked.objective, asked.settings, asked.steps, asked.tolerance, asked.known)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("case", CASES)
def test_the_figure_is_well_formed_and_finite(case, theme):
    text = render(shown(case), theme)
    assert text.isascii()
    assert "nan" not in text
    assert "inf" not in text.replace("infinity", "")
    ElementTree.fromstring(text)


def test_every_step_of_a_short_path_has_its_marker():
    found = shown("one")
    root = ElementTree.fromstring(render(found))
    run = found.runs[0]
    assert run.steps == 10
    circles = [(float(c.get("cx")), float(c.get("cy"))) for c in root.iter(f"{SVG}circle")]
    start, first = circles[-3], circles[0]  # the start is drawn over the steps
    assert len(circles) >= 3
    assert start != first


def test_a_star_marks_each_minimum():
    root = ElementTree.fromstring(render(shown("starts")))
    assert len([p for p in root.iter(f"{SVG}polygon") if p.get("class") == "star"]) == 2


@pytest.mark.parametrize(
    ("limits", "logarithmic", "expected"),
    [
        ((-2.0, 11.0), False, [0, 5, 10]),
        ((1.0, 1e4), True, [1, 100, 1e4]),
        ((0.0, 1.0), False, [0, 0.5, 1]),
    ],
)
def test_ticks_are_round(limits, logarithmic, expected):
    assert ticks(limits, logarithmic, 3) == pytest.approx(expected)


def test_a_point_of_the_axes_is_at_its_pixel():
    panel = Panel(10, 20, 100, 50, (0.0, 1.0), (0.0, 2.0), THEMES["light"])
    np.testing.assert_allclose(panel.at(0.5, 2.0), (60, 20))
    assert panel.inside(0.5, 1.0)
    assert not panel.inside(0.5, 2.1)


@pytest.mark.parametrize("name", ["quadratic", "rosenbrock", "himmelblau", "saddle"])
def test_a_number_on_a_contour_is_the_height_there_and_lies_on_no_path(name):
    f = read(name, []).objective
    panel = Panel(50, 50, 700, 450, (-2, 5), (-2, 3), THEMES["light"])
    taken = along(panel, np.array([[-2, -2], [5, 3]]))
    parts = list(drawn(panel, contours(f, panel.across, panel.up), taken))
    root = ElementTree.fromstring(f"<g>{''.join(parts)}</g>")
    rects, texts = root.findall("rect"), ["".join(t.itertext()) for t in root.findall("text")]
    assert len(rects) == len(texts) >= 3
    for rect, text in zip(rects, texts, strict=True):
        x, y, width, height = (float(rect.get(key)) for key in ("x", "y", "width", "height"))
        place = np.array([x + width / 2, y + height / 2])
        assert np.linalg.norm(taken - place, axis=1).min() >= 8
        point = np.array([-2 + 7 * (place[0] - 50) / 700, -2 + 5 * (500 - place[1]) / 450])
        value, slope = f.slope(point)
        moved = np.abs(slope) @ [0.02, 0.02]  # by a pixel or two
        assert float(text.replace("−", "-")) == pytest.approx(value, abs=moved + 1e-3)
