"""What a message shows of a key or a value."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.config.wording import command_line, dotted, shown


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (10, "10"),
        (1e-3, "0.001"),
        ("10", "text '10'"),
        ([1, 2], "a list"),
        ((1, 2), "a list"),
        ({"a": 1}, "a mapping"),
    ],
)
def test_a_value_is_shown_in_the_terms_of_yaml(value: Any, text: str) -> None:
    assert shown(value) == text


def test_a_path_is_written_as_the_command_line_takes_it() -> None:
    assert dotted(("model", "layers", 0, "units")) == "model.layers.0.units"


@given(st.text(st.characters(codec=None), max_size=200))
def test_whatever_a_user_wrote_is_short_and_printable(text: str) -> None:
    for line in (shown(text), dotted((text,)), command_line(text)):
        assert line.isprintable()
        assert len(line) < 900


def test_long_text_is_cut_to_80_characters() -> None:
    assert shown("x" * 1000) == f"text '{'x' * 79}…'"
    assert dotted(("x" * 1000,)) == "x" * 79 + "…"
