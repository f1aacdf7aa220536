"""The pictures of --why and of docs/diagnosis.md: real numbers, on the right side of the limits."""

import json
import statistics
from pathlib import Path

import pytest
import yaml

from backproplab.diagnosis import RULES, Case
from backproplab.diagnosis.explained import EXPLAINED
from backproplab.diagnosis.pictures import FILE, pictures
from benchmarks.diagnosis_figures import draw

DOCS = Path(__file__).parents[2] / "docs"
ENTRIES = json.loads(FILE.read_text())
CASES = yaml.safe_load((Path(__file__).parent / "cases.yaml").read_text())


def test_every_rule_has_a_picture_in_the_docs():
    assert ENTRIES.keys() == EXPLAINED.keys()
    page = (DOCS / "diagnosis.md").read_text()
    for rule in EXPLAINED:
        assert f"](diagnosis/{rule}.svg)" in page.partition(f"### {rule}\n")[2].partition("\n#")[0]


@pytest.mark.parametrize("rule", ENTRIES)
def test_the_figure_is_drawn_from_the_numbers(rule):
    """python -m benchmarks.diagnosis_pictures wrote both."""
    assert (DOCS / "diagnosis" / f"{rule}.svg").read_text() == draw(rule, ENTRIES[rule])


def limit(rule, name):
    return next(row.limits[name] for row in RULES if row.id == rule and name in row.limits)


# rule: (what its values are judged by, the limit, whether the faulty run is above it)
SIDES = {
    "D1": (lambda x: x[-1], limit("D1", "level"), True),
    "D2": (lambda x: x[-1] / min(x), limit("D2", "times"), True),
    "D4b": (statistics.median, limit("D4b", "step"), True),
    "D5": (lambda x: x[0] / x[-1], limit("D5", "ratio"), False),
    "D6": (lambda x: x[0] / x[-1], limit("D6", "ratio"), True),
    "D7": (lambda x: sum(y == 0 for y in x) / len(x), limit("D7", "share"), True),
    "D9": (lambda x: statistics.median(x[-6:]) / min(x), limit("D9", "times"), True),
    "D10": (min, limit("D10", "level"), True),
    "D12": (min, limit("D12", "recall"), False),
    "D13": (max, limit("D13", "correlation"), True),
    "D16": (lambda x: x[-1] / x[0], limit("D16", "least"), False),
    "D17": (max, 0.0167, False),  # a third of the rate that was asked for
    "D18": (lambda x: x[-1], limit("D18", "level"), True),
    "D20": (max, 0.0, True),
    "C1": (lambda x: x[-1], limit("D1", "level"), True),
    "C2": (lambda x: x[-1], limit("D1", "level"), True),
}


@pytest.mark.parametrize("rule", SIDES)
def test_the_faulty_run_is_beyond_the_limit_and_the_mended_is_not(rule):
    judged, bound, above = SIDES[rule]
    picture = pictures()[rule]
    assert (judged(picture.faulty.values) > bound) == above
    assert (judged(picture.mended.values) > bound) != above


def test_the_numbers_are_those_of_the_run(trained):
    """D5, measured again."""
    config = next(case["config"] for case in CASES if case["case"] == "2")
    layers = Case(trained(config)).start["layers"]
    signals = [layer["signal"] / layers[-1]["signal"] for layer in layers]
    assert list(pictures()["D5"].faulty.values) == pytest.approx(signals, rel=1e-3)
