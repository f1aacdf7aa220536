"""Tables as data sets: what is fitted, on which rows, and how rows become splits."""

import csv
import json

import numpy as np
import pytest
from pydantic import ValidationError
from pydantic_core import PydanticCustomError

from backproplab.data import Dataset, load
from backproplab.data.encoding import Columns, Encoder
from backproplab.data.preparation import Preparation
from backproplab.errors import ConfigError
from backproplab.tables import Feature

ROWS = 240
SPLITS = {
    "default": None,
    "random": "random",
    "stratified": "stratified",
    "group": {"group": "who"},
    "time": {"time": "day"},
    "column": {"column": "part"},
}


def table(spoil=()) -> list[dict[str, object]]:
    """Mixed columns with missing values. spoil: rows whose features are far from all others'."""
    random = np.random.default_rng(3)
    rows = []
    for i in range(ROWS):
        row = {
            "age": round(random.uniform(18, 80), 1) if random.random() > 0.1 else "",
            "city": random.choice(["Ulm", "Bonn", ""]),
            "day": f"20{random.integers(10, 24)}-{random.integers(1, 13):02d}-{random.integers(1, 28):02d}",
            "smoker": random.choice(["yes", "no"]),
            "who": f"p{random.integers(0, 40)}",
            "part": ("train", "validation", "test")[i % 10 // 8 + (i % 10 == 9)],
            "label": random.choice(["a", "b", "c"]),
        }
        if i in spoil:
            row |= {"age": 1e9, "city": "Atlantis", "smoker": "yes"}
        rows.append(row)
    return rows


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def described(path, split=None, **settings) -> Dataset:
    own = {"split": split} if split else {}
    shares = {"validation_split": 0.2, "test_split": 0.2}
    return Dataset.parse(
        {"name": "csv", "path": str(path), "target": "label"} | own | shares | settings
    )


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    return write(tmp_path_factory.mktemp("tables") / "mixed.csv", table())


SHAPES = ["log", "minmax", "quantile", "clip 20 70", "clip 20 70 log quantile"]
KINDS = [*((split, "numeric") for split in SPLITS), *(("default", shape) for shape in SHAPES)]


@pytest.mark.parametrize(("split", "age"), KINDS)
def test_only_training_rows_are_fitted(split, age, mixed, tmp_path) -> None:
    """Rows of the other splits may hold anything: what is fitted, and what is trained on, stay."""
    columns = {"age": age} | ({"who": "ignore"} if split != "group" else {})
    plain = load(described(mixed, SPLITS[split], columns=columns), 5)
    held_out = set(range(ROWS)) - set(plain.rows.tolist())
    assert len(held_out) > ROWS / 10
    path = write(tmp_path / "mixed.csv", table(held_out))
    spoiled = load(described(path, SPLITS[split], columns=columns), 5)
    assert np.array_equal(spoiled.rows, plain.rows)
    assert spoiled.preparation.record == plain.preparation.record
    assert np.array_equal(spoiled.train.inputs, plain.train.inputs)
    assert not np.array_equal(spoiled.validation.inputs, plain.validation.inputs)


@pytest.mark.parametrize("split", SPLITS)
def test_the_splits_share_no_row_and_lose_none(split, mixed) -> None:
    splits = load(described(mixed, SPLITS[split]), 5)
    assert sum(map(len, (splits.train, splits.validation, splits.test))) == ROWS
    assert len(set(splits.rows.tolist())) == len(splits.train)


def parts_of(mixed, column, split) -> list[list[str]]:
    """The values of a column in the rows of each split; told by a column that numbers the rows."""
    rows = [row | {"number": i} for i, row in enumerate(table())]
    path = write(mixed.with_name("numbered.csv"), rows)
    keep = {"number": "numeric"} | ({} if column == "who" else {"who": "ignore"})
    splits = load(described(path, split, standardize=False, columns=keep), 5, np.float64)
    place = splits.preparation.inputs.names.index("number")
    parts = (splits.train, splits.validation, splits.test)
    return [[str(rows[int(i)][column]) for i in part.inputs[:, place]] for part in parts]


def test_a_group_is_in_one_split_only(mixed) -> None:
    train, validation, test = (set(part) for part in parts_of(mixed, "who", {"group": "who"}))
    assert all((train, validation, test))
    assert len(train) + len(validation) + len(test) == len(train | validation | test)


def test_groups_fill_the_splits_about_as_asked(mixed) -> None:
    sizes = [len(part) for part in parts_of(mixed, "who", {"group": "who"})]
    assert np.allclose(sizes, [0.6 * ROWS, 0.2 * ROWS, 0.2 * ROWS], atol=6)


def test_time_runs_from_training_to_test(mixed) -> None:
    train, validation, test = parts_of(mixed, "day", {"time": "day"})
    assert max(train) <= min(validation) <= max(validation) <= min(test)


def test_a_column_says_the_split(mixed) -> None:
    parts = parts_of(mixed, "part", {"column": "part"})
    assert [set(part) for part in parts] == [{"train"}, {"validation"}, {"test"}]


def test_the_column_of_a_split_is_no_feature(mixed) -> None:
    for split, column in (({"group": "who"}, "who"), ({"column": "part"}, "part")):
        names = [
            feature.name for feature in load(described(mixed, split), 0).preparation.inputs.features
        ]
        assert column not in names


def test_a_split_needs_its_column(mixed) -> None:
    with pytest.raises(ValidationError, match="needs a column"):
        described(mixed, "group")


def test_the_inputs_are_those_of_scikit_learn(mixed) -> None:
    """SimpleImputer, StandardScaler and OneHotEncoder of scikit-learn 1.9, fitted on the same rows."""
    from sklearn.impute import SimpleImputer
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    ignored = dict.fromkeys(["day", "who", "part"], "ignore")
    splits = load(described(mixed, columns=ignored), 5, np.float64)
    rows, train = table(), splits.rows
    age = np.array([[float(row["age"] or "nan")] for row in rows])
    age = StandardScaler().fit_transform(SimpleImputer().fit_transform(age[train]))
    city = np.array([[row["city"]] for row in rows])
    hot = OneHotEncoder(categories=[["Bonn", "Ulm", ""]], sparse_output=False).fit_transform(
        city[train]
    )
    smoker = StandardScaler().fit_transform([[float(rows[i]["smoker"] == "yes")] for i in train])
    np.testing.assert_allclose(
        splits.train.inputs, np.hstack([age, hot, smoker]), rtol=1e-9, atol=1e-12
    )
    assert splits.preparation.inputs.names == (
        *("age", "city=Bonn", "city=Ulm", "city=(missing)", "smoker"),
    )


def test_shapes_are_those_of_scikit_learn(mixed) -> None:
    """FunctionTransformer, MinMaxScaler, QuantileTransformer and StandardScaler of scikit-learn 1.9
    in pipelines that are fitted on the same rows; a missing value is the mean."""
    from sklearn.preprocessing import MinMaxScaler, QuantileTransformer, StandardScaler

    rest = dict.fromkeys(["city", "day", "who", "part", "smoker"], "ignore")
    ages = np.array([[float(row["age"] or "nan")] for row in table()])
    for shape, function, scaler in (
        ("log", np.log1p, StandardScaler()),
        ("minmax", np.positive, MinMaxScaler()),
        ("clip 20 70 minmax", lambda x: np.clip(x, 20, 70), MinMaxScaler()),
        ("clip 20 70 log quantile", lambda x: np.log1p(np.clip(x, 20, 70)), QuantileTransformer()),
    ):  # fmt: skip
        splits = load(described(mixed, columns=rest | {"age": shape}), 5, np.float64)
        train, shaped = splits.rows, function(ages)
        known = shaped[train][~np.isnan(shaped[train])]
        filled = np.where(np.isnan(shaped), known.mean(), shaped)
        if "quantile" in shape:  # of which there are as many as known values
            scaler.set_params(n_quantiles=len(known))
        scaler.fit(known[:, None] if "quantile" in shape else filled[train])
        np.testing.assert_allclose(splits.train.inputs, scaler.transform(filled[train]), atol=1e-12)


def test_a_table_is_scaled_as_its_key_says(mixed) -> None:
    rest = dict.fromkeys(["city", "who", "part"], "ignore")
    for scale in ("minmax", "quantile"):
        own = described(mixed, columns=rest, standardize=scale)
        inputs = load(own, 5, np.float64).train.inputs
        np.testing.assert_array_equal(inputs.min(axis=0), 0)
        np.testing.assert_array_equal(inputs.max(axis=0), 1)


def test_dates_become_their_parts(tmp_path) -> None:
    rows = [{"d": f"{day:02d}.03.2024 {day % 24:02d}:30", "y": day % 2} for day in range(1, 31)]
    path = write(tmp_path / "d.csv", rows)
    shape = {"columns": {"d": {"date": "%d.%m.%Y %H:%M"}}, "target": "y", "standardize": False}
    splits = load(described(path, validation_split=0.0, **shape), 0, np.float64)
    assert splits.preparation.inputs.names == ("d.year", "d.month", "d.day", "d.weekday", "d.hour")
    first = splits.rows.tolist().index(0)  # 1 March 2024 was a Friday
    assert splits.train.inputs[first].tolist() == [2024, 3, 1, 4, 1]


def test_unseen_is_all_zeros_and_missing_is_the_mean_or_a_category(mixed, tmp_path) -> None:
    splits = load(described(mixed, columns=dict.fromkeys(["who", "day", "part"], "ignore")), 5)
    encoder = splits.preparation.inputs
    new = write(tmp_path / "new.csv", [
        {"smoker": "no", "city": "Paris", "age": "", "more": 1},
        {"smoker": "maybe", "city": "", "age": 50, "more": 1},
    ])  # fmt: skip
    dataset = described(new)
    columns = Columns.of(dataset.other(new, ("city", "smoker")), encoder.features)
    inputs = encoder(columns, np.arange(2), np.float64)
    assert inputs[0, :4].tolist() == [0, 0, 0, 0]
    assert inputs[1, 1:].tolist() == [0, 0, 1, 0]
    assert list(encoder.remarks(columns)) == [
        "missing: age 1, smoker 1",
        "unseen: city 1 (Paris)",
    ]


@pytest.mark.parametrize("name", ["mixed", *SHAPES, "iris", "diabetes", "mnist"])
def test_a_preparation_comes_back_from_its_record(name, make, mixed) -> None:
    kind = {"age": name} if name in SHAPES else {}
    dataset = described(mixed, columns=kind) if kind or name == "mixed" else make(name)
    preparation = load(dataset, 1).preparation
    again = Preparation.read(json.loads(json.dumps(preparation.record)))
    assert again.record == preparation.record
    assert again.task == preparation.task
    source = dataset.read(np.random.default_rng(0))
    rows, raw = np.arange(5), source.columns or source.examples.inputs
    assert np.array_equal(
        again.prepare(raw, rows, np.float32), preparation.prepare(raw, rows, np.float32)
    )


@pytest.mark.parametrize(
    "damage",
    [
        lambda r: r.pop("task"),
        lambda r: r.update(shape=[3]),
        lambda r: r["columns"][0].pop("fill"),
        lambda r: r["columns"][0].update(fill=[1.0, 2.0]),
        lambda r: r["columns"][1].update(levels=3),
        lambda r: r["task"].update(kind="ranking"),
    ],
)
def test_a_damaged_record_is_refused(damage, mixed) -> None:
    record = load(described(mixed), 1).preparation.record
    damage(record)
    with pytest.raises((LookupError, TypeError, ValueError)):
        Preparation.read(record)


def test_targets_of_a_regression_are_scaled_and_come_back(tmp_path) -> None:
    rows = [{"x": i, "price": 1000 + 7.5 * i} for i in range(50)]
    path = write(tmp_path / "p.csv", rows)
    splits = load(described(path, target="price", columns={"x": "numeric"}), 0, np.float64)
    assert abs(splits.train.targets.mean()) < 1e-12
    real = splits.preparation.real(splits.train.targets)
    np.testing.assert_allclose(real[:, 0], 1000 + 7.5 * splits.rows, rtol=1e-12)


@pytest.mark.parametrize("name", ["iris", "diabetes", "mixed"])
def test_fewer_training_rows_are_some_of_more(name, make, mixed) -> None:
    def rows(**settings) -> set[int]:
        dataset = described(mixed, **settings) if name == "mixed" else make(name, **settings)
        return set(load(dataset, 3).rows.tolist())

    few, more, most = rows(train_samples=30), rows(train_samples=60), rows()
    assert (len(few), len(more)) == (30, 60)
    assert few < more < most


def test_fewer_training_rows_keep_the_classes_in_proportion(make) -> None:
    splits = load(make("iris", train_samples=30), 0)
    assert np.bincount(splits.train.targets).tolist() == [10, 10, 10]
    assert len(splits.validation) == 30


def test_more_training_rows_than_there_are(make) -> None:
    with pytest.raises(ConfigError, match="train_samples: 500 of 120 training examples"):
        load(make("iris", train_samples=500), 0)


def test_label_noise_is_in_training_rows_only_and_of_its_share(make) -> None:
    plain, noisy = (load(make("digits", label_noise=noise), 1) for noise in (None, 0.25))
    changed = plain.train.targets != noisy.train.targets
    assert abs(changed.mean() - 0.25) < 0.03
    assert np.array_equal(plain.validation.targets, noisy.validation.targets)
    assert np.array_equal(plain.train.inputs, noisy.train.inputs)
    assert set(noisy.train.targets) == set(range(10))


def test_noise_of_a_regression_has_the_deviation_asked(make) -> None:
    plain, noisy = (
        load(make("diabetes", label_noise=noise), 1, np.float64) for noise in (None, 0.5)
    )
    noise = noisy.train.targets - plain.train.targets
    assert abs(noise.std() / plain.train.targets.std() - 0.5) < 0.05
    assert np.array_equal(plain.validation.targets, noisy.validation.targets)


def test_an_encoder_knows_its_features(mixed) -> None:
    encoder = load(described(mixed), 0).preparation.inputs
    assert isinstance(encoder, Encoder)
    kinds = {
        feature.name: feature.kind for feature in encoder.features if isinstance(feature, Feature)
    }
    assert kinds == {
        "age": "numeric", "city": "categorical", "day": "date",
        "smoker": "boolean", "who": "categorical", "part": "categorical",
    }  # fmt: skip


def loaded(tmp_path, text, **settings):
    (path := tmp_path / "f.csv").write_text(text)
    return load(
        Dataset.parse({"path": str(path), "validation_split": 0.0} | settings), 0, np.float64
    )


def test_a_path_without_a_name_is_read_by_its_suffix(tmp_path) -> None:
    assert loaded(tmp_path, "x,y\n1,a\n3,b\n", target="y").task.target == "y"


@pytest.mark.parametrize(
    ("word", "letter"), [("tab", "\t"), ("\\t", "\t"), ("semicolon", ";"), ("|", "|")]
)
def test_a_delimiter_may_be_named(word, letter, tmp_path) -> None:
    text = f"a,1{letter}y\n1.5{letter}a\n2.5{letter}b\n"
    assert loaded(tmp_path, text, delimiter=word).preparation.inputs.names == ("a,1",)


def test_a_delimiter_is_one_letter(tmp_path) -> None:
    with pytest.raises(ValidationError, match="must be one letter, or tab"):
        loaded(tmp_path, "a,y\n", delimiter="::")


def test_numbers_that_count_the_rows_are_a_feature_unless_they_have_no_name(tmp_path) -> None:
    line = "x,y\n" + "".join(f"{i},{2.5 * i}\n" for i in range(9))
    assert loaded(tmp_path, line).preparation.inputs.names == ("x",)
    bare = "".join(f"{i},{i % 3 + 0.5},{'ab'[i % 2]}\n" for i in range(9))
    assert loaded(tmp_path, bare).preparation.inputs.names == ("column_2",)


def test_it_says_that_there_is_no_header(tmp_path) -> None:
    rows = "de,1.5,2\nfr,2.5,3\nit,3,4\nes,5,6\n"
    assert any(
        "no header found" in x for x in loaded(tmp_path, "country,2019,2020\n" + rows).remarks
    )
    splits = loaded(tmp_path, "country,2019,2020\n" + rows, header=True)
    assert not any("no header" in remark for remark in splits.remarks)
    assert splits.preparation.inputs.names == ("2019",)


def test_a_file_of_another_kind_is_told_what_is_read() -> None:
    with pytest.raises(PydanticCustomError) as error:
        Dataset.parse("houses.xlsx")
    assert "is a spreadsheet" in error.value.context["what"]
    assert "save it as CSV" in error.value.context["hint"]
    with pytest.raises(PydanticCustomError) as error:
        Dataset.parse("houses.json")
    assert ".csv" in error.value.context["hint"]


def test_marks_of_missing_values_that_the_config_names(tmp_path) -> None:
    text = "x,c,y\n" + "".join(
        f"{-9 if i % 4 == 0 else i},{'none' if i % 3 else 'red'},{i % 2}\n" for i in range(24)
    )
    splits = loaded(tmp_path, text, missing=["-9", "none"], standardize=False)
    record = {entry["name"]: entry for entry in splits.preparation.record["columns"]}
    known = [i for i in range(24) if i % 4]
    assert record["x"]["fill"] == [np.mean(known)]
    assert record["c"] == {"name": "c", "kind": "categorical", "levels": ["red"], "missing": True}
