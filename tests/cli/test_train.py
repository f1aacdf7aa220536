"""backproplab train and its neighbors, as a user sees them."""

import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
import yaml

from backproplab.autograd import Tensor
from backproplab.nn import Activation, Layer

QUICK = "data: {name: circle, samples: 100}\nmodel: {hidden: [4]}\nepochs: 2\n"


@pytest.fixture
def config(tmp_path):
    for name in ("exp1", "exp2"):
        (tmp_path / f"{name}.yaml").write_text(QUICK)
    return tmp_path


def sessions(tmp_path):
    return sorted(p for p in (tmp_path / "runs").iterdir() if p.is_dir())


def test_several_configs_make_one_log_directory(backproplab, config):
    ended = backproplab("train exp1.yaml exp2.yaml seed=7")
    assert ended.code == 0
    (session,) = sessions(config)
    assert re.fullmatch(r"\d{8}-\d{6}", session.name)
    assert {p.name for p in session.iterdir() if p.is_dir()} == {"exp1", "exp2"}
    for name in ("exp1", "exp2"):
        assert json.loads((session / name / "run.json").read_text())["seed"] == 7
        assert f"✓ completed  {name} · 2 of 2 epochs · 6 updates · " in ended.out
    assert f"backproplab tensorboard {session}" in ended.out


def test_progress_is_on_stderr_and_the_result_on_stdout(backproplab, config):
    ended = backproplab("train exp1.yaml")
    assert (
        len(
            re.findall(
                r"^exp1  epoch [12]/2  loss 0\.\d{4}  accuracy .* val_loss", ended.err, re.MULTILINE
            )
        )
        == 2
    )
    assert "epoch 1/2" not in ended.out
    assert "circle · 2 classes · 80 train, 20 validation" in ended.err
    assert "2-4-1 relu · binary_cross_entropy · 17 parameters · float32" in ended.err
    quiet = backproplab("train exp1.yaml --progress none")
    assert "epoch 1/2" not in quiet.err


def test_a_bar_on_demand(backproplab, config):
    ended = backproplab("train exp1.yaml --progress bar")
    assert ended.code == 0
    assert "epoch 2/2" in ended.err


def test_two_runs_in_one_second_get_two_directories(backproplab, config):
    for _ in range(3):
        backproplab("train exp1.yaml epochs=1 --progress none")
    assert len(sessions(config)) == 3


def test_options_are_short_for_overrides(backproplab, config):
    backproplab(
        "train exp1.yaml --name other --seed 3 --epochs 1 --log-dir logs learning_rate=1e-3"
    )
    (session,) = (p for p in (config / "logs").iterdir() if p.is_dir())
    saved = yaml.safe_load((session / "other" / "config.yaml").read_text())
    assert (saved["name"], saved["seed"], saved["epochs"], saved["learning_rate"]) == (
        "other",
        3,
        1,
        0.001,
    )


def test_a_run_repeats_from_its_own_config(backproplab, config, saved):
    backproplab("train exp1.yaml learning_rate=0.03")
    (first,) = sessions(config)
    backproplab(f"train {first}/exp1/config.yaml")
    second = next(s for s in sessions(config) if s != first)
    for name in ("metrics.csv", "config.yaml"):
        assert (first / "exp1" / name).read_bytes() == (second / "exp1" / name).read_bytes()
    assert saved(first / "exp1") == saved(second / "exp1")


@pytest.mark.parametrize("option", ["--dry-run", "--print-config"])
def test_looking_writes_nothing(backproplab, config, option):
    ended = backproplab(f"train exp1.yaml {option} batch_mode=stochastic")
    assert ended.code == 0
    assert not (config / "runs").exists()
    if option == "--print-config":
        assert yaml.safe_load(ended.out)["batch_mode"] == "stochastic"
    else:
        assert "stochastic: 80 updates an epoch" in ended.err


def test_divergence_ends_with_3_and_is_kept(backproplab, config):
    ended = backproplab(
        "train exp1.yaml optimizer=sgd learning_rate=1e4 loss=mse model.activation=linear"
    )
    assert ended.code == 3
    assert re.search(
        r"exp1: diverged at epoch 1, step \d+: the \w+ .* stopped being finite", ended.err
    )
    assert "✗ diverged  exp1 · in epoch 1 of 2 · at update " in ended.out
    assert "diverged" in backproplab("runs").out


def test_runs_and_show(backproplab, config):
    assert "no runs in runs" in backproplab("runs").out
    backproplab("train exp1.yaml exp2.yaml")
    listed = backproplab("runs").out
    assert listed.count("completed") == 2
    assert "val_accuracy" in listed
    shown = backproplab("show 1").out
    assert "val_loss" in shown
    assert "config  differs from the defaults in" in shown
    assert "name: exp" in backproplab("show 1 --config").out
    missing = backproplab("show nothing")
    assert missing.code == 5
    assert "nothing" in missing.err


def test_config_commands(backproplab, config):
    assert backproplab("config init mine.yaml").code == 0
    assert backproplab("train mine.yaml --dry-run").code == 0
    again = backproplab("config init mine.yaml")
    assert again.code == 7
    assert "exists already" in again.err
    shown = backproplab("config show mine.yaml optimizer=sgd")
    assert yaml.safe_load(shown.out)["learning_rate"] == 0.001
    assert (
        yaml.safe_load(backproplab("config show exp1.yaml optimizer=sgd").out)["learning_rate"]
        == 0.01
    )
    schema = json.loads(backproplab("config schema").out)
    assert set(schema["properties"]) >= {"data", "model", "optimizer", "batch_mode"}


def start(config, *words):
    return subprocess.Popen(
        [sys.executable, "-m", "backproplab", "train", *words],
        cwd=config, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_run_with_its_weights_saved(config, number, code):
    process = start(config, "exp1.yaml", "exp2.yaml", "epochs=100000", "--progress", "line")
    for line in process.stderr:
        if "epoch" in line and "/100000" in line:
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    assert process.returncode == code
    assert "Traceback" not in err
    assert "exp1 was stopped; its position is saved; not trained: exp2" in err
    (session,) = sessions(config)
    saved = json.loads((session / "exp1" / "run.json").read_text())
    assert saved["status"] == "interrupted"
    assert (session / "exp1" / "checkpoints" / "last.safetensors").exists()
    assert not (session / "exp2").exists()
    assert not list(session.rglob("*.tmp"))


def test_a_reader_that_leaves_is_no_error(config):
    start(config, "exp1.yaml").communicate()
    command = f"{sys.executable} -m backproplab show | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=config,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_debug_shows_the_traceback(config):
    def stderr(*words, **env):
        return subprocess.run(
            [sys.executable, "-m", "backproplab", *words], cwd=config, env=os.environ | env,
            capture_output=True, text=True, check=False,
        ).stderr  # fmt: skip

    assert "Traceback" in stderr("train", "nothing.yaml", "--debug")
    assert "Traceback" in stderr("train", "nothing.yaml", BACKPROPLAB_DEBUG="1")
    assert "Traceback" not in stderr("train", "nothing.yaml")


def test_a_killed_run_shows_how_far_it_got(backproplab, config):
    process = start(config, "exp1.yaml", "epochs=100000", "--progress", "line")
    for line in process.stderr:
        if "epoch" in line and " 20/100000" in line:
            break
    process.kill()
    process.communicate()
    shown = backproplab("show")
    assert "interrupted" in shown.out
    assert int(re.search(r"(\d+) of 100,000 epochs", shown.out)[1]) >= 20


def test_show_tells_the_best_epoch_and_the_weights_kept(backproplab, config):
    stopping = "early_stopping={patience: 1, restore_best_weights: true}"
    backproplab(f"train exp1.yaml epochs=200 learning_rate=0.5 '{stopping}'")
    shown = backproplab("show exp1").out
    best, kept = (
        re.search(r"best @ (\d+)", shown),
        re.search(r"kept    the weights of epoch (\d+)", shown),
    )
    assert best[1] == kept[1]


@pytest.fixture
def odd():
    """An activation that NumPy computes behind the recorder's back, while the test runs."""

    class Odd(Activation, name="odd"):
        """x tanh x, the second one by NumPy."""

        function = staticmethod(lambda x: x * Tensor(np.tanh(x.value)))

    yield
    for family in (Activation, Layer):
        del family.members["odd"]


def test_what_cannot_be_replayed_is_told_in_one_line(backproplab, config, odd):
    refused = backproplab("train exp1.yaml model.activation=odd engine=replay --progress none")
    assert refused.code != 0
    (line,) = (line for line in refused.err.splitlines() if "cannot be replayed" in line)
    assert "multiply got an array of shape (32, 4) that no op of the step has made" in line
    (session,) = sessions(config)
    assert json.loads((session / "exp1" / "run.json").read_text())["status"] == "failed"


def test_the_engine_auto_trains_it_all_the_same(backproplab, config, odd):
    for engine in ("auto", "eager"):
        words = f"train exp1.yaml model.activation=odd engine={engine} --name {engine}"
        assert backproplab(f"{words} --progress none").code == 0
    tables = {path.read_bytes() for path in (config / "runs").rglob("metrics.csv")}
    assert len(tables) == 1


def test_the_threads_are_in_the_header_and_in_the_config(backproplab, config):
    shown = backproplab("train exp1.yaml threads=2")
    assert re.search(r"seed \d+ · 2 threads$", shown.err, re.MULTILINE)
    (session,) = sessions(config)
    assert yaml.safe_load((session / "exp1" / "config.yaml").read_text())["threads"] == 2
    again = backproplab("train exp1.yaml --dry-run")
    assert "thread" not in again.err  # auto, of a small network: 1
