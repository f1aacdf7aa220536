"""A disk that fills up ends a run with exit code 6; with room again, it continues to the same bytes."""

import json
import resource

import pytest

from tests.chaos.processes import default_signals, ended
from tests.chaos.remains import check_tidy, differences, remains

TREE = {
    "data": {"name": "moons", "samples": 100, "test_split": 0.1},
    "model": {"layers": [{"dense": 6}, "tanh", {"dropout": 0.2}, {"dense": 1}]},
    "batch_size": 16,
    "epochs": 150,
    "threads": 1,
}


@pytest.mark.slow
@pytest.mark.parametrize("room", [3000, 9000, 50_000])
def test_a_file_that_cannot_grow(zygote, tmp_path, room):
    """The checkpoint's, the table's, or an event file; a torn record is cut off."""
    (tmp_path / "run.yaml").write_text(json.dumps(TREE))
    words = ["train", "run.yaml", "--progress", "none"]

    def small():
        default_signals()
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))

    program = "from backproplab.loop import pace\npace.FIRST_SAVE = pace.LEAST = 0.01\nfrom backproplab.__main__ import main\nmain()"
    code, _, err = ended(words, tmp_path, python=("-c", program), preexec_fn=small)
    assert code == 6, err
    assert "cannot write: the file would exceed the allowed size" in err
    (run,) = tmp_path.glob("runs/*/run")
    assert json.loads((run / "run.json").read_text())["status"] == "failed"
    assert zygote.run(["resume", run, "--progress", "none"], tmp_path) == 0
    check_tidy(run)
    (tmp_path / "whole").mkdir()
    assert (
        zygote.run(["train", tmp_path / "run.yaml", "--progress", "none"], tmp_path / "whole") == 0
    )
    assert differences(remains(run), remains(next(tmp_path.glob("whole/runs/*/run")))) == []
