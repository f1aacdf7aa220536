"""Signals to a local sweep, and what its slices, crews and folders are afterwards."""

import json
import os
import shutil
import signal
import subprocess
import time
from concurrent.futures import BrokenExecutor, Executor, Future

import pytest

from backproplab.status import Status
from backproplab.sweep import driver, library, read
from backproplab.sweep.executors import Workers
from backproplab.sweep.job import Work, run_slice

BASE = "data: {name: moons, samples: 120}\nmodel: {hidden: [4]}\nepochs: 400\nthreads: 1\n"
GRID = "lockstep: 'off'\ngrid: {learning_rate: [0.1, 0.03, 0.01]}\n"
SECONDS = 120
WHOLE = []  # the table of the sweep that nothing stops, once it is known
TIMES = {"once": [0.0], "twice": [0.0, 0.05], "five times": [0.0, 0.01, 0.02, 0.05, 0.1]}


def begin(shell, root):
    """A sweep with two runs at work."""
    process = shell.start("-j", "2", root=root)
    deadline = time.monotonic() + SECONDS
    while len(shell.workers_of(process.pid)) < 2 or len(shell.handed(root)) < 2:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.5)
    return process


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["driver", "group"])
@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_a_sweep_and_resume_gives_its_table(shell, number, times, whom):
    """However often it comes within a second, to the driver alone or to all of its processes."""
    shell.write(BASE, GRID)
    process = begin(shell, "stopped")
    before = time.monotonic()
    for gap in TIMES[times]:
        time.sleep(gap)
        (os.killpg if whom == "group" else os.kill)(process.pid, number)
    try:
        _, err = process.communicate(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    seconds = time.monotonic() - before
    if process.returncode == 0:  # a fast machine
        pytest.skip("the sweep had ended before the signal")
    assert process.returncode == 128 + number, err
    assert seconds < 10, err
    assert "Traceback" not in err
    assert {record["status"] for record in shell.records("stopped").values()} <= {
        "paused",
        "completed",
    }
    resumed = shell.table("-j", "2", "--resume", root="stopped")
    WHOLE[:] = WHOLE or [shell.table("-j", "2", root="whole")]
    assert resumed == WHOLE[0]


def slices(experiment, **limits):
    """The run's position after each of its slices, and its files at the end."""
    files, positions = {}, []
    while True:
        (outcome,) = run_slice([Work(experiment, files)], **limits)
        files = dict(outcome.files)
        record = json.loads(files["run.json"])
        positions.append((record["epochs"], record["steps"]))
        if outcome.status != Status.PAUSED:
            return positions, files


@pytest.mark.parametrize("by", ["clock", "flag"])
def test_slices_pause_in_mid_epoch_and_change_nothing(tmp_path, by):
    from backproplab.config import load

    (tmp_path / "c.yaml").write_text(f"{BASE.replace('400', '2')}batch_size: 8\n")
    experiment = load(tmp_path / "c.yaml")
    (tmp_path / "flag").touch()
    limits = {"seconds": 0} if by == "clock" else {"flag": tmp_path / "flag"}
    positions, files = slices(experiment, **limits)
    (at_once,), whole = slices(experiment)
    assert positions[-1] == at_once
    assert any(steps % 12 for _, steps in positions)  # updates an epoch
    assert files["metrics.csv"] == whole["metrics.csv"]
    hashes = [json.loads(each["run.json"])["hashes"] for each in (files, whole)]
    assert hashes[0] == hashes[1]


class Lossy(Executor):
    """Runs a job at once; every third one is lost with its worker. crews: the steps of each."""

    def __init__(self):
        self.crews, self.jobs = [], 0

    def submit(self, job, works, *rest):
        future = Future()
        self.jobs += 1
        records = [json.loads(work.files.get("run.json", b"{}")) for work in works]
        self.crews.append([record.get("steps", 0) for record in records])
        if self.jobs % 3 == 2:
            future.set_exception(BrokenExecutor("lost"))
        else:
            future.set_result(job(works, *rest))
        return future


def drive(session_root, sweep, executor):
    workers = Workers(executor, lambda: 1, (BrokenExecutor,), "here", strikes=100)
    with library.opened(sweep, session_root, workers) as driving:
        for _ in driving.run():
            pass
    driving.raise_errors()
    library.conclude(driving.folder.path)
    return (driving.folder.path / "results.csv").read_text()


@pytest.mark.slow
def test_crews_are_made_of_runs_at_one_step(tmp_path, monkeypatch):
    """Whatever was lost or came back in mid-epoch."""
    (tmp_path / "base.yaml").write_text(f"{BASE.replace('400', '3')}batch_size: 16\n")
    rates = [n / 100 for n in range(1, 9)]
    (tmp_path / "s.yaml").write_text(f"base: base.yaml\ngrid: {{learning_rate: {rates}}}\n")
    sweep = read(tmp_path / "s.yaml")
    whole = drive(tmp_path / "whole", sweep, Lossy())
    monkeypatch.setattr(driver, "SLICE", 0)
    executor = Lossy()
    assert drive(tmp_path / "sliced", sweep, executor) == whole
    assert all(len(set(steps)) == 1 for steps in executor.crews)
    assert max(len(steps) for steps in executor.crews) == 8
    assert any(steps[0] % 6 for steps in executor.crews)


def test_folders_of_version_0_1(tmp_path, workers):
    """Its paused runs are begun anew, its completed ones are kept as they are."""
    (tmp_path / "base.yaml").write_text(BASE.replace("400", "2"))
    (tmp_path / "s.yaml").write_text(f"base: base.yaml\n{GRID}")
    sweep = read(tmp_path / "s.yaml")
    session = library.run(sweep, tmp_path / "runs")
    library.conclude(session)
    table = (session / "results.csv").read_bytes()
    for name, status in (("0.1", "completed"), ("0.03", "paused"), ("0.01", "running")):
        file = session / f"learning_rate-{name}" / "run.json"
        record = json.loads(file.read_text()) | {"format": 1, "status": status, "pid": 1}
        file.write_text(json.dumps(record))
    shutil.rmtree(session / "learning_rate-0.03" / "checkpoints")
    kept = (session / "learning_rate-0.1" / "run.json").read_bytes()
    assert library.run(sweep, tmp_path / "runs", resume=True) == session
    library.conclude(session)
    assert (session / "results.csv").read_bytes() == table
    assert (session / "learning_rate-0.1" / "run.json").read_bytes() == kept
    for name in ("0.03", "0.01"):
        record = json.loads((session / f"learning_rate-{name}" / "run.json").read_text())
        assert (record["format"], record["status"]) == (2, "completed")
