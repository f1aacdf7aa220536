"""NAME=VALUE words: every problem at once, values are numbers or formulas of numbers."""

import math

import pytest

from backproplab.errors import ConfigError
from backproplab.explain.parse import parse
from backproplab.explain.values import read_values

F = parse("(a + b) * θ")


def test_values_are_numbers_or_formulas_of_numbers():
    assert read_values(F, ["a=-1e-3", "b=1/4", "θ=pi/2"]) == {
        "a": -1e-3,
        "b": 0.25,
        "θ": math.pi / 2,
    }


# words, part of the message
WRONG = {
    "missing": ([], "no value for a, b, θ — add for example a=1 b=1 θ=1"),
    "too many": (["c=1"], "'c=1': the expression has no variable 'c'"),
    "near": (["alpha=1"], "the expression has no variable 'alpha'"),
    "twice": (["a=1", "a=2"], "'a=2': is given twice"),
    "no equals sign": (["a"], "expected NAME=VALUE — put the expression in quotes"),
    "no value": (["a="], "a=, column 1: empty"),
    "text": (["a=two"], "a=two: must be a number"),
    "itself": (["a=a"], "a=a: must be a number"),
    "not finite": (["a=1/0"], "a=1/0: is inf"),
    "too large": (["a=1e400"], "a=1e400, column 1: the number is too large"),
    "nan": (["a=nan"], "must be a number"),
    "hostile": (["a=__import__('os')"], "is not allowed"),
    "constant": (["pi=3"], "pi is the constant 3.14"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(case):
    words, message = WRONG[case]
    with pytest.raises(ConfigError) as raised:
        read_values(F, words)
    assert message in str(raised.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_values(F, ["a=x", "c=1"])
    assert len(raised.value.problems) == 3
    assert "no value for b, θ" in str(raised.value)
