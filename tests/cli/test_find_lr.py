"""backproplab find-lr: a suggestion that trains, a figure that destroys nothing, no logs."""

import re
from pathlib import Path

import pytest

from backproplab.config import load
from backproplab.experiment import build, find_learning_rate, run
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
    ended = backproplab("find-lr c.yaml --seeds 1")
    assert ended.code == 0, ended.err
    word = re.search(r"^try it  (learning_rate=\S+)$", ended.out, re.MULTILINE)[1]
    result = run(load(config, word), tmp_path / "run")
    assert result.metrics["val_accuracy"] > 0.85


def test_it_writes_its_figure_and_nothing_else(backproplab, config, tmp_path):
    ended = backproplab("find-lr c.yaml name=first --steps 40 --seeds 2")
    assert names(tmp_path) == ["c.yaml", "find-lr-first.svg"]
    assert "figure  find-lr-first.svg" in ended.out
    assert ended.err == ""
    again = backproplab(
        "find-lr c.yaml name=first --steps 40 --seeds 2"
    )  # its own figure is drawn anew
    assert (again.code, again.out) == (0, ended.out)


def test_the_table_begins_at_min_and_ends_at_max(backproplab, config):
    out = backproplab("find-lr c.yaml --min 1e-4 --max 1e-2 --steps 30 --seeds 2").out
    rows = [line.split() for line in out.splitlines()[1:14]]
    assert [len(row) for row in rows] == [4] * 13
    assert (rows[0][0], rows[-1][0]) == ("1.00e-04", "1.00e-02")
    assert "a larger --max may show more" in out


LIMITS = {
    "sgd": "2/λ is ",
    "momentum": "2(1+β)/λ is ",
    "adam": "adam has no limit by the curvature",
}


@pytest.mark.parametrize("optimizer", LIMITS)
def test_it_goes_on_until_the_loss_blows_up(backproplab, config, optimizer):
    """Without --max no rate is suggested that the range test did not pass."""
    config.write_text(CONFIG.replace("OPTIMIZER", optimizer))
    out = backproplab("find-lr c.yaml --steps 160 --seeds 1").out
    stable = float(re.search(r"^largest stable rate (\S+):", out, re.MULTILINE)[1])
    blown = float(re.search(r"it blows up at (\S+)$", out, re.MULTILINE)[1])
    tried = float(re.search(r"^try it  learning_rate=(\S+)$", out, re.MULTILINE)[1])
    assert 1e-6 <= tried <= stable <= blown
    assert "does not rise" not in out
    assert LIMITS[optimizer] in out


def test_the_course_s_first_experiment(backproplab, tmp_path):
    """Its loss falls until a rate near 20: a --max of 1 is not enough, and it says so. Its run has
    30 updates, and so have the trials."""
    path = Path(__file__).parents[2] / "configs" / "exp1.yaml"
    whole = backproplab(f"find-lr {path} --steps 160 --seeds 1")
    assert "largest stable rate 1" in whole.out
    assert "30 updates with" in whole.out
    assert 3 < float(whole.out.rsplit("=", 1)[1]) < 20
    cut = backproplab(f"find-lr {path} --max 1 --steps 40 --seeds 1")
    assert "the loss does not rise until the last rate, 1: a larger --max may show more" in cut.out
    assert "largest stable" not in cut.out
    assert "try it  learning_rate=1\n" in cut.out


@pytest.mark.slow
def test_overrides_and_short_last_batches_and_every_batch_mode(backproplab, config):
    for mode in ("batch", "stochastic", "minibatch"):
        ended = backproplab(
            f"find-lr c.yaml batch_mode={mode} batch_size=1000 --steps 20 --seeds 1"
        )
        assert "learning rate" in ended.out


@pytest.mark.parametrize("form", ["png", "pdf", "SVG"])
def test_the_figure_goes_where_and_as_it_is_asked(backproplab, config, tmp_path, form):
    assert backproplab(f"find-lr c.yaml --figure curve.{form} --steps 30 --seeds 1").code == 0
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
    ended = backproplab("find-lr c.yaml optimizer=sgd --min 9000 --max 10000 --steps 40 --seeds 2")
    assert ended.code == 1
    assert "no rate between 9000 and" in ended.err
    assert "try it" not in ended.out
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
    "no seeds": ("c.yaml --seeds 0", "--seeds"),
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


# of each config, from a sweep over learning rates 1e-4, 3.16e-4, ..., 31.6 (12 of them, 5 seeds):
# the best rate, its mean best val_loss, and the mean val_loss before training
GRIDS = {
    "xor": (0.316, 4.04e-5, 0.801),
    "spiral": (0.0316, 0.0118, 0.762),
    "regression": (0.1, 0.00353, 0.405),
    "quickstart": (0.00316, 0.130, 2.61),
    "tabular": (0.316, 0.0, 1.25),
    "exp1": (10.0, 0.186, 2.53),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRIDS)
def test_the_suggestion_is_as_good_as_a_grid_s_best(name, tmp_path):
    """Within a factor 3 of its rate, or at most 1.3 times its loss and a hundredth of the first."""
    experiment = load(Path(__file__).parents[2] / "configs" / f"{name}.yaml")
    rate = find_learning_rate(build(experiment), 1e-6, 1e4).suggested
    best, loss, before = GRIDS[name]
    if best / 3 <= rate <= 3 * best:
        return
    seeds = range(experiment.seed, experiment.seed + 5)
    runs = [
        experiment.model_copy(update={"learning_rate": rate, "seed": seed, "name": f"s{seed}"})
        for seed in seeds
    ]
    losses = [run(one, tmp_path / one.name).best["val_loss"] for one in runs]
    assert sum(losses) / len(losses) <= 1.3 * loss + 0.01 * before
