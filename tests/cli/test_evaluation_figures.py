"""evaluate --figures and --by: what is written, what is shown, what is refused."""

import json

import pytest

import backproplab as bpl
from backproplab.config import load

ROWS = "age,city,buys\n" + "".join(
    f"{20 + i % 50},{('Ulm', 'Bonn')[i % 2]},{('no', 'yes')[i % 50 > 25]}\n" for i in range(100)
)
FILES = {"confusion.svg", "roc.svg", "precision_recall.svg", "calibration.svg", "importance.svg"}


@pytest.fixture
def trained(backproplab, tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "c.yaml").write_text(
        "data: t.csv\nmodel: {hidden: []}\nepochs: 2\ntensorboard: off\n"
    )
    bpl.run(load(tmp_path / "c.yaml"), tmp_path / "run")
    return backproplab


@pytest.mark.slow
def test_a_folder_of_figures(trained, tmp_path):
    ended = trained("evaluate run --figures out")
    assert ended.code == 0, ended.err
    assert "wrote out: confusion.svg, roc.svg" in ended.err
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES, "figures.json"}
    numbers = json.loads((tmp_path / "out" / "figures.json").read_text())
    assert numbers["of"] == "run, validation"
    assert numbers["roc"].keys() == {"yes"}
    first = (tmp_path / "out" / "roc.svg").read_bytes()
    assert trained("evaluate run --figures out").code == 0
    assert (tmp_path / "out" / "roc.svg").read_bytes() == first
    dark = trained("evaluate run t.csv --figures out --by city --theme dark")
    assert "groups.svg" in dark.err
    assert (tmp_path / "out" / "roc.svg").read_bytes() != first


def test_groups_in_a_table_and_as_json(trained):
    shown = trained("evaluate run --by city").out
    assert "city  rows" in shown
    assert "Bonn" in shown
    found = json.loads(trained("evaluate run t.csv --by city --json").out)
    assert {name: row["rows"] for name, row in found["groups"].items()} == {"Bonn": 50, "Ulm": 50}
    assert found["data"]["rows"] == 100


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("--by town", 4, "--by: there is no column 'town'"),
        ("--figures none/out", 2, "there is no folder none"),
        ("--figures t.csv", 7, "t.csv is no folder"),
        ("--figures linked", 7, "linked is no folder"),
        ("--figures taken", 7, "taken/roc.svg is not a regular file"),
        ("--figures out --theme pink", 2, "choose light or dark"),
    ],
)
def test_what_is_refused_leaves_nothing(words, code, message, trained, tmp_path):
    (tmp_path / "linked").symlink_to(tmp_path)
    (tmp_path / "taken" / "roc.svg").mkdir(parents=True)
    ended = trained(f"evaluate run {words}")
    assert ended.code == code
    assert message in ended.err
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "taken").iterdir()] == ["roc.svg"]
