"""Read, split, scale: what training receives."""

import numpy as np
import pytest

from backproplab.data import Dataset, Examples, RawData, Task, load
from backproplab.errors import ConfigError


@pytest.mark.parametrize(
    ("fields", "lengths"),
    [
        ({}, (120, 30, None)),
        ({"test_split": 0.1}, (105, 30, 15)),
        ({"validation_split": 0.0}, (150, None, None)),
        ({"validation_split": 0.0, "test_split": 0.3}, (105, None, 45)),
        ({"validation_split": 0.01}, (148, 2, None)),
    ],
)
def test_sizes(make, fields, lengths) -> None:
    splits = load(make("iris", **fields), 0)
    parts = (splits.train, splits.validation, splits.test)
    assert tuple(None if part is None else len(part) for part in parts) == lengths


def test_balanced_classes_stay_balanced(make) -> None:
    splits = load(make("iris", test_split=0.2), 0)
    for part, each in ((splits.train, 30), (splits.validation, 10), (splits.test, 10)):
        assert np.bincount(part.targets).tolist() == [each] * 3


def test_a_set_with_its_own_test_examples_keeps_them_whole(make) -> None:
    splits = load(make("mnist", validation_split=0.2), 0)
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (40, 10, 20)
    assert np.array_equal(splits.test.targets, np.arange(20) % 10)


def test_the_scaler_is_fitted_on_the_training_split_only(make) -> None:
    splits = load(make("wine", test_split=0.2), 0, np.float64)
    raw = load(make("wine", test_split=0.2, standardize=False), 0, np.float64)
    np.testing.assert_allclose(splits.train.inputs.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(splits.train.inputs.std(axis=0), 1, atol=1e-12)
    mean, deviation = raw.train.inputs.mean(axis=0), raw.train.inputs.std(axis=0)
    for part, plain in ((splits.validation, raw.validation), (splits.test, raw.test)):
        np.testing.assert_allclose(part.inputs, (plain.inputs - mean) / deviation, rtol=1e-9)
        assert abs(part.inputs.mean(axis=0)).max() > 0.01


def test_regression_targets_stay_as_they_are_unless_asked(make) -> None:
    plain = load(make("diabetes"), 0, np.float64)
    assert plain.train.targets.min() >= 25
    scaled = load(make("diabetes", standardize_targets=True), 0, np.float64)
    mean, deviation = plain.train.targets.mean(), plain.train.targets.std()
    expected = (plain.validation.targets - mean) / deviation
    np.testing.assert_allclose(scaled.validation.targets, expected, rtol=1e-12)


def test_unstandardized_images_are_in_the_unit_interval(make) -> None:
    inputs = load(make("mnist", standardize=False), 0).train.inputs
    assert 0 <= inputs.min() < 0.1 < 0.9 < inputs.max() <= 1


@pytest.mark.parametrize(
    ("fields", "fault"),
    [
        ({"validation_split": 0.001}, r"data.validation_split: 0.001 of 150 examples is none"),
        ({"test_split": 0.001}, r"data.test_split: 0.001 of 150 examples is none"),
        ({"validation_split": 0.999}, "none of 150 examples is left to train on"),
        ({"validation_split": 0.5, "test_split": 0.499}, "none of 150 examples is left"),
    ],
)
def test_an_empty_split_is_a_config_error(make, fields, fault) -> None:
    with pytest.raises(ConfigError, match=fault):
        load(make("iris", **fields), 0)


def test_classes_of_one_example_leave_nothing_to_hold_out() -> None:
    class OneOfEach(Dataset):
        def read(self, generator: np.random.Generator) -> RawData:
            return RawData(Examples(np.eye(5), np.arange(5)), Task("classification", 5))

    with pytest.raises(ConfigError, match="is none"):
        load(OneOfEach(), 0)


def test_the_unit_of_a_scaled_target_is_said(make) -> None:
    raw = load(make("diabetes"), 0, np.float64).preparation
    scaled = load(make("diabetes", standardize_targets=True), 0, np.float64).preparation
    deviation = float(np.asarray(scaled.targets.scale).item())
    said = f"regression, target in standard deviations of {deviation:.4g}"
    assert [raw.trained_for, scaled.trained_for] == ["regression", said]
