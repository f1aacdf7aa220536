"""NAME=VALUE words: every problem at once; values are numbers, vectors, or formulas."""

import math

import pytest

from backproplab.errors import ConfigError
from backproplab.explain.values import read_point

F = "(a + b) * θ"


def test_values_are_numbers_or_formulas_of_numbers():
    assert read_point(F, ["a=-1e-3", "b=1/4", "θ=pi/2"])[1] == {
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
    "another's name": (["a=two", "b=1", "θ=1"], "no value for two — add for example two=1"),
    "itself": (["a=a"], "a=a, column 1: a is defined by itself"),
    "each other": (["a=b", "b=a"], "is defined by itself"),
    "unused formula": (["c=a"], "'c=a': the expression has no variable 'c'"),
    "matrix": (["a=[[1,2],[3,4]]"], "is a matrix — at most 16 entries"),
    "long vector": ([f"a=[{','.join('1' * 17)}]"], "is a vector of 17 entries"),
    "function": (["a=sin"], "sin is a function"),
    "not finite": (["a=1/0"], "a=1/0: is inf"),
    "too large": (["a=1e400"], "a=1e400, column 1: the number is too large"),
        "hostile": (["a=__import__('os')"], "is not allowed"),
    "constant": (["pi=3"], "pi is the constant 3.14"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_told(case):
    words, message = WRONG[case]
    with pytest.raises(ConfigError) as raised:
        read_point(F, words)
    assert message in str(raised.value)


def test_every_problem_is_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_point(F, ["a=1/0", "c=1"])
    assert len(raised.value.problems) == 3
    assert "no value for b, θ" in str(raised.value)


def test_vectors_and_what_overflows_are_values():
    _, values = read_point("a * b * c", ["a=[1, 1/2]", "b=inf", "c=nan"])
    assert values["a"].tolist() == [1, 0.5]
    assert (values["b"], str(values["c"])) == (math.inf, "nan")


def test_a_variable_may_be_a_formula_of_others():
    expression, values = read_point("x**2 + sin(x*y)", ["x=t**2", "y=exp(t)", "t=0.5"])
    assert expression.variables == ("t",)
    assert values == {"t": 0.5}
    assert sorted(expression.labels.values()) == ["x", "y"]
