"""Folds of a cross-validation: each row is tested once, by the rule of the data, and nothing leaks."""

import csv
from collections import Counter

import numpy as np
import pytest
from pydantic import ValidationError
from sklearn.model_selection import GroupKFold, TimeSeriesSplit

from backproplab.config import Experiment
from backproplab.data import Dataset, Fold, load
from backproplab.data.folds import dealt, dealt_whole
from backproplab.errors import ConfigError
from backproplab.experiment import build

ROWS, FOLDS = 83, 5
RULES = {
    "default": None,
    "random": "random",
    "stratified": "stratified",
    "group": {"group": "who"},
    "time": {"time": "day"},
}


def rows(spoiled=()):
    """spoiled: rows whose features are far from all others', with a city of their own."""
    random = np.random.default_rng(1)
    for i in range(ROWS):
        row = {
            "number": i,
            "age": round(random.uniform(18, 80), 1) if random.random() > 0.1 else "",
            "city": random.choice(["Ulm", "Bonn", ""]),
            "day": f"2024-{i % 12 + 1:02d}-{i % 28 + 1:02d}",
            "who": f"p{random.integers(0, 20)}",
            "label": random.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1]),
        }
        yield row | ({"age": 1e9, "city": "Atlantis"} if i in spoiled else {})


def write(path, spoiled=()):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["number", "age", "city", "day", "who", "label"])
        writer.writeheader()
        writer.writerows(rows(spoiled))
    return path


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("folds") / "t.csv")


def fold_of(path, rule, index, seed=0, count=FOLDS, **settings):
    own = {"split": RULES[rule]} if RULES[rule] else {}
    columns = {"number": "numeric", "day": "ignore"} | (
        {} if rule == "group" else {"who": "ignore"}
    )
    fold = {"of": count, "index": index}
    data = {"name": "csv", "path": str(path), "target": "label", "columns": columns, "fold": fold,
            "standardize": False}  # fmt: skip
    return load(Dataset.parse(data | own | settings), seed, np.float64)


def numbers(splits):
    """The rows of the training, validation and test splits."""
    place = splits.preparation.inputs.names.index("number")
    parts = splits.train, splits.validation, splits.test
    return [part.inputs[:, place].astype(int) for part in parts if part]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule != "time"])
def test_each_row_is_tested_once_and_is_in_one_split(rule, table):
    tested = []
    for index in range(FOLDS):
        train, validation, test = numbers(fold_of(table, rule, index))
        assert sorted([*train, *validation, *test]) == list(range(ROWS))
        assert len(validation) == pytest.approx(0.2 * (ROWS - len(test)), abs=4)
        tested += [*test]
    assert sorted(tested) == list(range(ROWS))


@pytest.mark.parametrize("rule", RULES)
def test_nothing_is_fitted_on_rows_that_are_not_trained_on(rule, table, tmp_path):
    """For every fold: rows held out may hold anything; what is fitted and trained on stays equal."""
    for index in range(FOLDS):
        plain = fold_of(table, rule, index, standardize=True)
        held_out = set(range(ROWS)) - set(plain.rows.tolist())
        other = fold_of(write(tmp_path / "t.csv", held_out), rule, index, standardize=True)
        assert other.preparation.record == plain.preparation.record
        assert np.array_equal(other.rows, plain.rows)
        assert np.array_equal(other.train.inputs, plain.train.inputs)
        assert not np.array_equal(other.test.inputs, plain.test.inputs)


@pytest.mark.parametrize("rule", ["default", "stratified"])
def test_folds_have_the_classes_in_proportion(rule, table):
    labels = [row["label"] for row in rows()]
    counts = [
        Counter(labels[i] for i in numbers(fold_of(table, rule, k))[-1]) for k in range(FOLDS)
    ]
    for label in "abc":
        each = [count[label] for count in counts]
        assert max(each) - min(each) <= 1
    sizes = [count.total() for count in counts]
    assert max(sizes) - min(sizes) <= 1


def test_a_group_is_never_trained_and_tested_on(table):
    who = [row["who"] for row in rows()]
    for index in range(FOLDS):
        parts = [{who[i] for i in part} for part in numbers(fold_of(table, "group", index))]
        assert sum(map(len, parts)) == len(set.union(*parts))


def test_folds_of_time_are_those_of_scikit_learn(table):
    """TimeSeriesSplit of scikit-learn 1.9: fold k learns from what is older than what it tests."""
    order = np.argsort([row["day"] for row in rows()], kind="stable")
    for index, (older, newer) in enumerate(TimeSeriesSplit(FOLDS).split(order)):
        train, validation, test = numbers(fold_of(table, "time", index))
        assert [*train, *validation] == order[older].tolist()
        assert test.tolist() == order[newer].tolist()


def test_folds_of_groups_are_as_even_as_those_of_scikit_learn():
    """GroupKFold of scikit-learn 1.9, whose order of equal groups is another one."""
    groups = np.random.default_rng(2).zipf(1.7, 200) % 23
    ours = np.bincount(dealt_whole(groups, FOLDS, np.random.default_rng(0)))
    theirs = [len(test) for _, test in GroupKFold(FOLDS).split(groups, groups=groups)]
    assert sorted(ours) == sorted(theirs)


def test_a_seed_is_another_division_and_the_same_seed_the_same(table):
    first, again, other = (
        [tuple(numbers(fold_of(table, "default", k, seed))[-1]) for k in range(FOLDS)]
        for seed in (0, 0, 1)
    )
    assert first == again
    assert set(first).isdisjoint(other)


def test_dealing_is_at_random():
    """Over many seeds every row is in every fold equally often: 1 in 4, up to 5 deviations."""
    classes = np.repeat([0, 1, 2], [5, 9, 10])
    found = np.array([dealt(classes, 4, np.random.default_rng(s)) for s in range(2000)])
    shares = np.mean(found[:, :, None] == np.arange(4), axis=0)
    np.testing.assert_allclose(shares, 0.25, atol=5 * np.sqrt(0.25 * 0.75 / 2000))


@pytest.mark.parametrize(("data", "what"), [
    ({"name": "mnist", "fold": {"of": 5, "index": 0}}, "mnist brings its own test examples"),
    ({"name": "wine", "test_split": 0.1, "fold": {"of": 5, "index": 0}}, "test_split must be 0"),
    ({"name": "wine", "fold": {"of": 5, "index": 5}}, "must be less than of, which is 5"),
    ({"name": "wine", "fold": {"of": 1, "index": 0}}, "greater than or equal to 2"),
    ({"name": "csv", "path": "t.csv", "split": {"column": "s"}, "fold": {"of": 5, "index": 0}},
     "the split is given by a column"),
])  # fmt: skip
def test_a_fold_that_makes_no_sense_is_refused(data, what):
    with pytest.raises(ValidationError, match=what):
        Dataset.parse(data)


def test_more_folds_than_rows_or_groups_are_refused(table, tmp_path):
    with pytest.raises(ConfigError, match="of 100 leaves none of 83 examples to test"):
        [fold_of(table, "default", k, count=100) for k in range(100)]
    with pytest.raises(ConfigError, match="of 30 leaves none"):
        [fold_of(table, "group", k, count=30) for k in range(30)]
    np.savez(tmp_path / "f.npz", x_train=np.eye(9), y_train=np.arange(9) % 3, x_test=np.eye(9),
             y_test=np.arange(9) % 3)  # fmt: skip
    with pytest.raises(ConfigError, match="the data bring their own test examples"):
        load(Dataset.parse({"path": str(tmp_path / "f.npz"), "fold": {"of": 3, "index": 0}}), 0)


def test_the_fold_is_the_test_split_of_a_run():
    parts = build(
        Experiment.model_validate({"data": {"name": "wine", "fold": Fold(of=4, index=1)}})
    )
    assert set(parts.material.splits) == {"train", "validation", "test"}
    assert len(parts.splits.test) in (44, 45)
