"""backproplab find-lr: a suggestion that trains, a figure that destroys nothing, no logs."""

import re
from pathlib import Path

import pytest

from backproplab.config import load
from backproplab.experiment import run
from backproplab.report.range_figure import SIGNATURE

CONFIG = """data: {name: digits, validation_split: 0.2}
model: {hidden: [32]}
optimizer: OPTIMIZER
epochs: 3
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(CONFIG.replace("OPTIMIZER", "adam"))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_what_it_suggests_trains(backproplab, config, tmp_path, optimizer):
    config.write_text(CONFIG.replace("OPTIMIZER", optimizer))
    ended = backproplab("find-lr c.yaml")
    assert ended.code == 0, ended.err
    word = re.search(r"^try it  (learning_rate=\S+)$", ended.out, re.MULTILINE)[1]
    result = run(load(config, word), tmp_path / "run")
    assert result.metrics["val_accuracy"] > 0.85


def test_it_writes_its_figure_and_nothing_else(backproplab, config, tmp_path):
    ended = backproplab("find-lr c.yaml name=first")
    assert names(tmp_path) == ["c.yaml", "find-lr-first.svg"]
    assert "figure  find-lr-first.svg" in ended.out
    assert ended.err == ""
    again = backproplab("find-lr c.yaml name=first")  # its own figure is drawn anew
    assert (again.code, again.out) == (0, ended.out)


def test_the_table_begins_at_min_and_ends_at_max(backproplab, config):
    out = backproplab("find-lr c.yaml --min 1e-4 --max 1e-2 --steps 30").out
    rows = [line.split() for line in out.splitlines()[1:14]]
    assert [len(row) for row in rows] == [3] * 13
    assert (rows[0][0], rows[-1][0]) == ("1.00e-04", "1.00e-02")
    assert "a larger --max may show more" in out


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam", "rmsprop"])
def test_it_goes_on_until_the_loss_blows_up(backproplab, config, optimizer):
    """Without --max no rate is recommended that the run did not pass."""
    config.write_text(CONFIG.replace("OPTIMIZER", optimizer))
    out = backproplab("find-lr c.yaml").out
    blown = float(re.search(r"^the loss blows up at (\S+)$", out, re.MULTILINE)[1])
    least = float(re.search(r"^least loss at (\S+),", out, re.MULTILINE)[1])
    tried = float(re.search(r"^try it  learning_rate=(\S+)$", out, re.MULTILINE)[1])
    assert 1e-6 <= tried < least < blown
    assert "still falls" not in out


def test_the_course_s_first_experiment(backproplab, tmp_path):
    """Its loss falls until a rate near 20: a --max of 1 is not enough, and it says so."""
    path = Path(__file__).parents[2] / "configs" / "exp1.yaml"
    whole = backproplab(f"find-lr {path}")
    assert "the loss blows up at 26" in whole.out
    assert "try it  learning_rate=1.7" in whole.out
    cut = backproplab(f"find-lr {path} --max 1 --steps 100")
    assert "the loss still falls at the last rate, 1: a larger --max may show more" in cut.out
    assert "least loss" not in cut.out
    assert "try it  learning_rate=0.5" in cut.out  # the steepest fall, not a tenth of the end


def test_overrides_and_short_last_batches_and_every_batch_mode(backproplab, config):
    for mode in ("batch", "stochastic", "minibatch"):
        ended = backproplab(f"find-lr c.yaml batch_mode={mode} batch_size=1000 --steps 20")
        assert "learning rate" in ended.out


@pytest.mark.parametrize("form", ["png", "pdf", "SVG"])
def test_the_figure_goes_where_and_as_it_is_asked(backproplab, config, tmp_path, form):
    assert backproplab(f"find-lr c.yaml --figure curve.{form}").code == 0
    assert SIGNATURE in (tmp_path / f"curve.{form}").read_bytes()
    assert names(tmp_path) == sorted(["c.yaml", f"curve.{form}"])


def test_a_file_that_is_not_ours_is_left_alone(backproplab, config, tmp_path):
    (tmp_path / "find-lr-c.svg").write_text("<svg>mine</svg>")
    (tmp_path / "link.svg").symlink_to("elsewhere.svg")
    (tmp_path / "folder.svg").mkdir()
    for words in ("", "--figure find-lr-c.svg", "--figure link.svg", "--figure folder.svg"):
        ended = backproplab(f"find-lr c.yaml {words}")
        assert (ended.code, ended.out) == (7, "")
        assert "is no figure of ours — choose with --figure" in ended.err
    assert (tmp_path / "find-lr-c.svg").read_text() == "<svg>mine</svg>"


def test_where_nothing_falls_it_says_so_and_ends_with_1(backproplab, config, tmp_path):
    ended = backproplab("find-lr c.yaml optimizer=sgd --min 9000 --max 10000")
    assert ended.code == 1
    assert "the loss falls nowhere between 9000 and" in ended.err
    assert "try it" not in ended.out
    assert "least loss at" not in ended.out
    assert "find-lr-c.svg" in names(tmp_path)  # to be looked at


def test_no_room_for_the_figure_is_told_before_anything_is_trained(backproplab, config):
    ended = backproplab("find-lr c.yaml --figure nowhere/f.svg")
    assert ended.code == 2
    assert "--figure nowhere/f.svg: there is no folder nowhere" in ended.err
    assert not ended.out


# words after the command, part of the message
BAD = {
    "min above max": ("c.yaml --min 1 --max 0.1", "--min 1 and --max 0.1: must be 0 < min < max"),
    "min is max": ("c.yaml --min 0.1 --max 0.1", "must be 0 < min < max"),
    "no min": ("c.yaml --min 0", "must be 0 < min < max"),
    "negative": ("c.yaml --min -1e-3", "must be 0 < min < max"),
    "nan": ("c.yaml --max nan", "must be 0 < min < max"),
    "infinite": ("c.yaml --max inf", "<= 10000"),
    "a word": ("c.yaml --min tiny", "Invalid value for '--min'"),
    "few steps": ("c.yaml --steps 5", "--steps"),
    "form": ("c.yaml --figure curve.gif", "--figure curve.gif: must end in one of .svg, .png, .pdf"),
    "no form": ("c.yaml --figure curve", "must end in one of"),
    "no config": ("", "Missing argument 'CONFIG'"),
    "no such config": ("d.yaml", "d.yaml: no such file"),
    "bad key": ("c.yaml optimzer=sgd", "did you mean 'optimizer'?"),
    "does not fit": ("c.yaml batch_size=99999", "is larger than the"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_command_lines(backproplab, config, tmp_path, case):
    words, message = BAD[case]
    ended = backproplab(f"find-lr {words}")
    assert message in ended.err
    assert (ended.code, ended.out) == (2, "")
    assert names(tmp_path) == ["c.yaml"]
