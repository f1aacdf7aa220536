"""backproplab runs: the newest first, no more than can be read."""

import csv
import json
import os
import re
import subprocess
import sys

import pytest

from backproplab.cli.runs import ROWS
from backproplab.runs import create_session, experiment_folder, open_log_root


@pytest.fixture
def many(tmp_path):
    """One run more than are listed, each a second newer than the one before."""
    session = create_session(open_log_root(tmp_path / "runs"))
    for number in range(ROWS + 1):
        record = {"format": 1, "status": "completed", "started": f"2026-01-01T00:{number:02}:00"}
        folder = experiment_folder(session, f"r{number}")
        folder.mkdir()
        (folder / "run.json").write_text(json.dumps(record))


def names(ended):
    return [line.split()[1] for line in ended.out.splitlines() if "✓ completed" in line]


def test_the_newest_are_listed_and_the_rest_is_counted(backproplab, many):
    ended = backproplab("runs")
    assert names(ended) == [f"r{number}" for number in range(ROWS, 0, -1)]
    assert ended.out.endswith(f"… and 1 older run: --top {ROWS + 1}\n")
    assert names(backproplab("runs --top 2")) == [f"r{ROWS}", f"r{ROWS - 1}"]
    every = backproplab(f"runs --top {ROWS + 1}")
    assert len(names(every)) == ROWS + 1
    assert "older" not in every.out
    assert backproplab("runs --top 0").code == 2


@pytest.fixture
def swept(backproplab, tmp_path):
    """A run, a sweep of 2 × 2 runs, and a run after it."""
    (tmp_path / "c.yaml").write_text("{data: iris, model: {hidden: [4]}, epochs: 6, name: c}\n")
    for words in ("train c.yaml --name before", "sweep c.yaml learning_rate=0.1,0.01 --seeds 2 -j 1",
                  "train c.yaml --name after"):  # fmt: skip
        assert backproplab(f"{words} --progress none").code == 0
    return next((tmp_path / "runs").glob("*/results.csv"))


def cells(line):
    return re.split(r"\s{2,}", line.strip())


def test_a_sweep_is_one_row_and_its_runs_keep_their_numbers(backproplab, swept):
    head, after, sweep, before = (cells(x) for x in backproplab("runs").out.splitlines()[:4])
    rows = [dict(zip(head, row, strict=True)) for row in (after, sweep, before)]
    assert [(row["#"], row["run"], row["status"]) for row in rows] == [
        ("1", "after", "✓ completed"), ("2-5", "c", "✓ 4"), ("6", "before", "✓ completed")
    ]  # fmt: skip
    with swept.open(newline="") as file:
        best = next(csv.DictReader(file))
    assert rows[1]["val_loss"] == f"{float(best['val_loss']):.4f}"
    assert re.fullmatch("[▁▂▃▄▅▆▇█]{6}", rows[1]["curve"])
    for number, name in ((1, "after"), (6, "before")):
        assert f" {name} · 6 of 6 epochs" in backproplab(f"show {number}").out
    assert swept.parent.name in backproplab("show 3").out


def test_the_runs_of_a_sweep_stand_by_what_was_swept(backproplab, swept):
    head, *rows = (cells(x) for x in backproplab(f"runs {swept.parent.name}").out.splitlines()[:5])
    assert head[:4] == ["#", "learning_rate", "seed", "status"]
    assert [row[0] for row in rows] == ["2", "3", "4", "5"]
    assert sorted(row[1] for row in rows) == ["0.01", "0.01", "0.1", "0.1"]
    assert {row[3] for row in rows} == {"✓ completed"}


def test_the_value_and_the_marked_step_are_the_best_epoch_s(backproplab, swept):
    run = next(path.parent for path in swept.parent.parent.glob("*/after/run.json"))
    best = json.loads((run / "run.json").read_text())["best"]
    row = dict(zip(*(cells(x) for x in backproplab("runs").out.splitlines()[:2]), strict=True))
    assert row["val_loss"] == f"{best['val_loss']:.4f}"
    assert row["val_accuracy"] == f"{best['val_accuracy']:.4f}"


def test_signs_that_an_encoding_lacks_are_left_out_and_so_is_the_curve(swept):
    command = [sys.executable, "-m", "backproplab"]
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    outputs = [
        subprocess.run([*command, *words.split()], env=environment, cwd=swept.parents[2],
                       capture_output=True, check=True).stdout.decode("ascii")
        for words in ("runs", "show 1")
    ]  # fmt: skip
    assert "curve" not in outputs[0]
    assert [cells(line)[2] for line in outputs[0].splitlines()[1:4]] == [
        "completed", "4 of 4", "completed"
    ]  # fmt: skip
    lines = outputs[0].splitlines()[:4]
    assert (
        len(
            {
                line.index(word)
                for line, word in zip(lines, ("status", "com", "4 of", "com"), strict=True)
            }
        )
        == 1
    )
    assert outputs[1].startswith("completed  after . 6 of 6 epochs . 24 updates . ")
