"""Names of folders in any script, and cells that no spreadsheet computes."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.config.loading import read
from backproplab.errors import ConfigError
from backproplab.files import is_plain_name, plain_name
from backproplab.text import csv_cell

SCRIPTS = {
    "Опыт 1": "Опыт-1",
    "实验二": "实验二",
    "実験 テスト": "実験-テスト",
    "실험": "실험",
    "πείραμα": "πείραμα",
    "ניסוי": "ניסוי",
    "تجربة": "تجربة",
    "प्रयोग": "प्रयोग",
    "การทดลอง": "การทดลอง",
    "e\u0301tude": "\u00e9tude",  # composed
    "ｗｉｄｅ": "wide",
    "exp 1": "exp-1",
    "../../etc": "etc",
    "a..b": "a.b",
    "-rf": "rf",
    ".hidden": "hidden",
    "a/b\\c": "a-b-c",
    "new\nline\x1b[0m": "new-line-0m",
    "x\u202egnp": "x-gnp",  # a control that turns the direction of writing
    "🙂": "",
    "": "",
}


@pytest.mark.parametrize(("text", "name"), SCRIPTS.items(), ids=ascii)
def test_a_name_keeps_its_letters(text, name):
    assert plain_name(text) == name
    assert not name or is_plain_name(name)


@given(st.text(max_size=300))
def test_any_text_gives_a_safe_name_or_none(text):
    name = plain_name(text)
    assert not name or is_plain_name(name)
    assert plain_name(name) == name
    assert len(name) <= 80
    assert len(name.encode()) <= 200
    assert not {*name} & {*"/\\\0\n\t *?:<>|\"'$`"}


@pytest.mark.parametrize("stem", [stem for stem, name in SCRIPTS.items() if name and "/" not in stem and "\n" not in stem], ids=ascii)  # fmt: skip
def test_a_config_in_any_script_names_its_run(tmp_path, stem):
    path = tmp_path / f"{stem}.yaml"
    path.write_text("data: circle\n")
    assert read(path)[0].name == SCRIPTS[stem]
    path.write_text(f"data: circle\nname: '{SCRIPTS[stem]}'\n")
    assert read(path)[0].name == SCRIPTS[stem]


def test_two_configs_of_one_name_are_reported(backproplab, tmp_path):
    for name in ("опыт 1.yaml", "опыт-1.yaml"):
        (tmp_path / name).write_text("data: circle\n")
    ended = backproplab("train 'опыт 1.yaml' опыт-1.yaml")
    assert ended.code == 2
    assert "two experiments are named" in ended.err


@pytest.mark.parametrize("name", ["e\u0301", "a b", "a/b", ".a", "_a", "a..b", "x" * 81, "字" * 70, "\u0301a", "a\u200b"], ids=ascii)  # fmt: skip
def test_what_is_no_plain_name(tmp_path, name):
    assert not is_plain_name(name)
    (tmp_path / "c.yaml").write_text(f"data: circle\nname: '{name}'\n")
    with pytest.raises(ConfigError):
        read(tmp_path / "c.yaml")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_begins_like_a_formula_is_marked_as_text(start):
    assert csv_cell(f"{start}cmd|' /C calc'!A0") == f"'{start}cmd|' /C calc'!A0"
    assert csv_cell(f"a{start}") == f"a{start}"


@pytest.mark.parametrize("value", [-1, -0.5, "-0.5", "+3", "-inf", "-1e-05", "", None, "nan", True])
def test_numbers_stay(value):
    assert csv_cell(value) is value


@given(st.text(max_size=20))
def test_no_cell_is_a_formula(text):
    cell = csv_cell(text)
    if cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        float(cell)
    assert cell.removeprefix("'") == text.removeprefix("'")
    line = io.StringIO()
    csv.writer(line).writerow([cell])
    assert next(csv.reader([line.getvalue()], strict=True), [""])[0] in (cell, "") or "\n" in text
