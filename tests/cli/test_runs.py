"""backproplab runs: the newest first, no more than can be read."""

import json

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
