"""When a run is looked at: fixed by its length alone, dense at first, never often."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from backproplab.telemetry.looks import MOST, looks


@given(st.integers(1, 10**9))
def test_looks_begin_before_the_first_update_end_with_the_run_and_thin_out(epochs):
    found = looks(epochs)
    assert found[:2] == (0, 1)
    assert found[-1] == epochs
    assert len(found) <= MOST
    assert all(a < b for a, b in pairwise(found))


def test_looks_of_twenty_epochs():
    assert looks(20) == (0, 1, 2, 3, 4, 5, 6, 8, 10, 13, 16, 20)
