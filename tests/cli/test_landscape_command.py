"""backproplab landscape: its sentences, its figure, its numbers, what it refuses."""

import json
from xml.etree import ElementTree

import pytest

CONFIG = """data: {name: circle, samples: 60}
model: {hidden: [4]}
learning_rate: 0.05
epochs: 3
tensorboard: off
"""


@pytest.fixture
def runs(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(CONFIG)
    for words in ("name=one", "name=two seed=2", "name=other model.hidden=[3]"):
        assert backproplab(f"train c.yaml {words} --progress none").code == 0
    return backproplab


def test_what_it_shows(runs):
    around = runs("landscape one --points 5")
    assert around.code == 0, around.err
    for word in ("one, last weights: train loss", "along a random direction", "5 × 5 points",
                 "largest eigenvalues of the Hessian"):  # fmt: skip
        assert word in around.out
    assert runs("landscape one --points 5").out == around.out
    assert "at two" not in around.out
    assert "two: " in runs("landscape one --to two --points 5").out
    path = "3 epochs, 4 places, trained again; two directions hold"
    assert path in runs("landscape one --path --points 5").out
    assert "best weights" in runs("landscape one --weights best --points 5").out


def test_its_figure_and_its_numbers(runs, tmp_path):
    ended = runs("landscape one --points 5 --svg l.svg --json")
    tree = json.loads(ended.out)
    assert "wrote l.svg" in ended.err
    ElementTree.parse(tmp_path / "l.svg")
    losses = tree["plane"]["losses"]
    assert losses[2][2] == tree["loss"]["train"]
    assert len(tree["line"]["places"]) == 9
    assert len(tree["eigenvalues"]["largest"]) == 3
    drawn = runs("landscape one --points 5 --svg - --theme dark")
    ElementTree.fromstring(drawn.out)


# words after the command, exit code, part of the message
BAD = {
    "no run": ("nothing", 5, "nothing"),
    "two questions": ("one --path --to two", 2, "leave out --to and --weights"),
    "best path": ("one --path --weights best", 2, "leave out --to and --weights"),
    "no reach": ("one --reach 0", 2, "--reach 0: must be above 0"),
    "nan": ("one --reach nan", 2, "must be above 0"),
    "few points": ("one --points 3", 2, "--points"),
    "theme": ("one --theme blue", 2, "--theme blue: choose light or dark"),
    "no folder": ("one --svg nowhere/f.svg", 2, "there is no folder nowhere"),
    "a folder": ("one --svg runs", 7, "is not a regular file"),
    "another network": ("one --to other", 5, "has other weights than"),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BAD)
def test_bad_command_lines(runs, case):
    words, code, message = BAD[case]
    ended = runs(f"landscape {words}")
    assert message in ended.err
    assert (ended.code, ended.out) == (code, "")
