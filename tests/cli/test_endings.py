"""After the last record: a signal comes too late, and what a kill leaves undone, resume does."""

import json
import os
import signal
import time

import pytest

from backproplab import signals
from backproplab.signals import StopNow, too_late

TREES = {
    "completed": {"data": "circle", "epochs": 1},
    "diverged": {"data": "circle", "optimizer": "sgd", "learning_rate": 1e4, "epochs": 9},
}


@pytest.mark.parametrize("number", signals.NUMBERS)
def test_a_signal_that_comes_too_late_changes_nothing(number, monkeypatch):
    monkeypatch.setattr(signals, "LATEST", [])
    before = signal.getsignal(number)
    with too_late():
        os.kill(os.getpid(), number)
    assert signal.getsignal(number) is before
    signals.leave(number, None)  # while the process ends: it belongs to the end


@pytest.mark.parametrize("number", signals.NUMBERS)
def test_one_a_second_later_ends_the_process(number, monkeypatch):
    now = [time.monotonic()]
    monkeypatch.setattr(signals, "LATEST", [])
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with pytest.raises(StopNow), too_late():  # noqa: PT012 - the second one is raised
        os.kill(os.getpid(), number)
        now[0] += signals.ONE_REQUEST
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("status", TREES)
def test_resume_ends_what_was_killed_after_its_last_record(backproplab, tmp_path, status):
    (tmp_path / "run.yaml").write_text(json.dumps(TREES[status]))
    backproplab("train run.yaml")
    (run,) = tmp_path.glob("runs/*/run")
    whole = json.loads((run / "run.json").read_text())
    assert whole["status"] == status
    verdict = whole.pop("verdict")
    (run / "run.json").write_text(json.dumps(whole))
    (run / ".run.json.0123abcd.tmp").touch()
    ended = backproplab(f"resume {run}")
    assert ended.code == (0 if status == "completed" else 5), ended.err
    assert json.loads((run / "run.json").read_text()) == whole | {"verdict": verdict}
    assert not list(run.glob(".*"))
