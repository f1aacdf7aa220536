"""SymPy and the autograd give the same derivatives; SymPy's formulas grow exponentially."""

import importlib.util
from itertools import pairwise

import numpy as np
import pytest
import sympy

from backproplab.autograd import Tensor
from backproplab.autograd.graph import count
from backproplab.autograd.primitive import FUNCTIONS, OPS, Op
from backproplab.explain import symbolic
from backproplab.explain.compare import compare, relative_difference
from backproplab.explain.trace import trace
from backproplab.formulas import functions
from backproplab.formulas.parse import parse

FORMULAS = [
    "(a + b) * (b + 1)", "sin(a**2)", "exp(sqrt(a)) / b", "a**4 + sin(a**2 * exp(a))", "tanh(a * b) - sigmoid(a / b)",
    "a**b", "log(1 + softplus(a)) * maximum(a, b)", "gelu(a) + silu(b) - mish(a)", "hypot(a, b) * arctan2(a, b)",
    "cbrt(a) + log10(b) + exp2(a)", "erf(a) * relu(b - a)", "arcsinh(a) + logaddexp(a, b)",
]  # fmt: skip


@pytest.mark.parametrize("text", FORMULAS)
def test_lambdified_sympy_and_backprop_agree_on_100_points(text):
    parsed = parse(text)
    rng = np.random.default_rng(0)
    points = rng.uniform(0.2, 2.0, (100, len(parsed.variables)))
    seen = trace(parsed, dict(zip(parsed.variables, points[0], strict=True)))
    formula = symbolic.expression(seen.root, seen.names)
    symbols = [sympy.Symbol(name, real=True) for name in parsed.variables]
    exact = [sympy.lambdify(symbols, sympy.diff(formula, s), "scipy") for s in symbols]
    for point in points:
        at = trace(parsed, dict(zip(parsed.variables, point, strict=True)))
        backprop = {at.nodes[i].name: at.nodes[i].gradient for i in at.variables}
        for name, function in zip(parsed.variables, exact, strict=True):
            with np.errstate(invalid="ignore"):  # both branches of a Piecewise are computed
                expected = float(function(*point))
            assert backprop[name] == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "x", "formula"),
    [
        ("x**2", 3.0, "2*x"),
        ("sin(x**2)", 3.0, "2*x*cos(x**2)"),
        ("x/10 + 0.1*x", 1.0, "1/5"),
        ("pi*x", 1.0, "pi"),
    ],
)
def test_the_formula_is_written_as_people_do(text, x, formula):
    parsed = parse(text)
    seen = trace(parsed, {"x": x})
    assert symbolic.derivatives(seen.root, seen.names, {"x": x})["x"].formula == formula


WITHOUT_FORMULA = {
    *("remainder", "fmod", "copysign", "sigmoid_cross_entropy"),
    *(
        "dawsn",
        "erfcinv",
        "erfcx",
        "i0e",
        "i1e",
        "log_ndtr",
        "ndtri",
    ),  # which SymPy has not, or not with all digits
}


@pytest.mark.parametrize(
    "name", [n for n in functions.known() if n in OPS and n not in functions.VECTORS]
)
def test_every_function_of_the_course_has_a_formula_and_the_rest_say_so(name):
    count_of = functions.arity(functions.find(name))
    text = f"{name}({', '.join('ab'[:count_of])})"
    values = {"a": 1.3 if name == "arccosh" else 0.3, "b": 0.7}
    parsed = parse(text)
    used = {v: values[v] for v in parsed.variables}
    for c in compare(parsed, used, trace(parsed, used)):
        if c.symbolic.value is None:
            assert c.symbolic.formula == f"no formula for {name}"
            assert name in WITHOUT_FORMULA
        else:
            assert relative_difference(c.symbolic.value, c.backprop) < 1e-14


def test_kinks_follow_the_autograd_s_conventions():
    for text in ("relu(x)", "abs(x)", "maximum(x, -x)", "leaky_relu(x)"):
        parsed = parse(text)
        (c,) = compare(parsed, {"x": 0.0}, trace(parsed, {"x": 0.0}))
        assert c.symbolic.value in (c.backprop, None)


def test_expression_swell_of_the_logistic_map():
    # l <- 4 l (1 - l), anchors/learners.md 7: SymPy's derivative more than doubles, the graph grows by a constant
    x = sympy.Symbol("x", real=True)
    y, sizes, tape = Tensor(np.float64(0.3), None, True), [], []
    names = {id(y): "x"}
    for _ in range(5):
        y = 4 * y * (1 - y)
        sizes.append(sympy.count_ops(sympy.diff(symbolic.expression(y, names), x)))
        tape.append(count(y).total())
    assert len(set(np.diff(tape))) == 1
    assert all(after > 2.5 * before for before, after in pairwise(sizes))


def test_a_formula_too_long_is_not_begun():
    text = "mish(" * 40 + "a" + ")" * 40  # 3⁴⁰ terms
    parsed = parse(text)
    (c,) = compare(parsed, {"a": 1.0}, trace(parsed, {"a": 1.0}))
    assert c.symbolic.value is None
    assert "terms: too long to write" in c.symbolic.formula


@pytest.mark.parametrize("link", ["x/(1+{})", "sin({})+x", "exp(-({}))"])
def test_deep_formulas_end(link):
    text = "x"
    for _ in range(45):
        text = link.format(text)
    parsed = parse(text)
    (c,) = compare(parsed, {"x": 0.5}, trace(parsed, {"x": 0.5}))
    assert c.symbolic.value is None or relative_difference(c.symbolic.value, c.backprop) < 1e-12


def test_an_op_without_a_formula_says_so(monkeypatch):
    cubed = Op(
        "cubed", lambda x, out=None: np.power(x, 3), (lambda g, y, x: g * 3 * x * x,), (), "x³."
    )
    monkeypatch.setitem(FUNCTIONS, "cubed", cubed)
    parsed = parse("cubed(x)")
    (c,) = compare(parsed, {"x": 2.0}, trace(parsed, {"x": 2.0}))
    assert (c.backprop, c.symbolic.formula) == (12, "no formula for cubed")
    assert c.numeric == pytest.approx(12, rel=1e-8)


def test_without_sympy_the_column_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(symbolic, "find_spec", lambda name: None)
    parsed = parse("x**2")
    (c,) = compare(parsed, {"x": 3.0}, trace(parsed, {"x": 3.0}))
    assert c.symbolic == symbolic.Symbolic("install SymPy: pip install 'backproplab[symbolic]'")
    assert importlib.util.find_spec("sympy")
