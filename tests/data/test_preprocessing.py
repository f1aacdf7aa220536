"""Scaling against scikit-learn; splitting against its laws."""

import tracemalloc
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backproplab.data.preprocessing import BLOCK, Scaler, apportion, partition

random = np.random.default_rng(0)


def standardize(x: np.ndarray, dtype: type = np.float64) -> np.ndarray:
    rows = np.arange(len(x))
    return Scaler.fit(x, rows)(x, rows, dtype)


@pytest.mark.parametrize(
    "x",
    [
        random.normal([0, 100, 1e6], [1, 0.01, 1e3], (50, 3)),
        random.integers(0, 256, (3 * BLOCK + 7, 2), dtype=np.uint8),
        np.full((30, 1), 0.1),  # its variance is 2e-34, not 0
        np.column_stack([np.arange(5.0), np.full(5, 7.0)]),
        random.normal(size=(1, 4)),
    ],
    ids=["scales", "bytes in blocks", "constant 0.1", "one constant", "one row"],
)
def test_scaling_is_scikit_learns(x) -> None:
    from sklearn.preprocessing import StandardScaler

    expected = StandardScaler().fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(standardize(x), expected, rtol=1e-9, atol=1e-9)


def test_minmax_is_scikit_learns() -> None:
    from sklearn.preprocessing import MinMaxScaler

    x = np.random.default_rng(2).normal(size=(40, 3)) * [1, 1e6, 0]
    rows = np.arange(0, 40, 2)
    found = Scaler.between(x, rows)(x, np.arange(40), np.float64)
    np.testing.assert_allclose(found, MinMaxScaler().fit(x[rows]).transform(x), atol=1e-12)
    whole = Scaler.between(x, rows, one_scale=True)(x, rows, np.float64)
    assert (whole.min(), whole.max()) == (0, 1)


def test_a_constant_feature_is_centered_and_left_unscaled() -> None:
    scaler, both = Scaler.fit(np.full((10, 1), 0.1), np.arange(10)), np.arange(2)
    scaled = scaler(np.array([[0.1], [2.1]]), both, np.float64)
    np.testing.assert_allclose(scaled, [[0], [2]], atol=1e-15)


def test_images_keep_their_shape_and_are_scaled_pixel_by_pixel() -> None:
    images = random.integers(0, 256, (100, 4, 5, 1), dtype=np.uint8)
    scaled = standardize(images, np.float32)
    assert scaled.shape == images.shape
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(axis=0), 1, atol=1e-6)


@pytest.mark.parametrize("features", [1, 7, 300], ids="{} features".format)
@pytest.mark.parametrize("kind", ["bytes", "reals"])
def test_taking_and_scaling_piece_by_piece_changes_no_bit(features, kind) -> None:
    """As if the rows were taken at once and summed up block after block; order is chance."""
    x = random.integers(0, 256, (2 * BLOCK + 500, features), dtype=np.uint8)
    x = x if kind == "bytes" else random.normal(x)
    rows = random.permutation(len(x))[: 2 * BLOCK + 77]
    blocks = [x[rows[i : i + BLOCK]].astype(np.float64) for i in range(0, len(rows), BLOCK)]
    mean = sum(block.sum(axis=0) for block in blocks) / len(rows)
    deviation = np.sqrt(sum(((block - mean) ** 2).sum(axis=0) for block in blocks) / len(rows))
    scaler = Scaler.fit(x, rows)
    assert np.array_equal(scaler.shift, mean)
    assert np.array_equal(scaler.scale, deviation)
    expected = ((x[rows].astype(np.float64) - mean) / deviation).astype(np.float32)
    assert np.array_equal(scaler(x, rows, np.float32), expected)


def test_scaling_needs_little_more_memory_than_its_result() -> None:
    x, rows = np.tile(np.arange(200, dtype=np.uint8), (20_000, 2)), random.permutation(20_000)
    tracemalloc.start()
    result = Scaler.fit(x, rows)(x, rows, np.float32)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < result.nbytes + 3e6


def test_the_default_scaler_changes_nothing() -> None:
    x = random.normal(size=(7, 2))
    assert np.array_equal(Scaler()(x, np.arange(7), np.float64), x)


@given(arrays(np.float64, (12, 2), elements=st.floats(-1e3, 1e3)))
def test_scaling_is_affine_and_invariant_to_units(x) -> None:
    spread = x.std(axis=0) > 1e-3
    scaled, other = (standardize(y)[:, spread] for y in (x, 10 * x - 3))
    np.testing.assert_allclose(scaled, other, atol=1e-6)


counts_and_sizes = st.lists(st.integers(1, 60), min_size=1, max_size=12).flatmap(
    lambda counts: st.tuples(
        st.just(counts), st.lists(st.integers(0, (sum(counts) - 1) // 2), min_size=1, max_size=2)
    )
)


@given(counts_and_sizes)
def test_every_class_keeps_its_share_to_within_one_example(given_) -> None:
    counts, sizes = np.array(given_[0]), given_[1]
    parts = apportion(counts, sizes)
    ideal = np.outer(sizes, counts) / counts.sum()
    assert (abs(parts - ideal) < 1).all()
    assert (parts >= 0).all()
    assert (counts - parts.sum(axis=0) >= 1).all()  # one of each class is left to train on
    assert (parts.sum(axis=1) <= sizes).all()


@given(counts_and_sizes)
def test_parts_have_their_sizes_unless_classes_are_rare(given_) -> None:
    counts, sizes = np.array(given_[0]), given_[1]
    training = counts * (1 - sum(sizes) / counts.sum())
    if (training >= len(sizes)).all():
        assert list(apportion(counts, sizes).sum(axis=1)) == sizes


@pytest.mark.parametrize(
    ("counts", "sizes", "expected"),
    [
        ([50, 50, 50], [30], [[10, 10, 10]]),
        ([7, 3], [5], [[4, 1]]),  # ideal 3.5, 1.5: the first of equals
        ([1, 99], [50], [[0, 50]]),
        ([1, 1, 1], [2], [[0, 0, 0]]),
        ([2, 98], [40, 50], [[0, 40], [1, 49]]),
    ],
)
def test_apportionments(counts, sizes, expected) -> None:
    assert apportion(np.array(counts), sizes).tolist() == expected


@given(
    st.lists(st.sampled_from([0, 3, 7]), min_size=2, max_size=80),
    st.integers(0, 2**32),
    st.fractions(0, 0.9),
)
def test_a_partition_holds_everyone_once_and_as_apportioned(labels, seed, share) -> None:
    classes = np.array(labels)
    sizes = [int(len(labels) * share * 0.7), int(len(labels) * share * 0.3)]
    parts = partition(classes, sizes, np.random.default_rng(seed))
    assert sorted(np.concatenate(parts).tolist()) == list(range(len(labels)))
    present, counts = np.unique(classes, return_counts=True)
    for part, shares in zip(parts[1:], apportion(counts, sizes), strict=True):
        held = Counter(classes[part].tolist())
        assert [held[label] for label in present.tolist()] == shares.tolist()


def test_a_partition_is_shuffled_and_follows_its_generator() -> None:
    classes = np.repeat([0, 1], 50)
    first, again, other = (partition(classes, [20], np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(first[0], again[0])
    assert not np.array_equal(first[0], other[0])
    assert set(classes[first[0][:20]]) == {0, 1}  # not class after class


def test_every_example_is_as_likely_to_be_held_out() -> None:
    generator = np.random.default_rng(0)
    held = np.concatenate([partition(np.zeros(10), [3], generator)[1] for _ in range(2000)])
    frequencies = np.bincount(held, minlength=10) / 2000
    assert (abs(frequencies - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 2000)).all()


def test_one_scale_for_all_features():
    x = np.random.default_rng(0).uniform(0, 255, (50, 4)) * [1, 2, 0, 3]
    scaled = Scaler.fit(x, np.arange(40), one_scale=True)(x, np.arange(50), np.float64)
    np.testing.assert_allclose(scaled, (x - x[:40].mean()) / x[:40].std(), rtol=1e-12)
