"""What holds for every data set."""

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from backproplab.data import Dataset, Examples, RegressionDataset, Splits, Task, load
from backproplab.streams import stream

NAMES = sorted(Dataset.members)
ALIKE = {
    *("digits", "iris", "wine", "breast_cancer", "diabetes", "mnist", "fashion_mnist"),
    *(
        "bars_and_stripes",
        "cubic_spiral",
        "csv",
        "parquet",
        "npz",
        "idx",
        "images",
        "arrays",
        "frame",
    ),
}
EITHER = {"csv", "parquet", "npz", "arrays", "frame"}  # the target decides
COLUMNS = {"cubic_spiral": 2}
CLASSES = {"digits": 10, "iris": 3, "wine": 3, "mnist": 10, "fashion_mnist": 10, "idx": 10}


def test_the_members() -> None:
    assert set(NAMES) == ALIKE | {
        *("circle", "xor", "gauss", "spiral", "plane", "bumps"),
        *("moons", "sine", "linear", "gaussian_mixture"),
    }


def test_a_data_set_may_be_written_by_name_or_as_a_mapping() -> None:
    assert Dataset.parse({"circle": {"samples": 20}}) == Dataset.parse(
        {"name": "circle", "samples": 20}
    )


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=pytest.mark.slow) if n == "parquet" else n for n in NAMES]
)
class TestFamily:
    def test_its_description_describes_it(self, name, make) -> None:
        dataset = make(name)
        assert Dataset.parse(dataset.describe()) == dataset

    def test_it_has_a_json_schema(self, name) -> None:
        assert name in str(TypeAdapter(Dataset).json_schema())
        assert "validation_split" in Dataset.members[name].model_json_schema()["properties"]

    def test_what_it_reads_is_what_its_task_says(self, name, make) -> None:
        source = make(name).read(stream(0, "data"))
        for part in filter(None, (source.examples, source.test)):
            assert part.inputs.ndim == 2
            assert len(part) == len(part.inputs) == len(part.targets) > 0
            assert source.columns is None or len(source.columns) == len(part)
            assert np.isfinite(part.inputs).all()
            if source.task.kind == "classification":
                assert part.targets.dtype == np.int64
                assert part.targets.shape == (len(part),)
                assert set(part.targets) == set(range(source.task.outputs))
            else:
                assert part.targets.shape == (len(part), source.task.outputs)
                assert np.isfinite(part.targets).all()

    def test_its_kind_is_its_class(self, name, make) -> None:
        task = make(name).read(stream(0, "data")).task
        can_be = isinstance(make(name), RegressionDataset)
        assert name in EITHER or (task.kind == "regression") == can_be
        assert task.outputs == (
            COLUMNS.get(name, 1) if task.kind == "regression" else CLASSES.get(name, 2)
        )
        assert len(task.labels) == (0 if task.kind == "regression" else task.outputs)

    def test_it_brings_test_examples_if_it_says_so(self, name, make) -> None:
        assert (make(name).read(stream(0, "data")).test is not None) == make(name).brings_test

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_it_loads_in_the_asked_precision(self, name, make, dtype) -> None:
        splits = load(make(name), 0, dtype)
        assert (splits.validation is not None) == (make(name).validation_split > 0)
        for part in filter(None, (splits.train, splits.validation, splits.test)):
            assert part.inputs.dtype == dtype
            assert part.inputs.shape == (len(part), *splits.input_shape)
            assert np.isfinite(part.inputs).all()
            regression = splits.task.kind == "regression"
            assert part.targets.dtype == (dtype if regression else np.int64)

    def test_the_same_seed_gives_the_same_bytes(self, name, make) -> None:
        first, second, other = (load(make(name), seed).fingerprint for seed in (1, 1, 2))
        assert first == second != other

    def test_only_drawn_sets_depend_on_the_seed_before_splitting(self, name, make) -> None:
        noise = {"noise": 0.2} if "noise" in type(make(name)).model_fields else {}
        first, other = (make(name, **noise).read(stream(s, "data")).examples for s in (1, 2))
        same = np.array_equal(first.inputs, other.inputs)
        assert same == (name in ALIKE)

    def test_numpys_own_random_state_is_left_alone(self, name, make) -> None:
        before = np.random.get_state()[1].tobytes()
        load(make(name), 3)
        assert np.random.get_state()[1].tobytes() == before

    def test_drawing_knows_nothing_of_splitting(self, name, make) -> None:
        """Other shares, same examples: the streams do not touch."""
        few, many = (
            load(make(name, validation_split=share, standardize=False), 5) for share in (0.1, 0.4)
        )
        assert np.array_equal(*(np.sort(_all_inputs(splits), axis=0) for splits in (few, many)))


def _all_inputs(splits: Splits) -> np.ndarray:
    return np.concatenate([splits.train.inputs, splits.validation.inputs])


def test_splitting_knows_nothing_of_drawing(make) -> None:
    """With half the noise the rows are the same: a sorted set's labels show the split of each."""
    clean, noisy = (load(make("moons", noise=noise), 5) for noise in (0.0, 0.3))
    assert np.array_equal(clean.train.targets, noisy.train.targets)
    assert not np.array_equal(clean.train.inputs, noisy.train.inputs)


@pytest.mark.parametrize(
    ("name", "fields", "fault"),
    [
        ("iris", {"validation_split": 1.0}, "less than 1"),
        ("iris", {"validation_split": -0.1}, "greater than or equal to 0"),
        ("iris", {"validation_split": 0.5, "test_split": 0.5}, "must leave training examples"),
        ("mnist", {"test_split": 0.1}, "mnist brings its own test examples"),
        ("circle", {"samples": 1}, "greater than or equal to 2"),
        ("circle", {"noise": 0.6}, "less than or equal to 0.5"),
        ("iris", {"standardise": False}, "Extra inputs"),
        ("iris", {"standardize_targets": True}, "Extra inputs"),
    ],
)
def test_descriptions_that_are_refused(name, fields, fault) -> None:
    with pytest.raises(ValidationError, match=fault):
        Dataset.members[name](**fields)


def test_a_refused_split_says_which_key_is_at_fault() -> None:
    with pytest.raises(ValidationError) as caught:
        Dataset.parse({"fashion_mnist": {"test_split": 0.2}})
    assert caught.value.errors()[0]["ctx"]["path"] == "test_split"


class TestFingerprint:
    examples = Examples(np.arange(6.0).reshape(3, 2), np.arange(3))
    task = Task("classification", 3)

    def of(self, train, validation=None, test=None) -> str:
        return Splits(train, validation, test, self.task, None).fingerprint

    def test_is_a_sha256(self) -> None:
        assert len(self.of(self.examples)) == 64

    def test_does_not_depend_on_memory_layout(self) -> None:
        fortran = Examples(np.asfortranarray(self.examples.inputs), self.examples.targets)
        assert self.of(fortran) == self.of(self.examples)

    @pytest.mark.parametrize(
        "other",
        [
            Examples(np.arange(6.0).reshape(3, 2) + 1e-12, np.arange(3)),
            Examples(np.arange(6.0).reshape(3, 2, 1), np.arange(3)),
            Examples(np.arange(6.0).reshape(3, 2).view(np.int64), np.arange(3)),
            Examples(np.arange(6.0).reshape(3, 2), np.array([0, 2, 1])),
        ],
    )
    def test_changes_with_value_shape_dtype_and_target(self, other) -> None:
        assert self.of(other) != self.of(self.examples)

    def test_tells_validation_from_test(self) -> None:
        one = self.examples
        assert len({self.of(one), self.of(one, one), self.of(one, None, one)}) == 3
