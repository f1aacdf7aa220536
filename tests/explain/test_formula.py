"""Graphs written as formulas, and the local derivatives that the rules themselves spell out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backproplab.autograd.graph import nodes
from backproplab.explain.formula import course_names, local_derivative, write
from backproplab.explain.notation import assignments, tex
from backproplab.explain.trace import trace
from backproplab.formulas.parse import parse


def slopes(text, **values):
    """{(source, target): (formula, value)} of every edge with a gradient."""
    seen = trace(parse(text), values)
    return {
        (seen.nodes[e.source].name, seen.nodes[e.target].name): (e.formula, e.local)
        for e in seen.edges
        if e.gradient is not None
    }


# one operation, the formula of its derivative by x, the value at x = 0.5, y = 3
SLOPES = {
    "x + y": ("1", 1), "x - y": ("1", 1), "y - x": ("-1", -1), "x * y": ("y", 3), "-x": ("-1", -1),
    "x / y": ("1 / y", 1 / 3), "y / x": ("-f / x", -12), "x**2": ("2 * x", 1), "x**3": ("3 * x ** 2", 0.75),
    "x**y": ("y * x ** (y - 1)", 0.75), "x**-1": ("-x ** (-2)", -4), "x**1": ("1", 1),
    "sin(x)": ("cos(x)", 0.8775825618903728), "cos(x)": ("-sin(x)", -0.479425538604203),
    "exp(x)": ("f", 1.6487212707001282), "log(x)": ("1 / x", 2), "sqrt(x)": ("0.5 / f", 0.7071067811865475),
    "tanh(x)": ("1 - f * f", 0.7864477329659274), "sigmoid(x)": ("f * (1 - f)", 0.2350037122015945),
    "relu(x)": ("1", 1), "maximum(x, y)": ("0", 0), "square(x)": ("2 * x", 1), "reciprocal(x)": ("-square(f)", -4),
}  # fmt: skip


@pytest.mark.parametrize("text", SLOPES)
def test_a_rule_writes_its_derivative(text):
    values = {"x": 0.5, "y": 3.0}
    found = slopes(text, **{name: values[name] for name in parse(text).variables})
    formula, value = SLOPES[text]
    assert found["x", "f"][0] == formula
    assert found["x", "f"][1] == pytest.approx(value, rel=1e-15)


def test_a_constant_has_no_derivative():
    seen = trace(parse("x * 2"), {"x": 3.0})
    tensor = nodes(seen.root)[-1]
    assert local_derivative(tensor.node.inputs[0], 0, seen.names).formula == "0"


@given(st.lists(st.sampled_from("+-*/"), min_size=2, max_size=7), st.randoms(use_true_random=False))
def test_a_written_formula_has_the_value_of_the_graph(signs, random):
    text = "a"
    for sign in signs:
        other = random.choice(["b", "-a", "2", "(a - b)", "b**2", "-(a + 1)"])
        text = f"({text}) {sign} {other}" if random.random() < 0.5 else f"{other} {sign} ({text})"
    expression, values = parse(text), {"a": 1.7, "b": -0.6}
    used = {name: values[name] for name in expression.variables}
    tensors = expression.evaluate(used)
    names = {
        id(x): s.word
        for s, x in zip(expression.steps, tensors, strict=True)
        if s.kind == "variable"
    }
    again = parse(write(tensors[-1], names))
    assert again.evaluate(used)[-1].value == pytest.approx(tensors[-1].value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("(a + b) * (b + 1)", "a b c 1 d f"),
        ("sin(cos(c))", "c d f"),  # c is the user's
        ("-f * -f * d", "f c e d result"),  # and so are f and d
        ("x * e", "x e f"),  # e is Euler's number here
    ],
)
def test_steps_are_named_as_the_course_names_them(text, names):
    expression = parse(text)
    tensors = expression.evaluate(dict.fromkeys(expression.variables, 2.0))
    order = nodes(tensors[-1])
    found = course_names(expression, tensors, order)
    assert [found[id(x)] for x in order] == names.split()


def test_names_go_on_after_the_alphabet():
    text = "a"
    for _ in range(45):
        text = f"sin({text})"
    seen = trace(parse(text), {"a": 1.0})
    names = [node.name for node in seen.nodes]
    assert len(set(names)) == 46
    assert names[-3:] == ["v20", "v21", "f"]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("dp/du = diag(p) - p p^T", r"\operatorname{diag}(p) - p \, p^{T}"),
        ("dL/dW = a1^T delta2", r"a_{1}^{T} \, \delta_{2}"),
        ("inf / inf + nan", r"\frac{\infty}{\infty} + \mathrm{nan}"),
        ("a^b c", r"\text{a\textasciicircum{}b c}"),  # ^ ends TeX's text
    ],
)
def test_products_of_vectors_are_tex(text, written):
    assert tex(text).endswith(written)


def test_a_point_with_vectors_is_parted_between_its_variables():
    assert assignments("x = [1, 2, 3], y = 3") == ["x = [1, 2, 3]", "y = 3"]
