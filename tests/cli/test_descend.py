"""backproplab descend, as it is typed."""

from xml.etree import ElementTree

import pytest


def test_several_rates_have_a_line_and_a_reason_each(backproplab):
    ended = backproplab("descend '(x - 3)**2' x=0 learning_rate=0.01,0.4,0.95,1.05")
    assert (ended.code, ended.err) == (0, "")
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["0.01", "a", "minimum", "slow", "739"] in [row[:5] for row in rows]
    assert ["1.05", "gone", "oscillating", "61"] in [row[:4] for row in rows]
    assert "0.95 lies between 1/λ = 0.5 and 2/λ = 1" in ended.out


def test_one_run_shows_its_steps(backproplab):
    ended = backproplab("descend '(x - 3)**2' x=0 learning_rate=0.95")
    rows = [line.split() for line in ended.out.splitlines()]
    assert ["0", "0", "9", "-6", "+5.7"] in rows
    assert ["7", "4.434891", "2.059", "2.87", "-2.726"] in rows
    assert ["142", "2.999999", "9.102e-13", "-1.908e-06"] in rows
    assert (
        len(backproplab("descend '(x - 3)**2' x=0 learning_rate=0.4 --table").out.splitlines()) > 14
    )


def test_a_figure(backproplab, tmp_path):
    ended = backproplab("descend quadratic optimizer=sgd,momentum,adam --svg q.svg --theme dark")
    assert (ended.code, ended.err) == (0, "wrote q.svg\n")
    ElementTree.parse(tmp_path / "q.svg")
    ElementTree.fromstring(backproplab("descend '(x - 3)**2' x=0 --svg -").out)


def test_files_are_checked_before_the_first_is_written(backproplab, tmp_path):
    (tmp_path / "folder").mkdir()
    ended = backproplab("descend 'x**2' x=1 --svg folder")
    assert (ended.code, "is not a regular file" in ended.err) == (7, True)
    ended = backproplab("descend 'x**2' x=1 --svg a --png a")
    assert (ended.code, "two outputs have the same file" in ended.err) == (2, True)
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_page_that_moves_and_logs(backproplab, tmp_path):
    words = "descend '(x - 3)**2' x=0 learning_rate=0.4,0.95"
    ended = backproplab(f"{words} --animate page.html --log-dir logs")
    assert ended.code == 0
    assert "wrote page.html" in ended.err
    assert f"wrote logs: backproplab tensorboard {tmp_path / 'logs'}" in ended.err
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert len(list((tmp_path / "logs").glob("*/events.out.tfevents.*"))) == 2
    again = backproplab(f"{words} --log-dir logs")
    assert (again.code, "is not empty — choose another --log-dir" in again.err) == (7, True)
    piped = backproplab(f"{words} --animate -")
    assert piped.out == (tmp_path / "page.html").read_text()
    no_file = backproplab(f"{words} --png -")
    assert (no_file.code, "--png writes a file, not to stdout" in no_file.err) == (2, True)


WRONG = {
    "a film": ("'x**2' x=1 --animate f.mp4", "--animate f.mp4: must end in .html or .gif"),
    "no start": ("'x**2 + y' x=1", "no start for y — add for example y=1"),
    "a misspelt name": ("rosenbrok x=1 y=1", "rosenbrok: is no function's name — did you mean 'rosenbrock'?"),
    "no variable": ("'1 + 1'", "is a constant: it has no variable to change"),
    "three": ("'x + y + z' x=1 y=1 z=1", "one or two variables, this has 3"),
    "vector": ("'[x, y]' x=1 y=1", "the value of the function must be a number"),
    "unknown word": ("'x**2' x=1 learning_rat=0.1", "did you mean 'learning_rate'?"),
    "optimizer": ("'x**2' x=1 optimizer=adm", "did you mean 'adam'?"),
    "second order": ("'x**2' x=1 optimizer=newton", "is not an optimizer here"),
    "schedule": ("'x**2' x=1 schedule=cosin", "did you mean 'cosine'?"),
    "rate": ("'x**2' x=1 learning_rate=-1", "must be 0 or more"),
    "no number": ("'x**2' x=one", "must be a finite number"),
    "pairs": ("'x + y' x=1,2 y=1,2,3", "starts are pairs"),
    "pair": ("'x**2' x=1 optimizer=sgd,adam learning_rate=1 --pair", "give each optimizer its rate"),
    "many": ("'x**2' x=1,2,3,4,5 learning_rate=1,2,3,4,5", "25 runs in one command; at most 24"),
    "steps": ("'x**2' x=1 steps=1e9", "a whole number from 1 to 200,000"),
    "setting": ("'x**2' x=1 optimizer=momentum momentum=2", "momentum"),
    "theme": ("'x**2' x=1 --theme blue", "choose light or dark"),
    "twice": ("'x**2' x=1 x=2", "is given twice"),
    "hostile": ("'__import__(\"os\")' x=1", "is not allowed"),
    "power tower": ("'x**10**10**10' x=1", ""),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_mistakes_end_at_once(backproplab, tmp_path, case):
    words, message = WRONG[case]
    ended = backproplab(f"descend {words}")
    assert ended.code == 2 or case == "power tower"
    assert message in ended.err
    assert list(tmp_path.iterdir()) == []
