"""`backproplab sweep` from the shell: real workers, killed and stopped, gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress

import pytest
import yaml

BASE = "data: {name: moons, samples: 120}\nmodel: {hidden: [4]}\nepochs: 3\n"
SWEEP = "base: base.yaml\nname: rates\nseeds: 2\ngrid:\n  learning_rate: [0.1, 0.01, 0.001]\n"

LONGER = ("epochs=40", "--lockstep", "off")  # runs that end one after the other


@pytest.fixture
def files(tmp_path):
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "rates.yaml").write_text(SWEEP)
    return tmp_path


def session_of(folder):
    (session,) = [p.parent for p in (folder / "runs").glob("[!.]*/sweep.json")]
    return session


def weights_of(session):
    """What each run ended with: equal weights mean equal everything before."""
    return {
        path.parent.name: json.loads(path.read_text())["hashes"]["weights"]
        for path in sorted(session.glob("[!.]*/run.json"))
    }


def start(folder, *words):
    command = [sys.executable, "-m", "backproplab", "sweep", "rates.yaml", "-j", "2", *words]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            text=True, start_new_session=True)  # fmt: skip


@contextmanager
def started(folder, *words):
    """The command at work; killed at the end of the test, whatever happens."""
    with start(folder, *words) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def run(folder, *words):
    process = start(folder, *words)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def wait_for(session_root, runs, process):
    """Until so many runs have ended; a sweep that ends before is a failure of the test."""
    deadline = time.monotonic() + 60
    while len(list(session_root.glob("[!.]*/[!.]*/run.json"))) < runs:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_sweep_from_a_file(files):
    code, out, err = run(files)
    assert code == 0, err
    session = session_of(files)
    assert len(weights_of(session)) == 6
    assert "✓ 6 of 6 runs completed" in out
    assert "±" in out
    told = json.loads((session / "sweep.json").read_text())
    assert [trial["values"] for trial in told["trials"]] == [
        {"learning_rate": rate} for rate in (0.1, 0.01, 0.001)
    ]
    for trial in told["trials"]:
        assert all((session / name / "config.yaml").is_file() for name in trial["runs"])
    assert (session / "results.csv").read_text().count("\n") == 4
    assert not list(session.glob(".partial-*"))


def test_each_run_is_what_train_makes_of_its_config(files):
    assert run(files)[0] == 0
    session = session_of(files)
    one = next(iter(sorted(session.glob("*/config.yaml"))))
    command = [sys.executable, "-m", "backproplab", "train", str(one), "--log-dir", "again"]
    subprocess.run(command, cwd=files, check=True, capture_output=True)
    (again,) = (files / "again").glob("*/*/metrics.csv")
    assert again.read_bytes() == (one.parent / "metrics.csv").read_bytes()


@pytest.mark.slow
def test_comma_words_over_a_config_are_the_same_sweep(files):
    words = ["base.yaml", "learning_rate=0.1,0.01,0.001", "--seeds", "2", "-j", "2"]
    command = [sys.executable, "-m", "backproplab", "sweep", *words]
    subprocess.run(command, cwd=files, check=True, capture_output=True)
    by_words = weights_of(session_of(files))
    assert run(files, "--log-dir", "other")[0] == 0
    (other,) = [p.parent for p in (files / "other").glob("[!.]*/sweep.json")]
    assert sorted(weights_of(other).values()) == sorted(by_words.values())


def test_a_dry_run_of_a_search_says_what_it_chooses_from(files):
    rate = "learning_rate: {min: 1e-3, max: 1, distribution: log_uniform}"
    (files / "rates.yaml").write_text(
        f"base: base.yaml\nmethod: tpe\nnum_trials: 7\npruner: {{asha: {{min_epochs: 2}}}}\n"
        f"parameters: {{{rate}, model.activation: {{values: [relu, tanh]}}}}\n"
    )
    code, out, err = run(files, "--dry-run")
    assert code == 0, err
    assert out.splitlines() == [
        "learning_rate: 0.001 to 1, log_uniform",
        "model.activation: one of relu, tanh",
        "method: tpe, 7 trials",
        "pruner: {asha: {min_epochs: 2}}",
        "7 trials, 1 seed: 7 runs",
    ]


def test_a_dry_run_writes_nothing(files):
    code, out, _ = run(files, "--dry-run")
    assert code == 0
    assert "3 trials, 2 seeds: 6 runs" in out
    assert not (files / "runs").exists()


def test_diverged_runs_are_rows(files):
    (files / "rates.yaml").write_text(SWEEP.replace("0.1,", "10000.0,"))
    code, out, _ = run(files, "optimizer=sgd", "model.activation=linear", "model.hidden=[64,64,64]")
    assert code == 0
    assert "2 diverged" in out


@pytest.mark.slow
def test_a_driver_killed_is_gone_on_with(files):
    assert run(files, *LONGER, "--log-dir", "whole")[0] == 0
    with started(files, *LONGER) as first:
        wait_for(files / "runs", 2, first)
    before = weights_of(session_of(files))
    assert 2 <= len(before) <= 6
    code, out, err = run(files, *LONGER, "--resume")
    assert code == 0, err
    session = session_of(files)
    (reference,) = [p.parent for p in (files / "whole").glob("[!.]*/sweep.json")]
    assert weights_of(session) == weights_of(reference)
    assert weights_of(session).items() >= before.items()
    table = (session / "results.csv").read_text()
    assert table == (reference / "results.csv").read_text()
    assert "6 of 6 runs" in out


def test_ctrl_c_keeps_what_is_done(files):
    with started(files, *LONGER) as process:
        wait_for(files / "runs", 1, process)
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130)
    if process.returncode == 130:
        assert "--resume" in err
    assert "of 6 runs" in out
    assert run(files, *LONGER, "--resume")[0] == 0
    assert len(weights_of(session_of(files))) == 6


def test_resume_without_anything_to_go_on_with(files):
    code, _, err = run(files, "--resume")
    assert code == 5
    assert "leave out --resume" in err


@pytest.mark.slow
def test_a_search_is_reproducible(files):
    text = {
        "base": yaml.safe_load(BASE),
        "method": "random",
        "num_trials": 4,
        "parameters": {"learning_rate": {"min": 1e-3, "max": 0.3, "distribution": "log_uniform"}},
    }
    (files / "rates.yaml").write_text(yaml.dump(text))
    values = []
    for root in ("one", "two"):
        code, _, err = run(files, "--log-dir", root)
        assert code == 0, err
        (told,) = [json.loads(p.read_text()) for p in (files / root).glob("[!.]*/sweep.json")]
        values.append([trial["values"] for trial in told["trials"]])
    assert values[0] == values[1]
    assert len(values[0]) == 4
    assert all(1e-3 <= v["learning_rate"] <= 0.3 for v in values[0])


@pytest.mark.slow
def test_a_pruner_ends_trials_that_fall_behind(files):
    search = "method: random\nnum_trials: 8\npruner: {asha: {reduction_factor: 2}}\nparameters:\n  learning_rate: {min: 1e-5, max: 0.1, distribution: log_uniform}\n"
    (files / "rates.yaml").write_text(f"base: base.yaml\n{search}")
    code, out, err = run(files)
    assert code == 0, err
    records = [json.loads(p.read_text()) for p in session_of(files).glob("[!.]*/run.json")]
    epochs = {r["status"]: r["epochs"] for r in records}
    assert epochs["completed"] == 3
    assert epochs["pruned"] in (1, 2)
    assert f"{sum(r['status'] == 'pruned' for r in records)} pruned" in out


@pytest.mark.parametrize("value", ["off", "auto"])
def test_lockstep_is_a_word_of_the_file(files, value):
    with (files / "rates.yaml").open("a") as file:
        file.write(f"lockstep: {value}\n")
    code, _, err = run(files)
    assert code == 0, err


def test_a_sweep_is_not_trained(files):
    command = [sys.executable, "-m", "backproplab", "train", "rates.yaml"]
    done = subprocess.run(command, cwd=files, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "this is a sweep — backproplab sweep " in done.stderr


def test_bad_sweeps_are_told_at_once_and_write_nothing(files):
    (files / "rates.yaml").write_text(
        "base: base.yaml\ngrid:\n  lerning_rate: [0.1]\n  epochs: []\n"
    )
    code, _, err = run(files)
    assert code == 2
    assert "learning_rate" in err
    assert "the list is empty" in err
    assert not (files / "runs").exists()


def test_a_sweep_of_which_every_run_fails_says_why(backproplab, files):
    """No run has a metric, and the table, compare and report come all the same."""
    text = "from backproplab.optim import Optimizer\n\n\nclass Broken(Optimizer, name='broken'):\n"
    text += "    def update(self, theta, grad, lr, t, work):\n        raise ValueError('no step')\n"
    (files / "parts.py").write_text(text)
    (files / "base.yaml").write_text(BASE + "imports: [parts.py]\noptimizer: broken\n")
    ended = backproplab("sweep rates.yaml -j 1 --progress none")
    assert ended.code == 1
    assert "ValueError: no step (parts.py:6)" in ended.err
    for shown in (ended, backproplab("compare")):
        assert "val_loss" in shown.out
        assert "failed in 2 of 2" in shown.out
    assert backproplab("report --out r.html").code == 0


def test_the_size_of_a_sweep_counts_seeds_and_folds(backproplab, files):
    ended = backproplab("sweep rates.yaml --folds 2 epochs=1 -j 1")
    assert "rates  3 trials × 2 seeds × 2 folds · local:1" in ended.err
