"""backproplab compare, diff and export on runs that were trained for real."""

import csv
import io
import json
import shutil

import pytest

from backproplab.cli.compare import ROWS
from backproplab.passes import Passes

CONFIG = """data: {name: circle, samples: 60, validation_split: 0.3}
model: {hidden: [4]}
optimizer: sgd
epochs: 3
tensorboard: {histograms: 0}
"""


@pytest.fixture
def trained(backproplab, tmp_path):
    """3 learning rates × 2 seeds in one session; the last rate diverges."""
    names = []
    for rate in ("0.1", "0.5", "1e4"):
        for seed in (1, 2):
            name = f"r{rate}-s{seed}"
            (tmp_path / f"{name}.yaml").write_text(f"{CONFIG}learning_rate: {rate}\nseed: {seed}\n")
            names.append(f"{name}.yaml")
    ended = backproplab(f"train {' '.join(names)} --progress none")
    assert ended.code in (0, 3), ended.err
    return next(path for path in (tmp_path / "runs").iterdir() if path.is_dir())


def test_compare(backproplab, trained):
    ended = backproplab("compare")
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"{trained.name}  3 trials × 2 seeds"
    assert lines[1].split()[:3] == ["#", "learning_rate", "val_loss"]
    assert "±" in lines[2]
    said = {line[:8].strip(): line[8:] for line in lines[6:]}
    assert said.keys() >= {"equal", "read"}
    assert said["equal"] == "✓ data per seed, ✓ initial weights per seed, ✓ batch order per seed"


def test_options(backproplab, trained):
    best = backproplab("compare --top 1 --cols run,val_loss --no-group-seeds --format json").out
    last = backproplab("compare --top 1 --no-group-seeds --max --metric val_loss --format json").out
    value = lambda text: json.loads(text)["trials"][0]["metrics"]["val_loss"]["mean"]
    assert value(best) < value(last)
    rows = list(
        csv.reader(io.StringIO(backproplab("compare --format csv --cols learning_rate").out))
    )
    assert sorted(row[1] for row in rows) == ["0.1", "0.5", "10000.0", "learning_rate"]
    assert backproplab(f"compare {trained.name} --format md").out.startswith("| # |")
    assert backproplab("compare r0.1-s1 r0.1-s2 --no-group-seeds").out.splitlines()[3][0] == "2"


def test_a_long_table_ends_with_how_many_are_not_shown(backproplab, trained):
    lines = backproplab("compare --top 1").out.splitlines()
    assert lines[2].split()[0] == "1"
    assert lines[3] == "… and 2 more trials: --top 3"
    for number in range(ROWS):
        folder = shutil.copytree(trained / "r0.1-s1", trained / f"copy{number}")
        config = folder / "config.yaml"
        config.write_text(config.read_text().replace("rate: 0.1", f"rate: 0.2{number:02}"))
    lines = backproplab("compare").out.splitlines()
    assert lines[ROWS + 1].split()[0] == str(ROWS)
    assert lines[ROWS + 2] == f"… and 3 more trials: --top {ROWS + 3}"
    for words in (f"compare --top {ROWS + 3}", "compare --format md", "compare --format csv"):
        ended = backproplab(words)
        assert f"copy{ROWS - 1}" in ended.out
        assert "more trials" not in ended.out


def test_diff(backproplab, trained):
    ended = backproplab("diff r0.1-s1 r0.5-s1")
    assert (ended.code, ended.err) == (0, "")
    assert "learning_rate  0.1      0.5" in ended.out
    assert "metrics part at epoch 1: loss" in ended.out
    assert "same initial weights ✓" in ended.out
    same = backproplab("diff r0.1-s1 r0.1-s1")
    assert "nothing differs" in same.out
    assert "the same in 3 epochs, digit for digit" in same.out


def test_export(backproplab, trained, tmp_path):
    text = backproplab("export").out
    rows = list(csv.DictReader(io.StringIO(text)))
    assert {row["metric"] for row in rows} == {"loss", "accuracy", *Passes().row}
    assert {row["split"] for row in rows} == {"train", "validation"}
    table = (trained / "r0.1-s1" / "metrics.csv").read_text()
    assert all(row["value"] in table for row in rows if row["run"].endswith("r0.1-s1"))
    ended = backproplab("export --csv all.csv")
    assert (ended.code, ended.out) == (0, f"{len(rows)} rows in all.csv\n")
    assert (tmp_path / "all.csv").read_text() == text
    assert backproplab("export --csv all.csv").code == 0  # its own is written anew


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_the_column_step_is_no_metric_and_may_be_missing(backproplab, trained, metric):
    """A table of version 0.1 has none."""
    words = ["export", f"compare --metric {metric}", "compare --format json", "diff 1 2", "report"]
    shown = []
    for step in ({}, {"step": "7"}):
        for path in trained.glob("*/metrics.csv"):
            with path.open(newline="") as file:
                rows = [{"epoch": row["epoch"]} | step | row for row in csv.DictReader(file)]
            with path.open("w", newline="") as file:
                table = csv.DictWriter(
                    file, [n for n in rows[0] if n != "step" or step], extrasaction="ignore"
                )
                table.writeheader()
                table.writerows(rows)
        shown.append([(ended := backproplab(word)).out + ended.err for word in words])
        assert "last @ 3" in backproplab("show 1").out
    assert shown[0] == shown[1]
    assert "accuracy" in shown[0][0]


def test_a_file_that_is_not_ours_is_left_alone(backproplab, trained, tmp_path):
    (tmp_path / "mine.csv").write_text("a,b\n")
    ended = backproplab("export --csv mine.csv")
    assert ended.code == 7
    assert "mine.csv exists and is no export of ours — choose with --csv" in ended.err
    assert (tmp_path / "mine.csv").read_text() == "a,b\n"


def test_a_damaged_run_is_a_row_and_a_warning(backproplab, trained):
    (trained / "r0.1-s1" / "run.json").write_text("{]")
    ended = backproplab("compare")
    assert ended.code == 0
    assert "unreadable 1/2" in ended.out
    assert "r0.1-s1/run.json: damaged" in ended.err


# words, exit code, part of the message
BAD = {
    "no such run": ("compare zzz", 5, "no run 'zzz'"),
    "no metric": ("compare --metric val_los", 2, "did you mean 'val_loss'?"),
    "no column": ("compare --cols learning_rat", 2, "did you mean 'learning_rate'?"),
    "no top": ("compare --top 0", 2, "--top"),
    "no format": ("compare --format xml", 2, "--format"),
    "one run": ("diff r0.1-s1", 2, "Missing argument"),
    "two and nothing": ("diff r0.1-s1 zzz", 5, "no run 'zzz'"),
    "no folder": ("export --csv nowhere/x.csv", 6, "no such folder"),
}


def test_bad_command_lines(backproplab, trained):
    for words, code, message in BAD.values():
        ended = backproplab(words)
        assert (ended.code, ended.out) == (code, ""), words
        assert message in ended.err


@pytest.mark.parametrize("words", ["compare", "diff 1 2", "export", "report"])
def test_no_runs(backproplab, tmp_path, words):
    ended = backproplab(words)
    assert (ended.code, ended.out) == (5, "")
    assert "there are no runs — train one first" in ended.err
    assert list(tmp_path.iterdir()) == []
