"""Numeric, symbolic, backprop: three independent ways to one number."""

import math

import pytest

from backproplab.explain.compare import compare, relative_difference
from backproplab.explain.trace import trace
from backproplab.formulas.parse import parse


def three(text, **values):
    parsed = parse(text)
    return {c.variable: c for c in compare(parsed, values, trace(parsed, values))}


@pytest.mark.parametrize(
    ("text", "x", "exact"),
    [
        # anchors/learners.md 7
        ("sin(x**2)", 3.0, -5.466781571308061),
        ("exp(sqrt(x))", 4.0, 1.8472640247326626),
        ("x**4 + sin(x**2 * exp(x))", 0.5, 2.3883001501507775),  # the lecture's slip gives 1.63298
        ("4*x*(1-x)", 0.3, 1.6),
    ],
)
def test_known_derivatives(text, x, exact):
    c = three(text, x=x)["x"]
    assert c.backprop == pytest.approx(exact, rel=1e-15)
    assert c.symbolic.value == pytest.approx(exact, rel=1e-15)
    assert c.numeric == pytest.approx(exact, rel=1e-8)


def test_the_rosenbrock_valley():
    found = three("(1-x)**2 + 100*(y-x**2)**2", x=-1.2, y=1.0)
    for name, exact in {"x": -215.6, "y": -88.0}.items():
        assert found[name].backprop == pytest.approx(exact, rel=1e-14)
        assert found[name].numeric == pytest.approx(exact, rel=1e-8)


def test_at_a_kink_the_numeric_way_straddles():
    c = three("relu(x)", x=0.0)["x"]
    assert (c.backprop, c.symbolic.value) == (0, 0)
    assert c.numeric == pytest.approx(0.5)


def test_at_the_edge_of_the_domain_the_numeric_way_has_no_number():
    assert math.isnan(three("x**2.5", x=0.0)["x"].numeric)


def test_relative_difference_is_that_of_cs231n():
    assert relative_difference(1.0, 3.0) == 0.5
    assert relative_difference(0.0, 0.0) == 0
    assert relative_difference(0.0, 1e-12) == pytest.approx(1e-4)
