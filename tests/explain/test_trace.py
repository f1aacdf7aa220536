"""The walk-through of the course: values, edges, rules, every path. Numbers: anchors/learners.md 2."""

import pytest

from backproplab.autograd.primitive import Op
from backproplab.errors import ConfigError
from backproplab.explain.parse import parse
from backproplab.explain.trace import product, trace

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


# text, value of x, part of the message
NOT_FINITE = [
    ("log(x)", -1.0, "column 1: the value is nan at x = -1"),
    ("2 + 1/x", 0.0, "column 5: the value is inf at x = 0"),
    ("x**0.5", -2.0, "the value is nan"),
    ("exp(x)", 1000.0, "the value is inf"),
    ("sqrt(x)", 0.0, "df/dx of f = sqrt(x) is inf at x = 0: it has no finite derivative there"),
    ("x**-200 * x", 1e-2, "the value is inf"),
]


@pytest.mark.parametrize(("text", "x", "message"), NOT_FINITE)
def test_what_is_not_finite_is_told(text, x, message):
    with pytest.raises(ConfigError) as raised:
        trace(parse(text), {"x": x})
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_conventions_at_kinks_are_the_autograd_s():
    assert gradients(trace(parse("relu(x)"), {"x": 0.0}))["x"] == 0
    assert gradients(trace(parse("abs(x)"), {"x": 0.0}))["x"] == 0
