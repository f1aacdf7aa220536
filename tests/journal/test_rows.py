"""Events written by hand are, byte for byte, those that protobuf writes."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from backproplab.journal.events import Event, Summary
from backproplab.journal.rows import Row

TAGS = st.dictionaries(st.text("abc_/é", min_size=1, max_size=200), st.floats(), max_size=5)
EDGES = [math.nan, math.inf, -math.inf, -0.0, 1e39, -1e39, 1e-46, 3.4028235677973366e38]


@given(TAGS, st.integers(-(2**63), 2**63 - 1), st.floats(0, 1e10))
def test_a_row_is_what_protobuf_writes(values: dict[str, float], step: int, time: float) -> None:
    row = Row(list(values))
    for found in (values, dict.fromkeys(values, 0.0)):  # filled again
        scalars = [Summary.Value(tag=tag, simple_value=value) for tag, value in found.items()]
        event = Event(wall_time=time or 1.0, step=step, summary=Summary(value=scalars))
        assert row.event(time or 1.0, step, found.values()) == event.SerializeToString()


def test_values_beyond_float32_become_infinities() -> None:
    row = Row([f"v{k}" for k in range(len(EDGES))])
    event = Event.FromString(row.event(1.0, 3, EDGES))
    found = [value.simple_value for value in event.summary.value]
    assert list(map(repr, found)) == ["nan", "inf", "-inf", "-0.0", "inf", "-inf", "0.0", "inf"]
