"""Clipping: closed forms, per member of a population, in place."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from backproplab.optim import Clipping

NAMES = sorted(Clipping.members)
LIMITS = st.floats(0.01, 100)
SEEDS = st.integers(0, 10**6)


def gradient(seed, population=(), scale=1.0):
    flat = scale * np.random.default_rng(seed).standard_normal((*population, 11))
    views = {
        "weights": flat[..., :6].reshape(*population, 2, 3),
        "bias": flat[..., 6:].reshape(*population, 5),
    }
    return flat, views


@given(SEEDS, LIMITS)
def test_value(seed, limit):
    flat, views = gradient(seed)
    expected = np.minimum(np.maximum(flat, -limit), limit)
    Clipping.parse({"value": limit}).clip(flat, views)
    np.testing.assert_array_equal(flat, expected)


@given(SEEDS, LIMITS)
def test_global_norm_keeps_the_direction(seed, limit):
    flat, views = gradient(seed)
    expected = flat * min(1, limit / np.linalg.norm(flat))
    Clipping.parse({"global_norm": limit}).clip(flat, views)
    np.testing.assert_allclose(flat, expected, rtol=1e-13)


@given(SEEDS, LIMITS)
def test_norm_is_each_arrays_own(seed, limit):
    flat, views = gradient(seed)
    expected = {k: v * min(1, limit / np.linalg.norm(v)) for k, v in views.items()}
    Clipping.parse({"norm": limit}).clip(flat, views)
    for name, view in views.items():
        np.testing.assert_allclose(view, expected[name], rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_a_short_gradient_keeps_its_bits(name):
    flat, views = gradient(0)
    before = flat.copy()
    Clipping.parse({name: 1000.0}).clip(flat, views)
    np.testing.assert_array_equal(flat, before)


@pytest.mark.parametrize("name", NAMES)
def test_a_population_is_its_members_bit_for_bit(name):
    flat, views = gradient(0, population=(4,))
    flat *= np.array([[0.01], [1], [5], [0]])
    alone = flat.copy()
    clipping = Clipping.parse({name: 1.5})
    clipping.clip(flat, views)
    for member in alone:
        clipping.clip(member, {"weights": member[:6].reshape(2, 3), "bias": member[6:]})
    np.testing.assert_array_equal(flat, alone)


@pytest.mark.parametrize("name", ["norm", "global_norm"])
def test_a_norm_beyond_float32_is_still_measured(name):
    flat = np.array([[3e30, 4e30], [3.0, 4.0]], np.float32)  # the squares overflow
    Clipping.parse({name: 1.0}).clip(flat, {"all": flat})
    np.testing.assert_allclose(flat, [[0.6, 0.8], [0.6, 0.8]], rtol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_no_array_is_allocated(name):
    flat = np.ones(100_000, np.float32)
    views = {"weights": flat[:90_000].reshape(300, 300), "bias": flat[90_000:]}
    clipping = Clipping.parse({name: 0.5})
    clipping.clip(flat, views)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    clipping.clip(flat, views)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 4000


@pytest.mark.parametrize("limit", [0.0, -1.0, float("inf")])
@pytest.mark.parametrize("name", NAMES)
def test_the_limit_is_positive(name, limit):
    with pytest.raises(ValidationError):
        Clipping.parse({name: limit})
