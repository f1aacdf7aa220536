"""What the commands say and refuse before they train: memory, cautions, options that are keys."""

import re
import tracemalloc

import pytest

from backproplab import environment
from backproplab.config import Experiment
from backproplab.experiment import build
from backproplab.experiment.limits import memory_needed

COMMANDS = ("train --dry-run", "train", "check", "find-lr", "explain", "sweep --dry-run", "sweep")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_does_not_fit_into_memory_is_refused_before_it_is_allocated(
    backproplab, tmp_path, monkeypatch, command
):
    monkeypatch.setattr(environment, "free_memory", lambda: 100 * 2**20)
    (tmp_path / "c.yaml").write_text("data: iris\nmodel: {hidden: [3000, 3000]}\n")
    tracemalloc.start()
    ended = backproplab(f"{command} c.yaml")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ended.code == 2
    assert "c.yaml:2:8: model: training it needs 0." in ended.err
    assert "0.1 GiB are free — make the layers smaller" in ended.err
    assert peak < 20 * 2**20
    assert [p.name for p in tmp_path.iterdir()] == ["c.yaml"]


@pytest.mark.parametrize("fields", [
    {"optimizer": "adam"}, {"optimizer": "sgd"}, {"dtype": "float64"}, {"batch_mode": "batch"},
    {"batch_size": 700, "accumulate": 2},
])  # fmt: skip
def test_the_forecast_is_what_a_run_takes(tmp_path, fields):
    from backproplab.experiment import run

    parts = build(
        Experiment.model_validate(
            {
                "data": "digits",
                "model": {"hidden": [600, 600]},
                "epochs": 1,
                "loss": "softmax_cross_entropy",
                **fields,
            }
        )
    )
    assert parts.network is not None
    needed = memory_needed(parts.network, parts.experiment, len(parts.splits.train))
    tracemalloc.start()
    run(parts, tmp_path / "run")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert 0.3 * peak < needed < 2.5 * peak


GROUPS = {
    "no limit": ("0::/a\n", {"a": ("max", "5", "inactive_file 1\n")}, None),
    "own": ("0::/a\n", {"a": ("100", "60", "inactive_file 10\n")}, 50),
    "that around it": (
        "0::/a/b\n",
        {"a": ("100", "60", "x 1\n"), "a/b": ("max", "60", "x 1\n")},
        40,
    ),
    "full": ("0::/a\n", {"a": ("100", "120", "x 1\n")}, 0),
}


@pytest.mark.parametrize("case", GROUPS)
def test_the_limit_of_a_control_group(tmp_path, monkeypatch, case):
    text, groups, expected = GROUPS[case]
    (tmp_path / "self").write_text(text)
    for name, values in groups.items():
        (tmp_path / name).mkdir()
        for kind, value in zip(("max", "current", "stat"), values, strict=True):
            (tmp_path / name / f"memory.{kind}").write_text(value)

    places = {"/proc/self/cgroup": tmp_path / "self", "/sys/fs/cgroup": tmp_path}
    monkeypatch.setattr(environment, "Path", places.get)
    assert environment._left_in_group() == expected


def test_the_limit_of_the_address_space(monkeypatch):
    resource = pytest.importorskip("resource")
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (2**50, 2**50))
    assert 0 < environment._left_in_address_space() < 2**50
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (resource.RLIM_INFINITY,) * 2)
    assert environment._left_in_address_space() is None
    assert environment.free_memory() > 0


LONG = "data: iris\nepochs: 3\nlearning_rate: 0.1\nschedule: {cosine: {warmup_steps: 1000}}\n"
SAID = "c.yaml:4:35: schedule.warmup_steps: 1,000 updates, the run has 12 updates: the warm-up does not end"


@pytest.mark.parametrize("command", ["train", "train --dry-run", "sweep", "sweep --dry-run"])
def test_a_caution_is_said_once_with_its_line_before_training(backproplab, tmp_path, command):
    (tmp_path / "c.yaml").write_text(LONG)
    grid = "optimizer=sgd,adam -j 1" if "sweep" in command else ""
    ended = backproplab(f"{command} c.yaml {grid}")
    assert ended.err.count(SAID) == 1
    assert SAID not in ended.out
    if command == "train":
        assert "sgd, learning rate 0.1 (warm-up of 1,000 updates, cosine)" in ended.err.replace(
            "adam", "sgd"
        )
        assert ended.err.index(SAID) < ended.err.index("epoch 1/3")
        again = backproplab("resume --epochs 4")
        assert "depends on the length" in again.err or "caution" in again.err


@pytest.mark.parametrize("name", ["val_r2", "test_r2"])
def test_a_sweep_is_not_ranked_by_an_undefined_metric(backproplab, tmp_path, name):
    key = {"val_r2": "validation_split", "test_r2": "test_split"}[name]
    (tmp_path / "s.yaml").write_text(
        f"base: {{data: {{name: diabetes, {key}: 0.003}}}}\nmetric: {name}\ngrid: {{learning_rate: [0.1, 1]}}\n"
    )
    ended = backproplab("sweep s.yaml")
    assert f"'{name}' is undefined: there is one example" in ended.err
    assert ended.code == 2


def test_an_undefined_value_is_shown_as_such(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text("data: {name: diabetes, validation_split: 0.003}\nepochs: 1\n")
    ended = backproplab("train c.yaml")
    assert re.search(r"val_r2 +undefined", ended.out)
    assert "val_r2 undefined" in ended.err
    assert "undefined" in backproplab("show").out


@pytest.mark.parametrize(
    "command", ["train", "sweep", "check", "find-lr", "explain", "config show"]
)
@pytest.mark.parametrize(("words", "setting"), [
    ("--learning_rate 0.1", "learning_rate=0.1"), ("--learning-rate=0.1", "learning_rate=0.1"),
    ("--lr 0.1", "learning_rate=0.1"), ("--optimizer.beta-1 0.8", "optimizer.beta_1=0.8"),
    ("--hidden [3]", "model.hidden=[3]"), ("--batch-size 8", "batch_size=8"), ("-lr 0.1", "learning_rate=0.1"),
])  # fmt: skip
def test_an_option_that_is_a_key_gets_the_word_to_type(
    backproplab, tmp_path, command, words, setting
):
    (tmp_path / "c.yaml").write_text("data: iris\n")
    ended = backproplab(f"{command} c.yaml {words}")
    assert ended.code == 2
    assert f"keys of a config are written {setting}" in ended.err


@pytest.mark.parametrize(
    "words", ["train c.yaml --foo", "runs --lr 3", "train --help", "show --learning_rate 3"]
)
def test_other_options_get_no_such_hint(backproplab, words):
    assert "keys of a config" not in backproplab(words).err
