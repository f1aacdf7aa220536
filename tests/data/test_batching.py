"""Update counts, and one visit for every example."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.data import Order, batch_length, epoch_order, updates_per_epoch
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
def test_an_epochs_slices_visit_every_example_once(mode, examples, size, seed) -> None:
    order = epoch_order(mode, examples, stream(seed, "shuffle"))
    assert sorted(order.tolist()) == list(range(examples))
    length = batch_length(mode, examples, size)
    assert len(range(0, examples, length)) == updates_per_epoch(mode, examples, size)


def test_an_order_is_one_permutation_of_its_generator() -> None:
    one, two = stream(0, "shuffle"), stream(0, "shuffle")
    for mode in ("minibatch", "stochastic"):
        assert epoch_order(mode, 100, one).tolist() == two.permutation(100).tolist()


@pytest.mark.parametrize("mode", ["stochastic", "minibatch"])
def test_the_order_is_the_seeds_and_new_in_every_epoch(mode) -> None:
    def order(seed: int) -> list[list[int]]:
        generator = stream(seed, "shuffle")
        return [epoch_order(mode, 100, generator).tolist() for _ in range(3)]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert all(first != second for first, second in pairwise(order(1)))


def test_full_batches_are_in_order_and_draw_nothing() -> None:
    generator = stream(0, "shuffle")
    before = generator.bit_generator.state
    assert epoch_order("batch", 9, generator).tolist() == list(range(9))
    assert generator.bit_generator.state == before


def take(order, batches):
    """The rows of the next batches, taken one at a time."""
    rows = []
    for _ in range(batches):
        batch = order.upcoming(1).tolist()
        assert order.done(1) == len(batch)
        rows += batch
    return rows


@given(MODES, st.integers(2, 50), st.integers(0, 12), st.integers(0, 12), st.booleans())
def test_orders_that_stand_at_one_place_go_on_alike(mode, examples, before, after, same) -> None:
    """And others do not: of another seed, of another length, or further on."""
    one, other = (Order(mode, examples, 2, stream(seed, "shuffle")) for seed in (0, int(not same)))
    take(one, before)
    take(other, after)
    assert (one.place == other.place) == (same and before == after)
    if one.place == other.place:
        assert take(one, one.batches) == take(other, one.batches)
        assert one.digest == other.digest
    assert Order(mode, examples, 1, stream(0, "shuffle")).place != one.place


@given(MODES, st.integers(1, 50), st.integers(1, 9), st.integers(0, 20))
def test_an_order_that_is_restored_continues_in_the_middle_of_an_epoch(
    mode, examples, size, taken
) -> None:
    length = batch_length(mode, examples, size)
    whole = Order(mode, examples, length, stream(0, "shuffle"))
    take(whole, taken)
    arrays, state = whole.state()
    resumed = Order(mode, examples, length, stream(7, "shuffle"))
    resumed.restore(arrays, json.loads(json.dumps(state)))
    assert resumed.place == whole.place
    assert take(resumed, 2 * whole.batches) == take(whole, 2 * whole.batches)
    assert resumed.state() == whole.state()


def test_a_span_of_batches_is_its_batches() -> None:
    one, other = (Order("minibatch", 10, 4, stream(0, "shuffle")) for _ in range(2))
    assert one.upcoming(3).tolist() == take(other, 3)
    assert one.upcoming(2).tolist() == one.upcoming(3).tolist()[:8]
    assert one.done(2) == 8
    assert one.upcoming(1).tolist() == one.upcoming(9).tolist()
    assert one.done(1) == 2
    assert one.place == other.place
