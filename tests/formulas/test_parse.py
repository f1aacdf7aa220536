"""Expressions: allowed ones mean the same as in Python, all others are refused quickly."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from backproplab.errors import ConfigError
from backproplab.explain.compare import compare
from backproplab.explain.trace import trace
from backproplab.formulas.parse import parse

# text, part of the message
HOSTILE = {
    "import": ("__import__('os').system('id')", "column 12: \"'\" is not allowed"),
    "import without quotes": ("__import__(os)", "column 1: '__import__' is not a differentiable function"),
    "eval": ("eval(a)", "column 1: 'eval' is not a differentiable function"),
    "attribute": ("a + b.c", "column 5: attribute is not allowed"),
    "dunder": ("a.__class__.__mro__", "column 1: attribute"),
    "method": ("a.b(1)", "attribute is not allowed"),
    "big brackets": ("(" * 5000 + ")" * 5000, "longer than 2,000 characters (10,000)"),
    "brackets": ("(" * 500 + "a" + ")" * 500, "column 101: nested deeper than 100"),
    "square brackets": ("[" * 500, "nested deeper than 100"),
    "minus signs": ("-" * 1900 + "a", "nested deeper than 100"),
    "powers": ("a**" * 600 + "a", "nested deeper than 100"),
    "long sum": ("a+" * 900 + "a", "a long sum nests too"),
    "many steps": ("+".join("(" + "+".join(f"a{i}*{j}" for j in range(9)) + ")" for i in range(32)), "more than 500 steps"),
    "text repeated": ("'a'*10**9", "column 1: \"'\" is not allowed"),
    "f-string": ('f"{a}"', "is not allowed"),
    "lambda": ("(lambda: 0)()", "column 1: such a call is not allowed"),
    "bare lambda": ("lambda x: x", "lambda is not allowed"),
    "list comprehension": ("[a for a in b]", "list comp is not allowed"),
    "generator": ("sin(x for x in y)", "generator exp is not allowed"),
    "walrus": ("(a := 1)", "named expr is not allowed"),
    "condition": ("a if b else c", "if exp is not allowed"),
    "comparison": ("a < b", "compare is not allowed"),
    "logic": ("a and b", "bool op is not allowed"),
    "not": ("not a", "this operator is not allowed"),
    "floor division": ("a // b", "this operator is not allowed"),
    "remainder": ("a % b", "this operator is not allowed"),
    "matrix product": ("a @ b", "this operator is not allowed"),
    "caret": ("a^2", "^ is not allowed — write ** for a power"),
    "index": ("a[i]", "column 3: an index is a whole number"),
    "slice": ("a[1:2]", "an index is a whole number"),
    "tuple": ("a, b", "tuple is not allowed"),
    "star": ("sin(*a)", "column 5: starred is not allowed"),
    "keyword": ("sin(x=1)", "such a call is not allowed"),
    "await": ("await a", "await is not allowed"),
    "yield": ("(yield)", "yield is not allowed"),
    "true": ("True + a", "this constant is not allowed"),
    "none": ("None", "this constant is not allowed"),
    "ellipsis": ("...", "this constant is not allowed"),
    "complex": ("a + 1j", "column 5: this constant is not allowed"),
    "huge integer": ("9" * 1999, "the number is too large"),
    "huge float": ("a*1e999", "column 3: the number is too large"),
    "comment": ("a # b", "column 3: '#' is not allowed"),
    "newline": ("(a\n+ b)", "column 3: '\\n' is not allowed"),
    "null byte": ("a\0b", "'\\x00' is not allowed"),
    "surrogate": ("a + \udcff", "column 5: '\\udcff' is not allowed"),
    "backslash": ("a \\ b", "is not allowed"),
    "empty": ("", "empty"),
    "blanks": ("   ", "empty"),
    "two names": ("a b", "column 3: invalid syntax"),
    "open bracket": ("(a + b", "was never closed"),
    "closed twice": ("a)", "column 2: unmatched ')'"),
    "statement": ("a = 1", "invalid syntax"),
    "misspelled": ("sinn(a)", "did you mean 'sin'?"),
    "function as a name": ("sin + 1", "sin is a function — give it an argument: sin(x)"),
    "too few": ("sin()", "sin takes one argument, got 0"),
    "too many": ("sin(a, b)", "sin takes one argument, got 2"),
    "one of two": ("maximum(a)", "maximum takes two arguments, got 1"),
    "greek column": ("θ + ω.x", "column 5: attribute"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_everything_else_is_refused_in_one_line_that_names_the_column(case):
    text, message = HOSTILE[case]
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert message in str(refused.value)
    assert str(refused.value).startswith("expression, column ")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 300


def test_python_s_own_advice_on_numbers_is_not_shown():
    with pytest.raises(ConfigError, match="if exp"):
        parse("1if a else 2")  # a SyntaxWarning in Python


def test_equal_subexpressions_are_one_step():
    steps = parse("(a + b) * (a + b)").steps
    assert [(s.kind, s.word) for s in steps] == [
        ("variable", "a"),
        ("variable", "b"),
        ("call", "add"),
        ("call", "multiply"),
    ]
    assert steps[-1].inputs == (2, 2)


def test_variables_are_in_the_order_of_the_text_and_constants_are_none():
    assert parse("b*a + pi*e + b").variables == ("b", "a")


def value(text, **values):
    return parse(text).evaluate(values)[-1].value.item()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-x**2", -9.0), ("2**-x", 0.125), ("x**2**0.5", 3**2**0.5), ("-x*-x", 9.0), ("+x", 3.0), ("8/4/x", 2 / 3),
        ("x-2-1", 0.0), ("2*pi*x", 6 * math.pi), ("e**x", math.e**3), ("ln(e)+x", 4.0), ("  x ", 3.0), ("abs(-x)", 3.0),
        ("θ", 3.0), ("x*1e3", 3000.0), (".5*x", 1.5),
    ],
)  # fmt: skip
def test_the_meaning_is_python_s(text, expected):
    assert value(text, x=3.0, θ=3.0) == pytest.approx(expected, rel=1e-15)


def test_hostile_powers_cost_nothing_and_are_told():
    assert value("10**10**10") == math.inf
    with pytest.raises(ConfigError, match="column 1: the value is inf"):
        trace(parse("10**10**10*x"), {"x": 1.0})


# random expressions -------------------------------------------------------------------------

NAMES = {"a": 1.3, "b": -0.7, "c": 2.1}
PYTHON = {
    "sin": math.sin, "cos": math.cos, "tanh": math.tanh, "exp": math.exp, "sqrt": math.sqrt, "log": math.log,
    "arctan": math.atan, "sigmoid": lambda x: 1 / (1 + math.exp(-x)), "maximum": max, "hypot": math.hypot,
}  # fmt: skip
leaves = st.sampled_from([*NAMES, "2", "0.5", "3", "pi"])


def grow(inner):
    return st.one_of(
        st.tuples(inner, st.sampled_from("+-*/"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(inner, st.sampled_from(["2", "3", "-1"])).map(lambda t: f"({t[0]})**{t[1]}"),
        inner.map(lambda x: f"-({x})"),
        st.tuples(st.sampled_from(["sin", "cos", "tanh", "exp", "arctan", "sigmoid", "sqrt", "log"]), inner).map(
            lambda t: f"{t[0]}({t[1]})"
        ),
        st.tuples(st.sampled_from(["maximum", "hypot"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    )  # fmt: skip


expressions = st.recursive(leaves, grow, max_leaves=12)


def python_value(text):
    """The value computed by Python; None if it is not finite."""
    try:
        result = eval(text, {"__builtins__": {}}, {**PYTHON, **NAMES, "pi": math.pi})
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        return None
    return result if isinstance(result, float) and math.isfinite(result) else None


@given(expressions)
def test_random_expressions_have_python_s_value(text):
    expected = python_value(text)
    assume(expected is not None)
    parsed = parse(text)
    results = [x.value.item() for x in parsed.evaluate(NAMES)]
    assume(all(abs(x) < 1e8 for x in results))  # else the last bits of exp and ** grow
    scale = max(map(abs, results))
    assert results[-1] == pytest.approx(expected, rel=1e-9, abs=1e-12 * scale)


@given(expressions)
def test_backprop_is_the_central_difference(text):
    assume(python_value(text) is not None)
    parsed = parse(text)
    values = {name: NAMES[name] for name in parsed.variables}
    assume(values)
    try:
        seen = trace(parsed, values)
    except ConfigError:  # not finite somewhere inside, or no finite slope
        assume(False)
    assume(all(abs(n.value) < 50 and abs(n.gradient) < 1e3 for n in seen.nodes))
    assume(all(abs(e.local) < 1e3 for e in seen.edges))
    assume(all(abs(seen.nodes[e.source].value) > 0.05 for e in seen.edges))  # kinks, 1/x, sqrt
    for c in compare(parsed, values, seen):
        if np.isfinite(c.numeric):
            assert c.backprop == pytest.approx(c.numeric, rel=1e-4, abs=1e-4)
