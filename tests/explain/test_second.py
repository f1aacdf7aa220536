"""Second derivatives, implicit derivatives, difference quotients. Numbers: anchors/learners.md 7, 1."""

from xml.etree import ElementTree

import pytest

from backproplab import explain
from backproplab.errors import ConfigError
from backproplab.explain.lines import joined
from backproplab.explain.second import hessian, terms
from backproplab.explain.trace import trace
from backproplab.explain.values import read_point


def traced(text, *words):
    return trace(*read_point(text, words))


@pytest.mark.parametrize(
    ("text", "words", "value"),
    [
        ("sin(x**2)", ["x=3"], -16.658525992472594),
        ("t**4 + sin(t**2*exp(t))", ["t=.5"], 7.7187120267931674),
        ("exp(tanh(x) * x)", ["x=.3"], None),
        ("sigmoid(3*sigmoid(x) - 1)", ["x=.7"], None),
        ("x**x / (1 + x)", ["x=1.3"], None),
    ],
)
def test_the_terms_add_up_to_the_second_derivative(text, words, value):
    import sympy

    seen = traced(text, *words)
    name = seen.nodes[seen.variables[0]].name
    symbol = sympy.Symbol(name)
    form = sympy.sympify(text.replace("sigmoid", "s")).replace(
        sympy.Function("s"), lambda u: 1 / (1 + sympy.exp(-u))
    )
    exact = float(sympy.diff(form, symbol, 2).subs(symbol, seen.nodes[seen.variables[0]].value))
    assert hessian(seen)[name, name] == pytest.approx(value or exact, rel=1e-12)
    assert value is None or exact == pytest.approx(value, rel=1e-12)


def test_a_composition_has_the_two_terms_of_the_lecture():
    """f″(g) g′² and f′(g) g″ of sin(x²)."""
    seen = traced("sin(x**2)", "x=3")
    inner, outer = terms(seen, *seen.variables * 2)
    assert outer.forms[0] == "df/df * d2f/dc2 * dc/dx * dc/dx"
    assert outer.forms[1] == "1 * (-sin(c)) * 6 * 6"
    assert inner.forms[0] == "df/dc * d2c/dx2 * dx/dx * dx/dx"
    assert outer.value == pytest.approx(-0.4121184852417566 * 36)
    assert inner.value == pytest.approx(-0.9111302618846769 * 2)


def test_mixed_second_derivatives_of_rosenbrock():
    found = hessian(traced("100*(y-x**2)**2 + (1-x)**2", "x=-1.2", "y=1"))
    assert found["x", "x"] == pytest.approx(1330)
    assert found["x", "y"] == found["y", "x"] == pytest.approx(480)
    assert found["y", "y"] == pytest.approx(200)


def test_a_formula_of_formulas_is_differentiated_twice():
    found = explain.of_expression(
        "x**2 + sin(x*y)", ["x=t**2", "y=exp(t)", "t=.5"], explain.Asked(order=2)
    )
    text = joined(found.report.sections[-1].body[-1])
    assert float(text.split(" = ")[-1]) == pytest.approx(7.7187120267931674, rel=1e-11)


def test_the_slope_of_a_circle():
    found = explain.of_expression(
        "x**2 + y**2 = 1", ["x=0.6", "y=0.8"], explain.Asked(implicit="y")
    )
    lines = [joined(line) for line in found.report.sections[-1].body]
    assert lines[2] == "dy/dx = -dF/dx / dF/dy = -1.2 / 1.6 = -0.75"
    assert lines[3].startswith("d2y/dx2 = ")
    assert lines[3].endswith(" = -1.953125")


@pytest.mark.parametrize(
    ("text", "words", "name", "message"),
    [
        ("x**2 + y**2 = 1", ["x=1", "y=1"], "y", "the point is not on the curve: left - right = 1"),
        ("x**2 + y**2 = 1", ["x=1", "y=0"], "y", "dF/dy is 0 here"),
        ("x**2 + y**2 = 1", ["x=0.6", "y=0.8"], "z", "the equation has no variable z"),
        ("x**2", ["x=1"], "x", "takes an equation"),
    ],
)
def test_what_defines_nothing_is_refused(text, words, name, message):
    with pytest.raises(ConfigError, match=message):
        explain.of_expression(text, words, explain.Asked(implicit=name))


def test_quotients_are_best_in_the_middle():
    found = explain.of_expression("sin(x**2)", ["x=3"], explain.Asked(nudge=True))
    table, best = found.report.sections[-2].body, found.report.sections[-1].body
    rows = {row[0]: row for row in table.rows}
    assert len(rows) == 16
    assert rows["1e-04"][-1] == "2.8e-08"  # half of 5.6e-8: relative to the sum of both
    assert (
        joined(best[1])
        == "float64: forward best at h = 1e-08 (4e-09), central best at h = 1e-06 (7e-11)"
    )
    errors = [float(row[-1]) for row in table.rows]
    assert errors[0] > errors[6] < errors[15]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sin(x**2)", ["x=3"]),
        ("relu(x)", ["x=0"]),
        ("sum(x**2)", ["x=[1,2]"]),
        ("2*x", ["x=1"]),
    ],
)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_figure_of_the_quotients(text, words, theme):
    drawn = explain.of_expression(text, words, explain.Asked(nudge=True)).svg(theme)
    assert "nan" not in drawn.split("</style>")[1].lower().replace("nan</text>", "")
    assert "float32" in drawn
    ElementTree.fromstring(drawn)


def test_what_has_no_quotients_is_drawn_as_a_graph():
    asked = explain.Asked(nudge=True)
    for text, word in (("exp(x)", "x=1000"), ("x * 2", "x=[1, 2]")):
        found = explain.of_expression(text, [word], asked)
        assert found.svg() == explain.of_expression(text, [word]).svg()
