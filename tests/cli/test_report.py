"""backproplab report: one file at the given path, which overwrites no other file."""

import re
from base64 import b64decode
from xml.etree import ElementTree

import pytest

CONFIG = """data: {name: circle, samples: 60, validation_split: 0.3}
model: {hidden: [4]}
optimizer: sgd
epochs: 2
tensorboard: {histograms: 0}
"""


@pytest.fixture
def trained(backproplab, tmp_path):
    for name, rate in {"a": 0.1, "b": 0.5}.items():
        (tmp_path / f"{name}.yaml").write_text(f"{CONFIG}learning_rate: {rate}\n")
    assert backproplab("train a.yaml b.yaml --progress none").code == 0
    return next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())


def test_it_writes_one_page(backproplab, trained, tmp_path):
    before = {path.name for path in tmp_path.iterdir()}
    ended = backproplab("report")
    assert (ended.code, ended.err) == (0, "")
    file = tmp_path / f"report-{trained.name}.html"
    assert ended.out == f"report  {file.name}\n"
    assert {path.name for path in tmp_path.iterdir()} == before | {file.name}
    page = file.read_text()
    assert "<h1>learning_rate on circle</h1>" in page
    assert (page.count('class="panel"'), page.count('class="fig"')) == (
        2,
        1,
    )  # loss, accuracy; the rate
    assert f'href="runs/{trained.name}/a/"' in page
    backproplab("report")
    assert file.read_text() == page  # its own is written anew, byte for byte


def test_one_run_where_it_is_asked(backproplab, trained, tmp_path):
    assert backproplab("report a --out one.html --metric val_accuracy").code == 0
    page = (tmp_path / "one.html").read_text()
    assert "<h1>a</h1>" in page
    assert "<code>val_accuracy</code> at each run’s best epoch; larger is better." in page


def pictures(page):
    """The words of every drawing of the landscape, by theme: (dark, light)."""
    found = re.findall(r'srcset="data:image/svg\+xml;base64,(.*?)"><img src="data:.*?,(.*?)"', page)
    for pair in found:
        roots = [ElementTree.fromstring(b64decode(drawing)) for drawing in pair]
        yield tuple("".join(root.itertext()) for root in roots)


@pytest.mark.slow
def test_the_landscape_of_the_best_run(backproplab, tmp_path):
    """Around it, its path if it was kept, the line to the other run; the same bytes each time."""
    for name, rate in {"a": 0.1, "b": 0.5}.items():
        (tmp_path / f"{name}.yaml").write_text(f"{CONFIG}learning_rate: {rate}\ntrajectory: 1\n")
    assert backproplab("train a.yaml b.yaml --progress none").code == 0
    ended = backproplab("report --landscape --out one.html")
    assert (ended.code, ended.err) == (0, "")
    page = (tmp_path / "one.html").read_text()
    around, path, line = pictures(page)
    for drawn, word in ((around, "second random"), (path, "second principal"), (line, "this run")):
        assert drawn[0] == drawn[1]
        assert word in drawn[0]
    assert "Path: 2 epochs, 3 places, from its trajectory" in page
    assert "largest eigenvalues of the Hessian" in page
    backproplab("report --landscape --out one.html")
    assert (tmp_path / "one.html").read_text() == page
    backproplab("report --out plain.html")
    assert "landscape" not in (tmp_path / "plain.html").read_text()


def test_a_run_without_a_landscape_is_a_warning(backproplab, tmp_path):
    text = "objective: {function: quadratic}\nsteps: 5\ntensorboard: off\n"
    (tmp_path / "a.yaml").write_text(text)
    backproplab("train a.yaml --progress none")
    ended = backproplab("report --landscape --out one.html")
    assert ended.code == 0
    assert "no loss landscape" in ended.err
    assert "Warning: no loss landscape" in (tmp_path / "one.html").read_text()


def test_the_next_command_can_be_typed(backproplab, tmp_path):
    """One run says nothing about chance: the same with five seeds would."""
    (tmp_path / "a.yaml").write_text(f"{CONFIG}learning_rate: 0.1\n")
    backproplab("train a.yaml --progress none")
    backproplab("report --out one.html")
    command = re.search(
        r"Next </b><code>backproplab (.*?)</code>", (tmp_path / "one.html").read_text()
    )[1]
    assert command == "sweep a.yaml --seeds 5"
    ended = backproplab(f"{command} --dry-run")
    assert (ended.code, ended.out.splitlines()[-1]) == (0, "1 trial, 5 seeds: 5 runs")


def test_bad_places(backproplab, trained, tmp_path):
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "link.html").symlink_to("elsewhere.html")
    cases = [
        ("report --out mine.html", 7),
        ("report --out link.html", 7),
        ("report --out r.txt", 2),
        ("report --out no/r.html", 6),
        ("report --metric zzz", 2),
    ]
    for words, code in cases:
        ended = backproplab(words)
        assert (ended.code, ended.out) == (code, ""), words
    assert (tmp_path / "mine.html").read_text() == "mine"
    assert not list(tmp_path.glob("report-*"))
