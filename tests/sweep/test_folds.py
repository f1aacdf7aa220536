"""Folds of a sweep: seeds × folds are the runs of each trial, compared in pairs."""

import json

import pytest

from backproplab import report
from backproplab.errors import ConfigError
from backproplab.sweep import library, space

BASE = "base: {data: {name: wine}, model: {hidden: [4]}, epochs: 2, threads: 1, tensorboard: off}\n"
GRID = "grid: {learning_rate: [0.01, 0.03]}\n"


def sweep(folder, text, **settings):
    (folder / "s.yaml").write_text(BASE + text)
    return space.read(folder / "s.yaml", (), settings)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    folder = tmp_path_factory.mktemp("folds")
    return library.run(sweep(folder, GRID + "seeds: 2\nfolds: 3\n"), folder / "runs")


def test_each_trial_has_a_run_for_every_seed_and_fold(session):
    names = {folder.name for folder in session.iterdir() if folder.is_dir()}
    assert names == {
        f"learning_rate-{rate}_seed-{seed}_fold-{fold}"
        for rate in ("0.01", "0.03") for seed in (42, 43) for fold in range(3)
    }  # fmt: skip
    config = (session / "learning_rate-0.01_seed-43_fold-2" / "config.yaml").read_text()
    assert "fold: {of: 3, index: 2}" in config or "index: 2" in config


def test_the_runs_of_a_trial_are_one_row_in_pairs(session):
    found = report.compare(
        report.read_records(report.chosen_runs(session.parent, []))[0], "val_loss"
    )
    assert len(found.trials) == 2
    assert found.keys == ("learning_rate",)
    assert found.repeats == "runs"
    first, other = found.trials
    assert len(first.counted) == len(other.counted) == 6
    assert first.by_seed("test_accuracy").keys() == {f"{s}/{k}" for s in (42, 43) for k in range(3)}
    assert len(found.paired[1].differences) == 6


def test_paired_runs_have_the_same_data(session):
    hashes = {
        folder.name: json.loads((folder / "run.json").read_text())["hashes"]["data"]
        for folder in session.iterdir() if folder.is_dir()
    }  # fmt: skip
    by_repeat = {}
    for name, digest in hashes.items():
        by_repeat.setdefault(name.partition("_seed")[2], set()).add(digest)
    assert all(len(found) == 1 for found in by_repeat.values())
    assert len(set.union(*by_repeat.values())) == 6


def test_one_seed_leaves_its_name_out(tmp_path):
    found = sweep(tmp_path, GRID, folds=4)
    assert [repeat.suffix for repeat in found.repeats] == [f"_fold-{k}" for k in range(4)]
    assert [repeat.fold.index for repeat in found.repeats] == [0, 1, 2, 3]


@pytest.mark.parametrize(("text", "what"), [
    ("folds: 1\n", "must be >= 2 and <= 1000, got 1"),
    ("folds: 500\n", "leaves none of 178 examples"),
    ("folds: 3\ngrid: {data.test_split: [0.1]}\n", "test_split must be 0"),
    ("folds: 3\ngrid: {data.fold: [{of: 3, index: 1}]}\n", "data.fold says already which fold"),
])  # fmt: skip
def test_folds_that_make_no_sense_are_refused_at_their_line(text, what, tmp_path):
    with pytest.raises(ConfigError) as caught:
        sweep(tmp_path, text)
    assert any(what in str(p) for p in caught.value.problems), caught.value
