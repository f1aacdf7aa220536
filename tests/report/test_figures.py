"""The metric against keys: what is drawn of trials near, far out and many."""

import re

import pytest

from backproplab.report import panels
from backproplab.report.canvas import svg
from backproplab.report.figures import heat_figure, keys_figure, left_out

MARKS = r"<g clip-path[^>]*>\s*((?:<use [^>]*>\s*)+)"


def dots(figure):
    """How many marks of trials are drawn, and their strengths."""
    uses = re.findall(r'<use [^>]*style="fill: var\(--trial-0\)([^"]*)"', figure)
    return len(uses), {float(x) for use in uses for x in re.findall(r"fill-opacity: ([\d.]+)", use)}


def ranges(figure):
    """The ranges over seeds: paths in their color that are not filled."""
    found = re.findall(r'<path d="([^"]*)"[^>]*style="fill: none; stroke: var\(--trial-0\)', figure)
    return [path.count("M") for path in found]


def test_ranges_are_one_path_and_only_of_several_seeds(write_run, compare):
    for rate in range(1, 5):
        for seed in range(3 if rate < 4 else 1):
            write_run(f"r{rate}-{seed}", rate / 10 + seed / 100, seed=seed, learning_rate=rate)
    comparison = compare()[0]
    figure = keys_figure(comparison, comparison.keys)
    assert ranges(figure) == [3]
    assert dots(figure)[0] == 4


def test_trials_of_one_run_have_no_range(write_run, compare):
    for rate in range(1, 5):
        write_run(f"r{rate}", rate / 10, learning_rate=rate)
    comparison = compare()[0]
    assert ranges(keys_figure(comparison, comparison.keys)) == []


@pytest.mark.parametrize("far", [1e-22, 1e9])
def test_a_trial_far_out_is_a_mark_at_the_end_and_squashes_nothing(write_run, compare, far):
    for rate in range(1, 13):
        write_run(f"r{rate}", far if rate == 12 else 0.1 + rate / 100, learning_rate=rate)
    comparison = compare()[0]
    figure = keys_figure(comparison, comparison.keys)
    assert dots(figure)[0] == 12
    heights = [float(y) for y in re.findall(r'y="([\d.]+)" style="fill: var\(--trial-0\)', figure)]
    near = heights[:11]
    assert max(heights) - min(heights) < 250
    assert max(near) - min(near) > 15
    texts = re.findall(r">([^<>]+)</text>", figure)
    assert not [text for text in texts if "e-" in text or "e+" in text]


def test_many_points_are_fainter(write_run, compare):
    for number in range(200):
        write_run(f"r{number}", 0.1 + number / 1000, learning_rate=number + 1)
    comparison = compare()[0]
    amount, strengths = dots(keys_figure(comparison, comparison.keys))
    assert amount == 200
    assert list(strengths) == [pytest.approx(0.5**0.5, abs=1e-3)]


def test_nothing_measured_but_divergences(write_run, compare):
    for rate in (1, 2, 3):
        write_run(f"r{rate}", status="diverged", learning_rate=rate)
    comparison = compare()[0]
    figure = keys_figure(comparison, comparison.keys)
    assert dots(figure)[0] == 0
    assert figure.count("stroke: var(--trial-1)") >= 3


def test_a_cell_far_out_leaves_the_others_their_colors(write_run, compare):
    for number in range(8):
        loss = 1e9 if number == 7 else 0.1 + number / 100
        write_run(f"r{number}", loss, learning_rate=1 + number // 2, activation=("relu", "tanh")[number % 2])  # fmt: skip
    figure = heat_figure(compare()[0])
    mesh = figure[figure.index("QuadMesh") :]
    assert len(set(re.findall(r"fill: (#[0-9a-f]{6})", mesh[: mesh.index("matplotlib.axis")]))) == 7


def test_coordinates_are_short_and_words_are_whole():
    def draw(figure):
        axes = figure.subplots()
        axes.plot([0, 1 / 3, 1], [0, 0.12345678, 1])
        axes.set_title("0.12345678", parse_math=False)

    figure = svg(draw, "k", (3, 2), "a figure")
    assert ">0.12345678</text>" in figure
    assert not re.search(r' d="[^"]*\.\d{3}', figure)


def heights(figure, color):
    """Vertical places of the marks of one color."""
    return [float(y) for y in re.findall(rf'y="([\d.]+)" style="[^"]*var\(--{color}\)', figure)]


@pytest.mark.parametrize("goal", ["min", "max"])
def test_a_diverged_run_is_beside_the_scale_and_counted(write_run, compare, goal):
    for rate in range(1, 7):
        lost = rate > 4
        write_run(f"r{rate}", None if lost else rate / 10, learning_rate=rate, status="diverged" if lost else "completed")  # fmt: skip
    comparison = compare(metric="val_loss", goal=goal)[0]
    figure = keys_figure(comparison, comparison.keys)
    points, crosses = heights(figure, "trial-0"), heights(figure, "trial-1")
    assert len(crosses) == 2
    assert max(crosses) < min(points) if goal == "min" else min(crosses) > max(points)
    assert left_out(comparison) == ["2 trials with diverged runs (hatched, ×)"]
    assert "2 trials with diverged runs" in "".join(panels.keys(comparison))


@pytest.mark.parametrize(("far", "count"), [(0.2, 0), (1e9, 1)])
def test_cells_beyond_the_colors_are_hatched_and_counted(write_run, compare, far, count):
    for number in range(8):
        loss = far if number == 7 else 0.1 + number / 100
        write_run(f"r{number}", loss, learning_rate=1 + number // 2, activation=("relu", "tanh")[number % 2])  # fmt: skip
    comparison = compare()[0]
    figure = heat_figure(comparison)
    assert len(re.findall(r"fill: url\(#", figure)) == count
    assert ("hatched, in the color of that end" in "".join(panels.keys(comparison))) == bool(count)


def test_a_cell_says_which_of_its_runs_diverged(write_run, compare):
    for number in range(8):
        for seed in (0, 1):
            lost = number == 7 or (number == 6 and seed)
            write_run(f"r{number}-{seed}", None if lost else 0.1, seed=seed, status="diverged" if lost else "completed",
                      learning_rate=1 + number // 2, activation=("relu", "tanh")[number % 2])  # fmt: skip
    figure = heat_figure(compare()[0])
    assert ">diverged 1/2</text>" in figure
    assert ">diverged</text>" in figure
