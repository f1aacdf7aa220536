"""What a sweep asks: trials, their identity and names, and every way to write it wrong."""

import json
import math
import re
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.config import load
from backproplab.config.experiment import added_defaults
from backproplab.errors import ConfigError
from backproplab.files import is_plain_name
from backproplab.sweep.repeats import Repeat
from backproplab.sweep.schema import (
    Asha,
    Distribution,
    Hyperband,
    Median,
    Objective,
    Parameter,
    Search,
    SweepFile,
)
from backproplab.sweep.space import Sweep, read
from backproplab.sweep.trials import labels, put

BASE = "data: spiral\noptimizer: adam\nmodel: {hidden: [4]}\nseed: 7\n"
HOMEWORK = sorted((Path(__file__).parents[2] / "configs" / "hw3").glob("*.yaml"))
FULL = """\
base: base.yaml
seeds: 3
grid: {model.activation: [tanh, relu]}
zip:
  - {batch_mode: batch, epochs: 50}
  - {batch_mode: minibatch, epochs: 5}
branches:
  - {optimizer: sgd, grid: {learning_rate: [1.0, 0.3, 0.1]}}
  - {optimizer: adam, zip: [{learning_rate: 0.01}, {learning_rate: 0.003}]}
"""
SEARCH = "base: base.yaml\nmethod: tpe\nnum_trials: 5\nparameters:\n  "


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "base.yaml").write_text(BASE)
    return tmp_path


def sweep(folder: Path, text: str, *words: str, **settings: int) -> Sweep:
    (folder / "s.yaml").write_text(text)
    return read(folder / "s.yaml", words, settings)


def faults(folder: Path, text: str, *words: str, **settings: int) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        sweep(folder, text, *words, **settings)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_grid_times_zip_times_branches(folder: Path) -> None:
    found = sweep(folder, FULL)
    assert len(found.trials) == 2 * 2 * 5
    assert found.seeds == (7, 8, 9)
    assert [t.number for t in found.trials] == list(range(20))
    assert found.trials[-1].values == {
        "model.activation": "relu", "batch_mode": "minibatch", "epochs": 5,
        "optimizer": "adam", "learning_rate": 0.003,
    }  # fmt: skip
    assert found.trials[-1].experiment(Repeat(8)).learning_rate == 0.003
    assert found.name == "s"


def test_a_trial_is_the_base_with_its_values(folder: Path) -> None:
    trial = sweep(folder, "base: base.yaml\ngrid: {optimizer.beta_1: [0.8], epochs: [3]}\n").trials[
        0
    ]
    alone = load(folder / "base.yaml", "optimizer.beta_1=0.8", "epochs=3", "name=s", "seed=1")
    assert trial.experiment(Repeat(1)) == alone


@pytest.mark.parametrize("words", [(), ("epochs=4",), ("model.hidden=[4,2]", "data={name: xor}")])
def test_a_config_alone_is_one_trial(folder: Path, words: tuple[str, ...]) -> None:
    found = read(folder / "base.yaml", words)
    assert len(found.trials) == 1
    assert found.trials[0].experiment(Repeat(7)) == load(folder / "base.yaml", *words)


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("learning_rate=0.3,1e-1", [0.3, 0.1]),
        ("model.hidden=[4,2],[8]", [[4, 2], [8]]),
        ("optimizer={name: adam, beta_1: 0.8},sgd", [{"name": "adam", "beta_1": 0.8}, "sgd"]),
        ("model.activation=relu, 'tanh'", ["relu", "tanh"]),
    ],
)
def test_commas_separate_values(folder: Path, word: str, values: list[object]) -> None:
    found = read(folder / "base.yaml", [word])
    assert [next(iter(t.values.values())) for t in found.trials] == values


def test_words_over_a_sweep_file(folder: Path) -> None:
    text = "base: base.yaml\ngrid: {learning_rate: [1.0, 0.1], epochs: [1, 2]}\n"
    found = sweep(folder, text, "learning_rate=0.5", "epochs=3,4", "batch_size=8", seeds=2)
    assert [t.values for t in found.trials] == [
        {"learning_rate": 0.5, "epochs": 3}, {"learning_rate": 0.5, "epochs": 4},
    ]  # fmt: skip
    assert found.trials[0].resolved.batch_size == 8
    assert found.seeds == (7, 8)


def test_the_tree_is_the_same_sweep_again(folder: Path) -> None:
    found = sweep(folder, FULL, "batch_size=8", seeds=2)
    (folder / "elsewhere").mkdir()
    again = folder / "elsewhere" / "sweep.yaml"
    again.write_text(json.dumps(found.tree))
    other = read(again)
    assert [(t.key, t.label) for t in other.trials] == [(t.key, t.label) for t in found.trials]
    assert (other.name, other.seeds) == (found.name, found.seeds)
    assert found.texts == {str(folder / "s.yaml"): FULL, str(folder / "base.yaml"): BASE}


def test_keys_are_of_what_is_computed(folder: Path) -> None:
    plain = read(folder / "base.yaml").trials[0].key
    for word in (
        "name=other",
        "seed=3",
        "tensorboard.histograms=0",
        "engine=eager",
        "learning_rate=1e-3",
    ):
        assert read(folder / "base.yaml", [word]).trials[0].key == plain
    assert read(folder / "base.yaml", ["epochs=11"]).trials[0].key != plain


def test_a_batch_size_that_nobody_reads_makes_no_trial(folder: Path) -> None:
    text = "base: base.yaml\ngrid: {batch_mode: [batch, minibatch], batch_size: [16, 32]}\n"
    found = sweep(folder, text)
    assert [t.values["batch_mode"] for t in found.trials] == ["batch", "minibatch", "minibatch"]
    (note,) = found.duplicates
    assert note == "batch_mode-batch_batch_size-32 is the same as batch_mode-batch_batch_size-16"


def test_equal_trials_are_one_with_a_note(folder: Path) -> None:
    found = read(folder / "base.yaml", ["optimizer=adam,{name: adam},sgd"])
    assert [t.label for t in found.trials] == ["optimizer-adam", "optimizer-sgd"]
    assert found.duplicates == ("optimizer-adam is the same as optimizer-adam",)


VALUE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.lists(st.integers()),
)


@given(st.lists(st.dictionaries(st.sampled_from(["a.x", "b.x", "optimizer"]), VALUE), min_size=1))
def test_labels_are_unique_names_of_folders(trials: list[dict[str, object]]) -> None:
    found = labels(trials, "sweep")
    assert len({label.casefold() for label in found}) == len(trials)
    assert all(map(is_plain_name, found))


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.1, "0.1"), (1e6, "1e06"), (1e-6, "1e-06"), ([64, 32], "64-32"), ([], "none"), (None, "none"),
     ({"name": "adam", "beta_1": 0.8}, "adam"), ({"adam": {"beta_1": 0.8}}, "adam"), ("a/b", "a-b")],
)  # fmt: skip
def test_a_label_says_what_differs(value: object, text: str) -> None:
    assert labels([{"m.a": value, "b": 1}, {"m.a": "x", "b": 1}], "s") == [f"a-{text}", "a-x"]


def test_put_leaves_what_it_was_given() -> None:
    tree = {"layers": ["relu", {"dense": 3}], "epochs": 3}
    assert put(tree, ("layers", 0, "slope"), 1)["layers"][0] == {"name": "relu", "slope": 1}
    assert tree["layers"] == ["relu", {"dense": 3}]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("learning_rate: []", "s.yaml:2:23: grid.learning_rate: the list is empty"),
        ("learning_rate: [1e-3, 0.001]", "grid.learning_rate: the value 0.001 is listed twice"),
        ("learning_rate: [0.1, -1]", "s.yaml:2:29: learning_rate: must be > 0 and <= 10000, got -1"),
        ("learning_rat: [0.1, 1]", "s.yaml:2:8: unknown key 'learning_rat' — did you mean 'learning_rate'?"),
        ("optimizer: [adam, adma]", "did you mean 'adam'?"),
        ("optimizer: [{name: adam, beta_1: 2}]", "s.yaml:2:41: optimizer.beta_1: must be >= 0 and < 1, got 2"),
        ("optimizer.beta_3: [1]", "s.yaml:2:8: optimizer.beta_3: unknown key 'beta_3'"),
        ("model.hidden.3: [1]", "s.yaml:2:8: model.hidden.3: the list has 1 items"),
        ("seed.x: [1]", "'seed.x' cannot be swept"),
        ("a..b: [1]", "'a..b' is no path"),
        ("learning_rate: 0.1", "grid.learning_rate: must be a list, got 0.1"),
        *((f"{key}: [1, 2]", f"'{key}' cannot be swept") for key in ("name", "seed", "tensorboard.histograms", "sweep", "engine")),
        ("log_dir: [a, b]", "s.yaml:2:8: unknown key 'log_dir'"),
    ],
)  # fmt: skip
def test_bad_grids(folder: Path, line: str, told: str) -> None:
    found = faults(folder, f"base: base.yaml\ngrid: {{{line}}}\n")
    assert told in found[0]


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ("zip: [{epochs: 1}, {steps: 2}]", "row 2 has steps; the first row has epochs"),
        ("zip: [{epochs: 1}, {epochs: 1}]", "is listed twice"),
        ("zip: [3]", "row 1 must be a mapping"),
        ("grid: {epochs: [1]}\nzip: [{epochs: 2}]", "s.yaml:3:8: epochs: swept twice, first at s.yaml:2:8"),
        ("grid: {epochs: [1]}\nbranches: [{epochs: 2}]", "s.yaml:3:13: epochs: swept twice"),
        ("branches: [{epochs: 2, grid: {epochs: [1]}}]", "epochs: swept twice"),
        ("seeds: 0", "seeds: must be a number of seeds from 1"),
        ("seeds: [1, 1]", "the value 1 is listed twice"),
        ("grid: {model: {hidden: [[1], [2]]}}", "grid.model: must be a list of values, got a mapping — paths have dots"),
        ("zip: {epochs: [1, 2]}", "rows of zip are [{epochs: 1}, …]"),
        ("grid: {model.layers.0: [dense], model.layers.00: [flatten]}", "model.layers.00: swept twice"),
        ("metric: {goal: max}", "'max' is not one of auto, minimize, maximize"),
        ("gird: {epochs: [1]}", "unknown key 'gird' — did you mean 'grid'?"),
        ("num_trials: 3", "num_trials does not go with method: grid"),
        ("method: bayes", "did you mean 'tpe'?"),
        ("pruner: asha\ngrid: {epochs: [1]}", "pruner does not go with method: grid"),
        ("method: tpe", "method: tpe needs"),
        ("method: tpe\ngrid: {epochs: [1]}", "grid does not go with method: tpe"),
    ],
)  # fmt: skip
def test_bad_blocks(folder: Path, lines: str, told: str) -> None:
    assert any(told in fault for fault in faults(folder, f"base: base.yaml\n{lines}\n"))


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("learning_rate: {min: 1, max: 1}", "s.yaml:5:24: parameters.learning_rate.min: must be less than max"),
        ("learning_rate: {min: 0, max: 1, distribution: log_uniform}", "must be > 0 on a logarithmic scale"),
        ("learning_rate: {min: 1, max: 2, step: 0}", "step: must be > 0"),
        ("learning_rate: {min: 1, max: 2, step: 3}", "must be at most max - min"),
        ("learning_rate: {min: 1, max: 2, values: [3]}", "give 'values' or a range, not both"),
        ("learning_rate: {min: 1}", "give 'min' and 'max', or 'values'"),
        ("epochs: {min: 1.5, max: 2, distribution: int}", "must be a whole number for distribution int"),
        ("epochs: {min: 1, max: 9}", "s.yaml:5:3: epochs takes whole numbers — add distribution: int"),
        ("learning_rate: {min: 1, max: 1e5}", "s.yaml:5:32: learning_rate: must be > 0 and <= 10000"),
        ("optimizer: {values: [sgd, adma]}", "s.yaml:5:29: optimizer: 'adma' is not known"),
        ("seed: {min: 0, max: 9, distribution: int}", "'seed' cannot be swept"),
    ],
)  # fmt: skip
def test_bad_parameters(folder: Path, line: str, told: str) -> None:
    (found,) = faults(folder, SEARCH + line + "\n")
    assert told in found


@pytest.mark.parametrize(
    ("pruner", "told"),
    [
        ("sha", "s.yaml:6:9: pruner: 'sha' is not known; one of asha, hyperband, median"),
        ("{asha: {min_epochs: 0}}", "pruner.asha.min_epochs: must be >= 1"),
        ("{asha: {reduction_factor: 1}}", "pruner.asha.reduction_factor: must be >= 2"),
        ("{hyperband: {reduction_factor: 1}}", "pruner.hyperband.reduction_factor: must be >= 2"),
        ("{median: {min_trials: 0}}", "pruner.median.min_trials: must be >= 1"),
        ("{asha: {rungs: [1, 2]}}", "unknown key 'rungs'"),
        ("{asha: {min_epochs: 1000000}}", "s.yaml:6:9: pruner: it looks after 1,000,000 epochs first, and no trial has more than"),
    ],
)  # fmt: skip
def test_bad_pruners(folder: Path, pruner: str, told: str) -> None:
    (found,) = faults(folder, f"{SEARCH}learning_rate: {{min: 0.1, max: 0.2}}\npruner: {pruner}\n")
    assert told in found


def test_a_search_is_described(folder: Path) -> None:
    text = SEARCH + "learning_rate: {min: 1e-4, max: 1, distribution: log_uniform}\npruner: asha\n"
    found = sweep(folder, text)
    assert found.trials == ()
    assert found.search
    assert (found.search.method, found.search.num_trials) == ("tpe", 5)
    assert found.search.pruner
    assert found.search.pruner.describe() == {
        "name": "asha",
        "min_epochs": 1,
        "reduction_factor": 4,
    }
    trial = found.trial(3, {"learning_rate": 0.01})
    assert trial.label == "learning_rate-0.01_3"
    assert trial.experiment(Repeat(1)).learning_rate == 0.01
    with pytest.raises(ConfigError, match=r"s.yaml:5:18: learning_rate: must be > 0"):
        found.trial(4, {"learning_rate": -1.0})


@pytest.mark.parametrize(
    ("metric", "told"),
    [
        ("val_r2", "'val_r2' is not measured; one of loss, accuracy"),
        ("accuracy_", "did you mean 'accuracy'?"),
        ("{name: mae}", "'mae' is not measured"),
        ("test_accuracy", "'test_accuracy' is not measured"),
    ],
)
@pytest.mark.parametrize("block", ["base: base.yaml\ngrid: {learning_rate: [1, 2]}\n",
                                   f"{SEARCH}learning_rate: {{min: 1, max: 2}}\n"])  # fmt: skip
def test_a_metric_that_is_not_measured(folder: Path, block: str, metric: str, told: str) -> None:
    (found,) = faults(folder, f"{block}metric: {metric}\n")
    assert told in found


def test_a_metric_by_its_name_alone(folder: Path) -> None:
    text = "base: base.yaml\ngrid: {learning_rate: [1, 2]}\nmetric: accuracy\n"
    assert (found := sweep(folder, text).metric).name == "accuracy"
    assert not found.minimizes


def test_all_problems_at_once(folder: Path) -> None:
    text = "base: base.yaml\nbse: 1\ngrid: {epochs: [], batch_size: [0], name: [a], lr: [1]}\n"
    found = faults(folder, text, "dtype=int8", "seed=1,2")
    for told in (
        "'bse'",
        "epochs: the list",
        "batch_size: must",
        "'name'",
        "'lr'",
        "'int8'",
        "'seed'",
    ):
        assert any(told in fault for fault in found), told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["learning_rate=0.1,0.1"], "command line 'learning_rate=0.1,0.1'"),
        (["learning_rate=0.1,-1"], "command line 'learning_rate=0.1,-1': learning_rate: must be > 0"),
        (["epochs=1,2", "epochs=3"], "epochs: given twice"),
        (["epochs=[1,2"], "is missing — close the bracket"),
        (["epochs"], "is not key=value"),
        (["epohcs=1,2"], "did you mean 'epochs'?"),
        (["epochs=1,", "2"], "command line 'epochs=1,': ends with a comma"),
    ],
)  # fmt: skip
def test_bad_words(folder: Path, words: list[str], told: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(folder / "base.yaml", words)
    assert told in str(caught.value)


@pytest.mark.parametrize(
    "text", ["base: nothing.yaml\n", "base: 3\n", "seeds: 2\n", "base: {epochs: 2}\n"]
)
def test_bad_bases(folder: Path, text: str) -> None:
    (found,) = faults(folder, text)
    assert found.startswith("s.yaml:1:")


def test_ten_million_trials_are_counted_not_built(folder: Path) -> None:
    ten = ",".join(f"0.{i}" for i in range(10, 20))
    words = [f"optimizer.a{i}={ten}" for i in range(7)]
    with pytest.raises(ConfigError, match="10,000,000 trials; the limit is 1,000"):
        read(folder / "base.yaml", words)


def test_more_trials_when_they_are_meant(folder: Path) -> None:
    words = ["epochs=1,2,3"]
    with pytest.raises(ConfigError, match="3 trials; the limit is 2"):
        read(folder / "base.yaml", words, {"max_trials": 2})
    assert len(read(folder / "base.yaml", words, {"max_trials": 2}, yes=True).trials) == 3


@pytest.mark.parametrize("path", HOMEWORK, ids=lambda path: path.stem)
def test_the_homework_is_sound(path: Path) -> None:
    found = read(path)
    assert math.prod([len(found.trials), len(found.seeds)]) > 3
    assert not found.duplicates
    assert path.read_text().startswith("# Homework 3: ")


def test_the_homework_is_whole() -> None:
    assert len(HOMEWORK) == 12


def test_the_page_about_sweep_files_names_every_key() -> None:
    page = (HOMEWORK[0].parents[2] / "docs" / "sweeps.md").read_text()
    pruners = [
        key for pruner in (Median, Asha, Hyperband) for key in (pruner.name, *pruner.model_fields)
    ]
    methods = get_args(Search.model_fields["method"].annotation)[1:]
    keys = [*SweepFile.model_fields, *Parameter.model_fields, *Objective.model_fields, *pruners]
    for key in (*keys, *methods, *get_args(Distribution)):
        assert re.search(rf"[`{{ ]{key}[:`,}} ]", page), key


def test_a_default_key_that_0_1_did_not_have_is_no_part_of_a_trial_s_key(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(*words: str) -> str:
        added_defaults.cache_clear()
        return read(folder / "base.yaml", list(words)).trials[0].key

    assert key("accumulate=2") != (plain := key())
    whole = key("accumulate=1", "dtype=float32")
    monkeypatch.setattr("backproplab.config.experiment.ADDED", ("accumulate", "absent"))
    try:
        assert key() == key("accumulate=1") not in (plain, whole)
        assert key("accumulate=2") != key()
    finally:
        added_defaults.cache_clear()
