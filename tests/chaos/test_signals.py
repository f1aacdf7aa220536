"""Signals: once, twice, five times, at any moment, to train, sweep and find-lr.

"60 signal trials (INT, TERM, HUP; once, twice with gaps of 0 to 50 ms, five times; at start-up, in
training, in evaluation, in the save, at the end; train, sweep, find-lr): the right exit code. train:
interrupted and a checkpoint that resumes exactly (before the run exists: the exit code only); sweep:
--resume gives the same table; find-lr: the exit code."

A process that dies of the signal before Python has run a line of ours has the same code for a shell.
"""

import itertools
import json
import os
import random
import signal
import time

import pytest

from backproplab.journal import load
from tests.chaos.processes import default_signals, ended, shell, until
from tests.chaos.remains import check_tidy, differences, remains

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
TIMES = (1, 2, 5)
GAP = 0.05  # seconds, the most between two
BASE = {"model": {"hidden": [6]}, "batch_size": 16, "threads": 1, "tensorboard": {"histograms": 0}}
LONG = BASE | {"data": {"name": "moons", "samples": 150, "test_split": 0.1}, "epochs": 400}
MOMENTS = {  # the config, the pace, and the epoch after which the signal comes
    "start-up": (LONG, {}, None),
    "training": (LONG, {}, 1),
    "evaluation": (
        BASE | {"data": {"name": "moons", "samples": 40_000, "validation_split": 0.99}, "epochs": 40},
        {},
        1,
    ),
    "save": (LONG, {"FIRST_SAVE": 0.0, "LEAST": 0.0, "COSTS": 0}, 1),
    "end": (
        BASE | {"data": {"name": "moons", "samples": 200_000, "validation_split": 0.0005, "test_split": 0.999}, "epochs": 5},
        {},
        5,
    ),
}  # fmt: skip
TRIALS = list(itertools.product(MOMENTS, NUMBERS, TIMES))  # 45


def send(child, number, times, chance):
    """The signal, as a wrapper, ``timeout`` and a terminal send it: to it or to its whole group."""
    kill = chance.choice([os.kill, os.killpg])
    for k in range(times):
        if k:
            time.sleep(chance.choice([0, chance.uniform(0, GAP)]))
        try:
            kill(child.pid, number)
        except ProcessLookupError:
            return


def thinned(trials, every):
    """All trials; one in so many is slow, the others are chaos."""
    marks = (pytest.mark.chaos, pytest.mark.slow)
    return [
        pytest.param(*trial, id="-".join(map(str, trial)), marks=marks[k % every == 0])
        for k, trial in enumerate(trials)
    ]


def epochs_in(folder):
    """Epochs that have been written."""
    tables = list(folder.glob("runs/*/run/metrics.csv"))
    lines = tables[0].read_text().splitlines() if tables else []
    return int(lines[-1].split(",")[0]) if len(lines) > 1 and lines[-1][0].isdigit() else 0


@pytest.mark.parametrize(("moment", "number", "times"), thinned(TRIALS, 5))
def test_train(zygote, tmp_path, moment, number, times):
    chance = random.Random(f"{moment} {number} {times}")
    tree, pace, epoch = MOMENTS[moment]
    (tmp_path / "run.yaml").write_text(json.dumps(tree))
    words = ["train", tmp_path / "run.yaml", "--progress", "none"]
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for folder in (broken, whole):
        folder.mkdir()
    if moment == "start-up":
        begun = time.monotonic()
        assert ended([*words, "--dry-run"], tmp_path)[0] == 0
        took = time.monotonic() - begun
        child = shell(words, broken)
        time.sleep(chance.uniform(0, took))
        send(child, number, times, chance)
        err = child.communicate()[1]
        code = child.returncode
    else:
        child = zygote.start(words, broken, pace=pace)
        until(lambda: epochs_in(broken) >= epoch or child.poll() is not None)
        child.poll(chance.uniform(0, 0.02))
        send(child, number, times, chance)
        code, err = child.wait(), child.err
    run = next(broken.glob("runs/*/run"), None)
    status = json.loads((run / "run.json").read_text())["status"] if run else None
    assert "Traceback" not in err or code == -number
    assert code in (128 + number, -number) or (code, status) == (0, "completed"), err
    if code == 0 or run is None:
        assert moment in ("end", "start-up")
        return
    if status != "completed":  # it may come after the last record
        assert status == "interrupted", err
        assert "its position is saved" in err
        load(run / "checkpoints/last.safetensors")
    assert zygote.run(words, whole) == 0
    assert zygote.run(["resume", run, "--progress", "none"], broken) == 0, child.err
    check_tidy(run)
    assert differences(remains(run), remains(next(whole.glob("runs/*/run")))) == []


SWEEP = "base: base.yaml\nlockstep: {lockstep}\ngrid: {{learning_rate: [0.1, 0.03, 0.01], optimizer: [sgd, adam]}}\n"
SWEEPS = [
    (when, number, times)
    for when in ("start-up", "at work")
    for number in NUMBERS
    for times in (1, 5)
]  # 12


@pytest.mark.parametrize(("moment", "number", "times"), thinned(SWEEPS, 6))
def test_sweep(zygote, tmp_path, moment, number, times):
    chance = random.Random(f"sweep {moment} {number} {times}")
    (tmp_path / "base.yaml").write_text(json.dumps(LONG | {"epochs": 300}))
    (tmp_path / "s.yaml").write_text(SWEEP.format(lockstep=chance.choice(["auto", "'off'"])))
    words = ["sweep", "s.yaml", "-j", "2", "--progress", "none"]

    def table(root):
        (file,) = tmp_path.glob(f"{root}/*/results.csv")
        return file.read_bytes()

    child = shell([*words, "--log-dir", "broken"], tmp_path)
    if moment == "at work":
        until(lambda: list(tmp_path.glob("broken/*/sweep.json")) or child.poll() is not None)
    time.sleep(chance.uniform(0, 1.5))
    send(child, number, times, chance)
    err = child.communicate()[1]
    assert "Traceback" not in err or child.returncode == -number
    assert child.returncode in (128 + number, -number, 0), err
    begun = list(tmp_path.glob("broken/*/sweep.json"))
    code, _, err = ended(
        [*words, "--log-dir", "broken", *(["--resume"] if begun else [])], tmp_path
    )
    assert code == 0, err
    code, _, err = ended([*words, "--log-dir", "whole"], tmp_path)
    assert code == 0, err
    (session,) = (
        tmp_path.glob("broken/*/sweep.json")
        if begun
        else [next(tmp_path.glob("broken/*/sweep.json"))]
    )
    assert (session.parent / "results.csv").read_bytes() == table("whole")


FIND = [(number, times) for number in NUMBERS for times in (1, 2)]


@pytest.mark.parametrize(("number", "times"), thinned(FIND, 6))
def test_find_lr(tmp_path, number, times):
    """Where it is: loading, or in its updates, which would not end soon."""
    chance = random.Random(f"find {number} {times}")
    (tmp_path / "run.yaml").write_text(json.dumps(LONG))
    child = shell(["find-lr", "run.yaml", "--steps", "200000"], tmp_path)
    time.sleep(chance.uniform(0, 2))
    send(child, number, times, chance)
    _, err = child.communicate()
    assert child.returncode in (128 + number, -number), err
    assert "Traceback" not in err or child.returncode == -number


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT])
def test_what_is_ignored_at_the_start_stays_ignored(tmp_path, number):
    """As by nohup, or in the background of a script."""

    def ignoring():
        default_signals()
        signal.signal(number, signal.SIG_IGN)

    (tmp_path / "run.yaml").write_text(json.dumps(LONG))
    child = shell(["train", "run.yaml", "--progress", "none"], tmp_path, preexec_fn=ignoring)
    until(lambda: epochs_in(tmp_path) >= 1)
    for _ in range(3):
        os.kill(child.pid, number)
    out, err = child.communicate()
    assert child.returncode == 0, err
    assert "completed" in out


@pytest.mark.slow
def test_a_second_signal_after_a_second_ends_an_evaluation_at_once(tmp_path):
    """And the last commit stands."""
    (tmp_path / "run.yaml").write_text(json.dumps(LONG | {"epochs": 10**6}))
    program = (
        "import time\n"
        "from backproplab.loop import loop\n"
        "loop.Loop._react = lambda self: None\n"  # a loop that does not listen
        "from backproplab.__main__ import main\n"
        "main()"
    )
    words = ["train", "run.yaml", "--progress", "none"]
    child = shell(words, tmp_path, python=("-c", program))
    until(lambda: epochs_in(tmp_path) >= 1)
    os.kill(child.pid, signal.SIGINT)
    time.sleep(1.1)
    os.kill(child.pid, signal.SIGTERM)
    _, err = child.communicate(timeout=20)
    assert child.returncode == 128 + signal.SIGTERM, err
    assert "nothing was saved yet" in err
    (run,) = tmp_path.glob("runs/*/run")
    assert json.loads((run / "run.json").read_text())["status"] == "interrupted"
    assert not (run / "checkpoints").exists()


WIDE = {
    "data": {"name": "moons", "samples": 40_000, "test_split": 0.5},
    "model": {"hidden": [1024, 1024]},
    "optimizer": "sgd",
    "batch_mode": "batch",
    "epochs": 100,
    "threads": 1,
    "tensorboard": {"histograms": 0},
}


@pytest.mark.slow
def test_a_stop_takes_at_most_two_seconds_on_a_wide_network(zygote, tmp_path):
    """In batch mode, where a step takes longer than that. Twice, if the machine is busy."""
    (tmp_path / "run.yaml").write_text(json.dumps(WIDE))
    took = []
    for _ in range(2):
        words = ["train", tmp_path / "run.yaml", "--progress", "none"]
        known = set(tmp_path.glob("runs/*/run/metrics.csv"))
        child = zygote.start(words, tmp_path, pace={})
        until(lambda known=known: set(tmp_path.glob("runs/*/run/metrics.csv")) - known)
        child.poll(1.0)
        begun = time.monotonic()
        child.signal(signal.SIGINT)
        assert child.wait() == 130, child.err
        took.append(time.monotonic() - begun)
        if took[-1] < 2:
            break
    assert min(took) < 2, took
