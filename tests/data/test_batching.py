"""Update counts, and one visit for every example."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.data import batch_length, batches, updates_per_epoch
from backproplab.streams import stream

MODES = st.sampled_from(["batch", "stochastic", "minibatch"])


@pytest.mark.parametrize(
    ("mode", "examples", "size", "updates"),
    [
        ("batch", 128, 32, 1),
        ("stochastic", 128, 32, 128),
        ("minibatch", 128, 32, 4),
        ("minibatch", 129, 32, 5),
        ("minibatch", 60_000, 32, 1875),
        ("minibatch", 60_000, 128, 469),
        ("minibatch", 10, 32, 1),
        ("minibatch", 1, 1, 1),
    ],
)
def test_updates_per_epoch(mode, examples, size, updates) -> None:
    assert updates_per_epoch(mode, examples, size) == updates


@given(MODES, st.integers(1, 200), st.integers(1, 250), st.integers(0, 2**32))
def test_an_epoch_visits_every_example_once(mode, examples, size, seed) -> None:
    epoch = list(batches(mode, examples, size, stream(seed, "shuffle")))
    assert len(epoch) == updates_per_epoch(mode, examples, size)
    assert sorted(np.concatenate(epoch).tolist()) == list(range(examples))
    length = batch_length(mode, examples, size)
    assert all(len(batch) == length for batch in epoch[:-1])
    assert 1 <= len(epoch[-1]) <= length


def test_the_short_batch_is_the_last() -> None:
    lengths = [len(batch) for batch in batches("minibatch", 129, 32, stream(0, "shuffle"))]
    assert lengths == [32, 32, 32, 32, 1]


@pytest.mark.parametrize("mode", ["stochastic", "minibatch"])
def test_the_order_is_the_seeds_and_new_in_every_epoch(mode) -> None:
    def order(seed: int) -> list[list[int]]:
        generator = stream(seed, "shuffle")
        return [np.concatenate(list(batches(mode, 100, 8, generator))).tolist() for _ in range(3)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert all(first != second for first, second in pairwise(order(1)))


def test_full_batches_are_in_order_and_draw_nothing() -> None:
    generator = stream(0, "shuffle")
    before = generator.bit_generator.state
    (only,) = batches("batch", 9, 4, generator)
    assert only.tolist() == list(range(9))
    assert generator.bit_generator.state == before


def test_an_epoch_draws_its_order_when_it_is_made() -> None:
    """Two epochs may be walked side by side without disturbing each other."""
    one, two = stream(0, "shuffle"), stream(0, "shuffle")
    waiting = [batches("minibatch", 20, 8, one) for _ in range(2)]
    walked = [list(batches("minibatch", 20, 8, two)) for _ in range(2)]
    for late, early in zip(reversed(waiting), reversed(walked), strict=True):
        assert np.array_equal(np.concatenate(list(late)), np.concatenate(early))
