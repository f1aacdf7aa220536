"""The page moves along the paths of the figure, and the logs hold the steps of the table."""

import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from backproplab.descend import animation, descend_all, gif, logs
from backproplab.descend.asked import read
from backproplab.descend.figure import picture
from backproplab.errors import RefusedError
from backproplab.palette import THEMES
from tests.browser import Browser, needs_chromium, shots
from tests.descend.test_figure import CASES


def shown(case):
    what, words = CASES[case]
    asked = read(what, words.split())
    return descend_all(asked.objective, asked.settings, asked.steps, asked.tolerance, asked.known)


def tracks(page):
    """Of each path (step, x, y) in pixels."""
    return [
        [tuple(map(float, place.split(","))) for place in found.split(" ")]
        for found in re.findall(r'data-at="([^"]*)"', page)
    ]


@pytest.mark.parametrize("case", CASES)
def test_it_is_one_whole_page_without_network(case):
    page = animation.render(shown(case))
    assert "@" not in re.sub(r"@media", "", page)
    addresses = set(re.findall(r"(?:https?:)?//[^\s\"']+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}
    assert "nan" not in page.split("</svg>")[0]


def test_each_step_is_at_its_place():
    found = shown("one")
    curve, over_steps = tracks(animation.render(found))
    for track in (curve, over_steps):
        assert [step for step, _, _ in track] == sorted({step for step, _, _ in track})
    x = found.runs[0].points[:, 0]
    left = np.array([at for _, at, _ in curve])
    scale = (left[1] - left[0]) / (x[1] - x[0])
    steps = [int(step) for step, _, _ in curve]
    np.testing.assert_allclose(left - left[0], scale * (x[steps] - x[0]), atol=0.11)


@pytest.mark.parametrize("last", [0, 1, 10, 200, 201, 11_329, 200_000])
def test_frames_go_from_the_start_to_the_last_step(last):
    steps = animation.frames(last)
    assert (steps[0], steps[-1]) == (0, last)
    assert steps == sorted(set(steps))
    assert len(steps) <= animation.FRAMES + 1


def test_the_logs_hold_every_step_of_the_table(tmp_path):
    found = shown("optimizers")
    folders = logs.write(found, tmp_path)
    assert folders[0].name == "01-sgd-0.07692-from-10-1"
    for run, folder in zip(found.runs, folders, strict=True):
        events = EventAccumulator(str(folder), {"scalars": 0}).Reload()
        logged = {tag: [e.value for e in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
        assert set(logged) == {"x", "y", "f", "gradient_norm"}
        np.testing.assert_allclose(logged["x"], run.points[:, 0], rtol=1e-6)
        np.testing.assert_allclose(logged["f"], run.values, rtol=1e-6)
        slopes = np.linalg.norm(run.slopes, axis=1)
        np.testing.assert_allclose(logged["gradient_norm"], slopes, rtol=1e-6)


def test_logs_are_not_mixed_with_others(tmp_path):
    found = shown("optimizers")
    logs.write(found, tmp_path)
    with pytest.raises(RefusedError, match=r"01-sgd-.* is not empty — choose another --log-dir"):
        logs.write(found, tmp_path)


@needs_chromium
@pytest.mark.slow
def test_it_plays_steps_and_switches(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(animation.render(shown("one")))
    where = "document.querySelector('.head').getAttribute('transform')"
    for width in (800, 1400):
        with Browser(tmp_path / str(width), (width, 900)) as browser:
            browser.open(f"{page.as_uri()}#0")
            browser.until("document.documentElement.classList.contains('scripted')")
            start = browser.run(where)
            assert browser.run("document.documentElement.scrollWidth") <= width
            browser.click("document.getElementById('next')")
            first = browser.until(f"{where} !== '{start}' && {where}")
            assert "step 1" in browser.run("texts()")
            browser.click("document.getElementById('play')")
            browser.until(f"{where} !== '{first}'")
            browser.until("document.getElementById('step').textContent === 'step 10'")
            browser.until("document.getElementById('play').textContent === 'Play'")
            browser.click("document.getElementById('theme')")
            browser.shot(shots(tmp_path) / f"descend-animation-{width}.png")


SVG = "{http://www.w3.org/2000/svg}"


@pytest.mark.parametrize("case", ["rates", "starts", "one", "optimizers"])
def test_a_frame_of_a_gif_has_each_run_at_its_step(case):
    """As on the page: the path up to the step, and the mark at its last place; a run that begins
    later, in a panel of many steps, has none yet."""
    found = shown(case)
    moving = picture(found, THEMES["light"], moving=True).draw()
    for step in (0, 1, 7, 10**6):
        root = ElementTree.fromstring(gif.frame(moving, step, THEMES["light"]))
        for track in root.iter(f"{SVG}g"):
            if track.get("class") != "track":
                continue
            places = [place.split(",") for place in track.get("data-at").split(" ")]
            passed = [place for place in places if float(place[0]) <= step]
            heads = [part for part in track if part.get("class") == "head"]
            assert len(heads) == bool(passed)
            for head in heads:
                assert head.get("transform") == f"translate({passed[-1][1]} {passed[-1][2]})"
                assert track[1].get("d").count("L") == len(passed) - 1
        assert f"step {step:,}" in "".join(root.itertext())


@pytest.mark.slow
def test_a_gif_moves_and_keeps_the_colors_of_the_theme():
    pytest.importorskip("cairosvg")
    found, theme = shown("one"), "dark"
    with Image.open(io.BytesIO(gif.render(found, theme))) as image:
        assert image.n_frames == 11  # 10 steps and the start
        assert image.info["loop"] == 0
        colors = {color for _, color in image.convert("RGB").getcolors(10**6)}
    for ink in (THEMES[theme].paper, THEMES[theme].runs[0]):
        assert tuple(bytes.fromhex(ink[1:])) in colors
