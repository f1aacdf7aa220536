"""A run that is over and is stopped before its last record, however often: it ends where it ended."""

import json

import pytest

from backproplab.config import Experiment
from backproplab.experiment import resume, run

ENDS = {
    "patience_exhausted": {"epochs": 40, "early_stopping": {"patience": 2, "min_delta": 10.0}},
    "max_epochs": {"epochs": 3},
    "max_steps": {"epochs": 40, "steps": 7},
    "converged": {
        "epochs": 40,
        "batch_mode": "batch",
        "learner": {"gradient_descent": {"tolerance": 10.0}},
    },
    "until_reached": {"learner": {"gradient_flow": {"until": 0.1}}, "steps": 100},
}


class Stopped(Exception):
    pass


def stopped(course, *_):
    """In place of training, which is over: killed here, a run has its record and no more."""
    course.journal.close()
    raise Stopped


@pytest.mark.parametrize("reason", ENDS)
def test_it_is_over(tmp_path, monkeypatch, reason):
    data = {"name": "moons", "samples": 60}
    tree = {"data": data, "model": {"hidden": [3]}, "threads": 1}
    run(Experiment.model_validate(tree | ENDS[reason]), tmp_path / "run")
    file, table = tmp_path / "run/run.json", (tmp_path / "run/metrics.csv").read_bytes()
    whole = json.loads(file.read_text())
    assert whole["stop_reason"] == reason
    for _ in range(2):
        file.write_text(json.dumps(whole | {"status": "running", "stop_reason": ""}))
        with monkeypatch.context() as patch:
            patch.setitem(resume.__globals__, "train", stopped)
            with pytest.raises(Stopped):
                resume(tmp_path / "run")
        whole = json.loads(file.read_text()) | {"stop_reason": reason}
    result = resume(tmp_path / "run")
    assert result.status == "completed"
    assert json.loads(file.read_text())["stop_reason"] == reason
    assert (tmp_path / "run/metrics.csv").read_bytes() == table
