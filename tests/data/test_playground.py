"""The generators' invariants, read off the page's ``dataset.ts``."""

from typing import get_args

import numpy as np
import pytest
from pydantic import ValidationError

from backproplab.data import Dataset, expand
from backproplab.data.playground import FEATURES, Feature
from backproplab.streams import stream

CLASSES = ["circle", "xor", "gauss", "spiral"]


def read(name: str, seed: int = 0, **fields):
    examples = Dataset.members[name](**fields).read(stream(seed, "data")).examples
    return examples.inputs, examples.targets


@pytest.mark.parametrize("name", ["circle", "gauss", "spiral"])
@pytest.mark.parametrize(("samples", "each"), [(500, [250, 250]), (501, [250, 251])])
def test_classes_are_balanced(name, samples, each) -> None:
    _, labels = read(name, samples=samples)
    assert np.bincount(labels).tolist() == each


@pytest.mark.parametrize("samples", [2, 3, 10])
@pytest.mark.parametrize("name", [*CLASSES, "plane", "bumps"])
def test_few_samples_will_do(name, samples) -> None:
    points, targets = read(name, samples=samples)
    assert points.shape == (samples, 2)
    assert len(targets) == samples


class TestCircle:
    def test_a_disc_within_a_ring(self) -> None:
        points, labels = read("circle", samples=5000)
        r = np.hypot(*points.T)
        assert r[labels == 1].max() < 2.5
        assert r[labels == 0].min() >= 3.5
        assert r.max() < 5
        for label, low, high in ((1, 0, 2.5), (0, 3.5, 5)):  # the radius is uniform, not the area
            quartiles = np.quantile(r[labels == label], [0.25, 0.5, 0.75])
            np.testing.assert_allclose(
                quartiles, low + (high - low) * np.arange(1, 4) / 4, atol=0.1
            )

    def test_noise_changes_labels_not_points(self) -> None:
        clean, labels = read("circle")
        noisy, noisy_labels = read("circle", noise=0.5)
        assert np.array_equal(clean, noisy)
        assert 0.05 < (labels != noisy_labels).mean() < 0.5


class TestXor:
    def test_the_sign_of_the_product_away_from_the_axes(self) -> None:
        points, labels = read("xor", samples=5000)
        assert np.array_equal(labels == 1, points.prod(axis=1) >= 0)
        assert 0.3 <= abs(points).min() < 0.31
        assert 5.29 < abs(points).max() <= 5.3
        assert abs(labels.mean() - 0.5) < 0.03

    def test_noise_changes_labels_not_points(self) -> None:
        clean, labels = read("xor")
        noisy, noisy_labels = read("xor", noise=0.25)
        assert np.array_equal(clean, noisy)
        assert 0.02 < (labels != noisy_labels).mean() < 0.5


@pytest.mark.parametrize(("noise", "variance"), [(0.0, 0.5), (0.25, 2.25), (0.5, 4.0)])
def test_gauss_noise_is_a_variance(noise, variance) -> None:
    points, labels = read("gauss", samples=40_000, noise=noise)
    for label, center in ((1, 2), (0, -2)):
        cloud = points[labels == label]
        np.testing.assert_allclose(cloud.mean(axis=0), center, atol=0.05)
        np.testing.assert_allclose(np.cov(cloud.T), variance * np.eye(2), atol=0.05 * variance)


class TestSpiral:
    def test_two_arms_half_a_turn_apart(self) -> None:
        points, labels = read("spiral")
        first, second = points[labels == 1], points[labels == 0]
        np.testing.assert_allclose(first, -second, atol=1e-12)
        i = np.arange(250)
        np.testing.assert_allclose(np.hypot(*first.T), 5 * i / 250, atol=1e-12)
        turned = np.unwrap(np.arctan2(first[1:, 0], first[1:, 1]))
        np.testing.assert_allclose(turned, 3.5 * np.pi * i[1:] / 250, atol=1e-12)

    def test_the_end_radius(self) -> None:
        points, _ = read("spiral", samples=500)
        assert np.hypot(*points.T).max() == pytest.approx(5 * (1 - 2 / 500))

    def test_noise_moves_points_by_at_most_itself(self) -> None:
        moved = abs(read("spiral", noise=0.2)[0] - read("spiral")[0])
        assert 0.19 < moved.max() <= 0.2


def test_plane_is_a_tenth_of_the_sum() -> None:
    points, heights = read("plane")
    assert len(points) == 1200
    assert abs(points).max() <= 6
    np.testing.assert_allclose(heights[:, 0], points.sum(axis=1) / 10, atol=1e-15)
    assert np.array_equal(points, read("plane", noise=0.5)[0])


def bump(x1: float, x2: float) -> float:
    """The page's ``getLabel``, word for word: the height that is largest in absolute value."""
    label = 0.0
    for c1, c2, sign in [
        *((-4, 2.5, 1), (0, 2.5, -1), (4, 2.5, 1)),
        *((-4, -2.5, -1), (0, -2.5, 1), (4, -2.5, -1)),
    ]:
        height = sign * min(max(1 - np.hypot(x1 - c1, x2 - c2) / 2, 0), 1)
        label = height if abs(height) > abs(label) else label
    return label


def test_bumps_are_the_pages() -> None:
    points, heights = read("bumps")
    np.testing.assert_allclose(heights[:, 0], [bump(*point) for point in points], atol=1e-15)
    assert heights.max() > 0.9
    assert heights.min() < -0.9


def test_noise_on_surfaces_moves_the_place_of_reading() -> None:
    points, heights = read("plane", noise=0.1)
    error = heights[:, 0] - points.sum(axis=1) / 10
    assert 0.05 < abs(error).max() <= 0.12


class TestFeatures:
    def test_the_names_are_those_of_the_table(self) -> None:
        assert get_args(Feature) == tuple(FEATURES)

    def test_their_formulas(self) -> None:
        points = np.array([[2.0, -3.0], [0.0, 0.5]])
        expected = [
            [2, -3, 4, 9, -6, np.sin(2), np.sin(-3)],
            [0, 0.5, 0, 0.25, 0, 0, np.sin(0.5)],
        ]
        np.testing.assert_allclose(expand(points, get_args(Feature)), expected)

    def test_they_come_in_the_order_asked_for(self) -> None:
        plain, _ = read("xor")
        chosen, _ = read("xor", features=["x1*x2", "x1"])
        assert np.array_equal(chosen, np.column_stack([plain.prod(axis=1), plain[:, 0]]))

    @pytest.mark.parametrize(
        ("features", "fault"),
        [
            ([], "at least 1 item"),
            (["x1", "x2", "x1"], "'x1' is given twice"),
            (["x3"], "Input should be 'x1'"),
            ("x1", "valid tuple"),
        ],
    )
    def test_what_is_refused(self, features, fault) -> None:
        with pytest.raises(ValidationError, match=fault):
            Dataset.parse({"name": "circle", "features": features})
