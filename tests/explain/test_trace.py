"""The walk-through of the course: values, edges, rules, every path. Numbers: anchors/learners.md 2."""

import numpy as np
import pytest

from backproplab import explain
from backproplab.autograd.primitive import Op
from backproplab.errors import ConfigError
from backproplab.explain.compare import compare
from backproplab.explain.lines import joined
from backproplab.explain.trace import product, trace
from backproplab.explain.values import read_point
from backproplab.formulas.parse import parse

COURSE = trace(parse("(a + b) * (b + 1)"), {"a": 2.0, "b": 1.0})
MICROGRAD_C = "((a + b) + ((a + b) + 1))"
MICROGRAD_D = "((a * b + b**3) + ((a * b + b**3) * 2 + relu(b + a)))"
MICROGRAD_E = f"(({MICROGRAD_C} + (1 + {MICROGRAD_C} + (-a))) - ({MICROGRAD_D} + (3 * {MICROGRAD_D} + relu(b - a))))"
MICROGRAD = f"{MICROGRAD_E}**2 / 2.0 + 10.0 / {MICROGRAD_E}**2"  # the example of its README
TOY = "(sigmoid(W2 * sigmoid(W1*x + b1) + b2) - y)**2 / 2"
TOY_AT = {"x": 1, "W1": 0.5, "b1": 0.1, "W2": 1.5, "b2": 0.2, "y": 0.8}


def gradients(seen):
    return {node.name: node.gradient for node in seen.nodes if node.kind != "constant"}


def test_the_course_s_values_and_gradients_are_exact():
    values = {node.name: node.value for node in COURSE.nodes}
    assert values == {"a": 2, "b": 1, "1": 1, "c": 3, "d": 2, "f": 6}
    assert gradients(COURSE) == {"a": 2, "b": 5, "c": 2, "d": 3, "f": 1}
    assert [node.formula for node in COURSE.nodes if node.kind == "step"] == [
        "a + b",
        "b + 1",
        "c * d",
    ]


def test_the_course_s_edges_with_rules():
    edges = {
        (COURSE.nodes[e.target].name, COURSE.nodes[e.source].name): (
            e.rule,
            e.formula,
            e.local,
            e.gradient,
        )
        for e in COURSE.edges
    }
    assert edges == {
        ("c", "a"): ("sum", "1", 1, 2),
        ("c", "b"): ("sum", "1", 1, 2),
        ("d", "b"): ("sum", "1", 1, 3),
        ("d", "1"): ("sum", "", 0, None),
        ("f", "c"): ("product", "d", 2, 2),
        ("f", "d"): ("product", "c", 3, 3),
    }


def test_the_course_s_paths_multiply_and_add_up():
    a, b = COURSE.variables
    assert [product(path) for path in COURSE.paths(a)] == [2]
    assert [product(path) for path in COURSE.paths(b)] == [2, 3]
    assert COURSE.path_counts[b] == 2


def test_sin_of_a_square():
    seen = trace(parse("sin(x**2)"), {"x": 3.0})
    assert gradients(seen)["x"] == -5.466781571308061
    assert [e.rule for e in seen.edges if e.gradient is not None] == ["power", "chain: sin'"]


def test_micrograd_s_readme_example():
    # karpathy/micrograd@c911406, README
    seen = trace(parse(MICROGRAD), {"a": -4.0, "b": 2.0})
    assert seen.result.value == pytest.approx(24.70408163265306, rel=1e-15)
    assert gradients(seen)["a"] == pytest.approx(138.83381924198252, rel=1e-15)
    assert gradients(seen)["b"] == pytest.approx(645.5772594752186, rel=1e-15)


def test_the_chain_rule_lecture_s_toy_network():
    seen = trace(parse(TOY), TOY_AT)
    assert seen.result.value == pytest.approx(0.0006892826056283362, abs=1e-15)
    expected = {
        "W1": -0.0023049782993272727,
        "b1": -0.0023049782993272727,
        "W2": -0.004336615062015758,
        "b2": -0.006716599869310625,
    }
    for name, value in expected.items():
        assert gradients(seen)[name] == pytest.approx(value, abs=1e-15)
    values = [node.value for node in seen.nodes]
    for value in (0.6, 0.6456563062257954, 1.1684844593386932, 0.762870965387494):
        assert any(v == pytest.approx(value, abs=1e-15) for v in values)
    assert any(
        g == pytest.approx(-0.010074899803965937, abs=1e-15) for g in gradients(seen).values()
    )


def test_the_sum_over_paths_is_backprop_s_gradient():
    seen = trace(parse(MICROGRAD), {"a": -4.0, "b": 2.0})
    for i in seen.variables:
        paths = list(seen.paths(i))
        assert len(paths) == seen.path_counts[i]
        assert sum(map(product, paths)) == pytest.approx(seen.nodes[i].gradient, rel=1e-12)


def test_paths_are_counted_without_walking_them():
    assert trace(parse("sin(a) + sin(a) + sin(a)"), {"a": 1.0}).path_counts[0] == 3
    text = "mish(" * 60 + "a" + ")" * 60  # each mish uses its input twice
    assert trace(parse(text), {"a": 1.0}).path_counts[0] == 2**60


def test_a_shared_subexpression_is_one_node_with_two_edges():
    seen = trace(parse("(a + b) * (a + b)"), {"a": 2.0, "b": 1.0})
    assert [node.name for node in seen.nodes] == ["a", "b", "c", "f"]
    assert gradients(seen) == {"a": 6, "b": 6, "c": 6, "f": 1}


def test_each_rule_runs_once_in_the_backward_pass(monkeypatch):
    calls = []
    real = Op.rule

    def counted(op, position):
        calls.append((op.name, position))
        return real(op, position)

    monkeypatch.setattr(Op, "rule", counted)
    trace(parse("(a + b) * (b + 1)"), {"a": 2.0, "b": 1.0})
    backward = calls[: len(calls) // 2]  # the other half writes the local derivatives
    assert sorted(backward) == sorted(
        [("multiply", 0), ("multiply", 1), ("add", 0), ("add", 1), ("add", 0)]
    )


def test_a_variable_alone_is_a_graph():
    seen = trace(parse("a"), {"a": 2.0})
    assert gradients(seen) == {"a": 1}
    assert [product(path) for path in seen.paths(0)] == [1]


# text, value of x, the result, its derivative
NOT_FINITE = [
    ("log(x)", -1.0, np.nan, np.nan),
    ("2 + 1/x", 0.0, np.inf, -np.inf),
    ("exp(x)", 1000.0, np.inf, np.inf),
    ("exp(x)/exp(x)", 1000.0, np.nan, np.nan),
    ("sqrt(x)", 0.0, 0.0, np.inf),
]  # fmt: skip


@pytest.mark.parametrize(("text", "x", "value", "slope"), NOT_FINITE)
def test_values_that_leave_the_numbers_are_kept(text, x, value, slope):
    seen = trace(parse(text), {"x": x})
    np.testing.assert_equal([seen.result.value, gradients(seen)["x"]], [value, slope])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("log(-1)*x", "column 1: the value is nan"),
        ("x/0", "column 1: divides by 0"),
        ("x + exp(1000)", "column 5: the value is inf"),
    ],
)
def test_a_part_that_no_value_mends_is_refused_in_one_line(text, message):
    with pytest.raises(ConfigError) as raised:
        trace(parse(text), {"x": 1.0})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ("softmax(x)", ["x=1"], "column 1: softmax cannot take arrays of shape () (a number)"),
        ("x[3]", ["x=[1,2]"], "cannot take arrays of shape (2,)"),
        ("x + y", ["x=[1,2]", "y=[1,2,3]"], "add cannot take arrays of shape (2,), (3,)"),
        ("[x, y]", ["x=[1,2]", "y=1"], "cannot take arrays"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_with_their_column(text, words, message):
    with pytest.raises(ConfigError) as raised:
        trace(*read_point(text, words))
    assert message in str(raised.value)


def test_an_upstream_gradient_has_the_result_s_shape():
    with pytest.raises(ConfigError, match="--upstream: has shape"):
        trace(parse("x * 2"), {"x": np.arange(3.0)}, np.ones(2))


def test_cross_entropy_by_class_and_by_probabilities():
    for target in ("2", "[0, 0, 1]"):
        seen = trace(*read_point("cross_entropy(z, t)", ["z=[1, 2, 3]", f"t={target}"]))
        assert seen.result.value == pytest.approx(0.4076059644443804, rel=1e-15)
        assert gradients(seen)["z"] == pytest.approx(
            [0.09003057, 0.24472847, -0.33475904], abs=1e-8
        )


def test_conventions_at_kinks_are_the_autograd_s():
    assert gradients(trace(parse("relu(x)"), {"x": 0.0}))["x"] == 0
    assert gradients(trace(parse("abs(x)"), {"x": 0.0}))["x"] == 0


@pytest.mark.parametrize(
    "text",
    [
        "sum(x**2)",
        "sum(x**3 / 2)",
        "mean(exp(x) * x)",
        "max(2 * x)",
        "sum(sin(x) / x)",
        "sum(tanh(x)**2 - 1)",
        "(2 * x)[1]",
        "sum(maximum(x, 0.5))",
        "sum(x[0] * x)",
    ],
)
def test_formulas_of_vectors_have_the_gradient_of_their_quotients(text):
    expression, values = read_point(text, ["x=[0.7, -1.2]"])
    seen = trace(expression, values)
    for c in compare(expression, values, seen):
        assert c.numeric == pytest.approx(c.backprop, rel=1e-6, abs=1e-9)


def test_a_result_may_have_a_name():
    """Section 7's and the issue's C = 5/9 (F - 32), F = 50 + 2 t: dC/dt = 10/9."""
    found = explain.of_expression("C=5/9*(F-32)", ["F=50+2*t", "t=3"])
    assert found.trace.title == "C = 5/9*(F-32)"
    assert found.trace.result.name == "C"
    (t,) = found.trace.variables
    assert found.trace.nodes[t].gradient == pytest.approx(10 / 9, rel=1e-15)
    assert "dC/dt" in "".join(joined(line) for line in found.report.sections[2].body)


@pytest.mark.parametrize("text", ["x=x**2", "pi=x**2", "f == x", "=x", "2=x"])
def test_a_result_s_name_is_a_name_of_its_own(text):
    with pytest.raises(ConfigError):
        explain.of_expression(text, ["x=1"])
