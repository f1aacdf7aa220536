"""What ``train`` refuses, a sweep refuses before its first run: for every trial, with its place."""

import tracemalloc
from pathlib import Path
from typing import Any

import pytest
import yaml

from backproplab.config import Experiment, located, read
from backproplab.errors import BackpropLabError, ConfigError, DataError
from backproplab.experiment import build
from backproplab.sweep import rehearsal, space

BASE = "data: {name: iris}\nepochs: 2\nthreads: 1\n"
DENSE = [{"dense": 4}, {"dense": 3}]
# what only the data, or two keys together, show: path -> (a value that fits, one that does not)
UNFIT: dict[str, tuple[str, Any, Any]] = {
    "more examples a batch than there are": ("batch_size", 16, 256),
    "an optimizer of all examples in minibatches": ("optimizer", "sgd", "lbfgs"),
    "the loss of another task": ("loss", "auto", "binary_cross_entropy"),
    "early stopping by what is not measured": ("early_stopping.monitor", "val_loss", "val_r2"),
    "a plateau of what is not measured": (
        "schedule",
        "constant",
        {"reduce_on_plateau": {"monitor": "val_r2"}},
    ),
    "layers for other inputs": ("model.layers", DENSE, [{"conv2d": 3}, "flatten", {"dense": 3}]),
    "a split without examples": ("data.validation_split", 0.2, 0.001),
    "weights that outgrow the machine": ("model.hidden", [4], [10**7, 10**7]),
}


def sweep_of(folder: Path, path: str, values: list[Any], form: str) -> Path:
    (folder / "base.yaml").write_text(BASE)
    blocks = {
        "grid": {"grid": {path: values}},
        "zip": {"zip": [{path: value} for value in values]},
        "branches": {"branches": [{path: value} for value in values]},
        "search": {
            "method": "random",
            "num_trials": 3,
            "parameters": {path: {"values": values}},
        },
    }
    text = yaml.safe_dump(blocks[form], default_flow_style=None, width=10**6)
    (folder / "s.yaml").write_text(f"base: base.yaml\n{text}")
    return folder / "s.yaml"


def refused_by_train(folder: Path, path: str, value: Any) -> list[str]:
    word = yaml.safe_dump(value, default_flow_style=True, width=10**6).strip()
    experiment, document = read(folder / "base.yaml", f"{path}={word.removesuffix(' ...').strip()}")
    with pytest.raises(ConfigError) as caught:
        build(experiment)
    return [problem.what for problem in located(caught.value, document).problems]


@pytest.mark.parametrize("form", ["grid", "zip", "branches", "search"])
@pytest.mark.parametrize("kind", UNFIT)
def test_a_sweep_refuses_what_train_refuses(tmp_path: Path, kind: str, form: str) -> None:
    path, fits, unfit = UNFIT[kind]
    file = sweep_of(tmp_path, path, [fits, unfit], form)
    with pytest.raises(ConfigError) as caught:
        space.read(file)
    alone = refused_by_train(tmp_path, path, unfit)
    assert len(caught.value.problems) == len(alone)
    for problem, what in zip(caught.value.problems, alone, strict=True):
        assert problem.what.startswith(f"{what} (trial ")
        assert problem.where.startswith(f"{file}:")
    space.read(sweep_of(tmp_path, path, [fits], form))


def test_every_problem_of_every_trial_at_once_with_its_trials(tmp_path: Path) -> None:
    blocks = {path: list(values) for path, *values in list(UNFIT.values())[:3]}
    (tmp_path / "s.yaml").write_text(f"base: {{{BASE_INLINE}}}\n{yaml.safe_dump({'grid': blocks})}")
    with pytest.raises(ConfigError) as caught:
        space.read(tmp_path / "s.yaml")
    found = [problem.what for problem in caught.value.problems]
    assert len(found) == 3
    assert all(what.endswith(" and 3 others)") for what in found)


BASE_INLINE = "data: {name: iris}, epochs: 2, threads: 1"


def test_a_problem_of_the_base_is_of_all_trials(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{BASE}batch_size: 256\n")
    (tmp_path / "s.yaml").write_text("base: base.yaml\ngrid: {learning_rate: [0.1, 0.2]}\n")
    with pytest.raises(ConfigError) as caught:
        space.read(tmp_path / "s.yaml")
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path / 'base.yaml'}:4:13"
    assert problem.what.endswith("(all 2 trials)")


def test_the_corners_of_a_search_are_checked_and_not_its_edges_alone(tmp_path: Path) -> None:
    """A large batch fits, and a small training split; not both."""
    ranges = "{batch_size: {min: 1, max: 100, distribution: int}, data.validation_split: {min: 0.1"
    text = f"base: {{{BASE_INLINE}}}\nmethod: tpe\nnum_trials: 3\nparameters: {ranges}, max: "
    (tmp_path / "s.yaml").write_text(f"{text}0.2}}}}\n")
    space.read(tmp_path / "s.yaml")
    (tmp_path / "s.yaml").write_text(f"{text}0.5}}}}\n")
    with pytest.raises(ConfigError, match=r"100 is larger than the 75 .*trial batch_size-100_"):
        space.read(tmp_path / "s.yaml")


def test_data_files_that_cannot_be_read(tmp_path: Path) -> None:
    """Exit 4 where nothing else is wrong; every trial's data are read, each once."""
    grid = "{data.path: [/nope, /nowhere], learning_rate: [0.1, 0.2]}"
    base = "{data: {name: mnist, path: /nope}, epochs: 1}"
    (tmp_path / "s.yaml").write_text(f"base: {base}\ngrid: {grid}\n")
    with pytest.raises(DataError) as caught:
        space.read(tmp_path / "s.yaml")
    lines = str(caught.value).splitlines()
    places = [line.partition(": data: ")[0].rpartition("s.yaml:")[2] for line in lines]
    assert places == ["2:20", "2:27"]
    assert all(line.endswith("and 1 other)") for line in lines)
    (tmp_path / "s.yaml").write_text(f"base: {base}\ngrid: {{batch_size: [0, 1]}}\n")
    with pytest.raises(ConfigError) as both:
        space.read(tmp_path / "s.yaml")
    assert len(both.value.problems) == 2


def test_each_data_set_is_loaded_once_for_a_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[tuple[str, int]] = []

    def load(dataset: Any, seed: int, dtype: Any, kept: Any) -> Any:
        loads.append((dataset.name, seed))
        return loaded(dataset, seed, dtype, kept)

    loaded = rehearsal.load
    monkeypatch.setattr(rehearsal, "load", load)
    rates = [n / 1000 for n in range(1, 51)]
    grid = f"{{data: [iris, digits], learning_rate: {rates}}}"
    (tmp_path / "s.yaml").write_text(f"base: {{{BASE_INLINE}}}\nseeds: [3, 4]\ngrid: {grid}\n")
    space.read(tmp_path / "s.yaml")
    assert loads == [("iris", 3), ("iris", 4), ("digits", 3)]  # digits are not small


def test_no_weights_are_allocated(tmp_path: Path) -> None:
    """100 million weights, 400 MB: ``threads: auto`` included."""
    grid = "{model.hidden: [[10000, 10000], [10000]], learning_rate: [0.1, 0.2]}"
    base = "{data: {name: iris}, epochs: 1, threads: auto}"
    (tmp_path / "s.yaml").write_text(f"base: {base}\ngrid: {grid}\n")
    tracemalloc.start()
    try:
        space.read(tmp_path / "s.yaml")
        assert tracemalloc.get_traced_memory()[1] < 2**25
    finally:
        tracemalloc.stop()


def test_what_is_built_is_what_the_runs_will_be(tmp_path: Path) -> None:
    """Every trial that is let through can be built with every seed."""
    grid = "{optimizer: [sgd, adam], batch_mode: [batch, minibatch], data: [xor, sine, iris]}"
    (tmp_path / "s.yaml").write_text(f"base: {{{BASE_INLINE}}}\nseeds: 2\ngrid: {grid}\n")
    sweep = space.read(tmp_path / "s.yaml")
    for trial in sweep.trials:
        for repeat in sweep.repeats:
            assert isinstance(build(trial.experiment(repeat)).experiment, Experiment)


def test_the_command_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from typer.testing import CliRunner

    from backproplab.cli import build as app

    sweep_of(tmp_path, "batch_size", [16, 256], "grid")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    for words in (["--dry-run"], []):
        result = CliRunner().invoke(app(["sweep"]), ["sweep", "s.yaml", *words])
        assert isinstance(result.exception, BackpropLabError)
        assert result.exception.exit_code == 2
        assert sorted(tmp_path.rglob("*")) == before


def test_what_a_later_seed_draws_is_said_of_all_trials_and_a_trial_s_own_only_of_it(
    tmp_path: Path,
) -> None:
    """Seed 0 draws a validation split without class b; two trials have a schedule that never moves."""
    rows = "".join(f"{i / 7},{'ab'[i % 4 == 0]}\n" for i in range(32))
    (tmp_path / "f.csv").write_text(f"x,kind\n{rows}")
    data = "{name: csv, path: f.csv, target: kind, split: random, validation_split: 0.15}"
    grid = "{schedule: [constant, {step: {every: 50}}], learning_rate: [0.1, 0.2]}"
    found = {}
    for seeds in ([1], [0], [1, 0], [1, 2, 0, 3]):
        (tmp_path / "s.yaml").write_text(
            f"base: {{data: {data}, epochs: 2, batch_size: 8}}\nseeds: {seeds}\ngrid: {grid}\n"
        )
        found[str(seeds)] = set(space.read(tmp_path / "s.yaml").cautions)
    own, both = found["[1]"], found["[0]"]
    assert [text.rpartition("(")[2] for text in own] == ["2 of 4 trials)"]
    assert [text.rpartition("(")[2] for text in both - own] == ["4 of 4 trials)"]
    assert found["[1, 0]"] == found["[1, 2, 0, 3]"] == both
