"""No source of problems hides another: every pair of sources is reported in one go."""

from itertools import combinations, product

import pytest

# source -> (lines of the config, words after it, part of the message); keys of different sources differ
SOURCES = {
    "unreadable value": ("epochs: 1_0\n", "", "underscore"),
    "unknown key": ("epochss: 3\n", "", "unknown key 'epochss'"),
    "wrong type": ("batch_size: many\n", "", "batch_size: must be a whole number"),
    "unknown member": ("optimizer: adma\n", "", "did you mean 'adam'"),
    "key of another member": ("schedule: {name: cosine, every: 3}\n", "", "unknown key 'every' of cosine"),
    "check of several keys": ("model: {hidden: [3], layers: [{dense: 3}]}\n", "", "not both"),
    "number or word": ("evaluate_every: lgo\n", "", "evaluate_every: must be log, or a number"),
    "range": ("accumulate: 0\n", "", "accumulate: must be >= 1"),
    "word: unreadable": ("", "lr=0,1", "write 0.1 for a decimal comma"),
    "word: unknown key": ("", "activaton=relu", "did you mean 'model.activation'?"),
    "word: not key=value": ("", "x", "x: no such file"),
    "word: value": ("", "seed=-1", "seed: must be >= 0"),
    "word: given twice": ("", "dtype=float32 dtype=float64", "given twice"),
    "loss and data": ("loss: binary_cross_entropy\n", "", "needs two classes"),
    "monitor": ("early_stopping: {monitor: val_mae}\n", "", "'val_mae' is not measured"),
    "another file": ("", "other.yaml", "other.yaml:1:7"),
}  # fmt: skip
DATA = "data: {name: iris}\n"
MISSING = "data: {name: mnist, path: nowhere}\n"
NEEDS_DATA = {"loss and data", "monitor"}
CHECKING = ("train", "check", "find-lr", "explain")


def ask(backproplab, tmp_path, names, data=DATA, command="train"):
    chosen = [SOURCES[name] for name in names]
    (tmp_path / "other.yaml").write_text("data: digitz\n")
    (tmp_path / "c.yaml").write_text(data + "".join(lines for lines, _, _ in chosen))
    words = " ".join(words for _, words, _ in chosen)
    return backproplab(f"{command} c.yaml {words}"), [message for *_, message in chosen]


@pytest.mark.parametrize("names", list(combinations(SOURCES, 2)), ids=" and ".join)
def test_two_sources_are_reported_together(backproplab, tmp_path, names):
    ended, messages = ask(backproplab, tmp_path, names)
    assert all(message in ended.err for message in messages), ended.err
    assert ended.code == 2


@pytest.mark.parametrize("name", [name for name in SOURCES if name not in NEEDS_DATA])
def test_data_files_are_reported_with_everything_else(backproplab, tmp_path, name):
    ended, (message,) = ask(backproplab, tmp_path, [name], MISSING)
    assert message in ended.err
    assert "nowhere does not exist" in ended.err
    assert ended.code == 2


@pytest.mark.parametrize(("command", "names"), list(product(
    CHECKING, [("unknown key", "loss and data"), ("word: unreadable", "number or word")])))  # fmt: skip
def test_every_command_that_reads_a_config_reports_them_together(
    backproplab, tmp_path, command, names
):
    ended, messages = ask(backproplab, tmp_path, names, command=command)
    assert all(message in ended.err for message in messages), ended.err
    assert ended.code == 2


def test_all_sources_at_once(backproplab, tmp_path):
    ended, messages = ask(backproplab, tmp_path, list(SOURCES))
    assert [message for message in messages if message not in ended.err] == []


def test_nothing_that_only_follows_from_a_fault_is_reported(backproplab, tmp_path):
    (tmp_path / "c.yaml").write_text(
        "data: {name: iris, validation_split: 2}\nbatch_size: 130\n"
        "learner: x\nsteps: 10\nschedule: {name: step, every: no}\n"
    )
    ended = backproplab("train c.yaml")
    assert "3 problems; nothing was written" in ended.err


@pytest.mark.parametrize("other", ["learning_rate: [x]", "model.hiden: [[3]]", "epochs: [0]"])
def test_a_sweep_reports_the_base_and_the_grid_together(backproplab, tmp_path, other):
    (tmp_path / "s.yaml").write_text(
        f"base: {{data: iris, lost: mse}}\ngrid: {{batch_size: [-1], {other}}}\nmax_trails: 3\n"
    )
    ended = backproplab("sweep s.yaml --dry-run")
    for part in (
        "'lost'",
        "batch_size: must be",
        other.partition(":")[0].split(".")[-1],
        "'max_trails'",
    ):
        assert part in ended.err


@pytest.mark.parametrize("inner", ["beta_1", "momentum", "rho"])
def test_an_error_of_a_swept_family_names_the_member_and_the_way(backproplab, tmp_path, inner):
    (tmp_path / "s.yaml").write_text(
        f"base: {{data: iris}}\ngrid: {{optimizer: [sgd, lion], optimizer.{inner}: [0.8, 0.9]}}\n"
    )
    ended = backproplab("sweep s.yaml --dry-run")
    assert f"unknown key '{inner}' of sgd (with optimizer: sgd)" in ended.err
    assert f"branches: [{{optimizer: …, grid: {{optimizer.{inner}: […]}}}}" in ended.err
