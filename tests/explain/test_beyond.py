"""Overflow, underflow, log(0) and their cures. Numbers: anchors/learners.md, section 9."""

import numpy as np
import pytest

from backproplab import explain
from backproplab.explain.beyond import _computed
from backproplab.explain.lines import joined
from backproplab.explain.stable import FORMS, stable_form
from backproplab.explain.values import read_point

NAIVE, SHIFTED = "-log((exp(z)/sum(exp(z)))[{0}])", "-log(softmax(z)[{0}])"
CLIPPED = "-log(minimum(maximum(softmax(z)[{0}], {1}), 1 - {1}))"
FUSED = "cross_entropy(z, {0})"


def value(text, words, dtype=np.float64):
    return _computed(*read_point(text, words), dtype)


# logits, class, naive, shifted, clipped at 1e-7 and at 1e-4, fused (float64)
TABLE = [
    ([1000, 0], 0, np.nan, 0, 1.0e-7, -np.log(1 - 1e-4), 0),
    ([1000, 0], 1, np.inf, np.inf, 16.118095, 9.210340, 1000),
    ([100, 0], 1, 100, 100, 16.118095, 9.210340, 100),
    ([20, 0], 1, 20, 20, 16.118095, 9.210340, 20),
    ([16, 0], 1, 16, 16, 16, 9.210340, 16),
    ([-1000, -10, -8], 0, np.inf, np.inf, 16.118095, 9.210340, 992.126928011043),
    ([1, 2, 3], 2, 0.40760596, 0.40760596, 0.40760596, 0.40760596, 0.4076059644443804),
]


@pytest.mark.parametrize(("logits", "label", "naive", "shifted", "clip7", "clip4", "fused"), TABLE)
def test_the_four_forms_of_cross_entropy(logits, label, naive, shifted, clip7, clip4, fused):
    words = [f"z={logits}"]
    forms = (
        NAIVE.format(label),
        SHIFTED.format(label),
        CLIPPED.format(label, "1e-7"),
        CLIPPED.format(label, "1e-4"),
        FUSED.format(label),
    )
    found = [float(value(form, words)[0]) for form in forms]
    np.testing.assert_allclose(found, [naive, shifted, clip7, clip4, fused], rtol=2e-6, atol=1e-9)


def test_in_float32_the_forms_fail_earlier():
    assert value(NAIVE.format(1), ["z=[100,0]"], np.float32)[0] == np.inf
    assert value(SHIFTED.format(1), ["z=[100,0]"], np.float32)[0] == pytest.approx(
        99.98309, rel=1e-6
    )
    assert value(CLIPPED.format(0, "1e-7"), ["z=[1000,0]"], np.float32)[0] == pytest.approx(
        1.19e-7, rel=2e-2
    )
    assert value("-log(1 - sigmoid(x))", ["x=17"], np.float32)[0] == np.inf
    assert value("softplus(x)", ["x=17"], np.float32)[0] == pytest.approx(17)


def test_the_clip_has_no_gradient_and_the_fused_form_has():
    words = ["z=[1000,0]"]
    assert value(CLIPPED.format(1, "1e-7"), words)[1]["z"].tolist() == [0, 0]
    assert value(FUSED.format(1), words)[1]["z"].tolist() == [1, -1]


@pytest.mark.parametrize(
    ("text", "x", "result"),
    [
        ("logsumexp(x)", [1000, 1000], 1000.6931471805599),
        ("logsumexp(x)", [-1000, -1000], -999.3068528194401),
        ("log(sum(exp(x)))", [1000, 1000], np.inf),
        ("log(sum(exp(x)))", [-1000, -1000], -np.inf),
        ("(exp(x)/sum(exp(x)))[0]", [1000, 1000], np.nan),
        ("(exp(x)/sum(exp(x)))[0]", [-1000, -1000], np.nan),
        ("softmax(x)[0]", [1000, 1000], 0.5),
        ("softmax(x)[1]", [-1000, -10, -8], 0.11920292202211757),
        ("exp(x[0])", [-10], 4.5399929762484854e-05),
        ("log(1 + x[0])", [1e-10], 1.000000082690371e-10),
        ("log1p(x[0])", [1e-10], 9.999999999500001e-11),
    ],
)
def test_what_overflows_and_what_does_not(text, x, result):
    assert float(value(text, [f"x={x}"])[0]) == pytest.approx(result, rel=1e-12, nan_ok=True)


def lines(text, words):
    (found,) = (
        s
        for s in explain.of_expression(text, words).report.sections
        if s.title == "Beyond the numbers"
    )
    return [joined(line) for line in found.body]


def test_infinities_are_shown_as_they_spread():
    assert lines("exp(x)/exp(x)", ["x=1000"])[:5] == [
        "c = exp(x) = exp(1000) = inf   the first step that left the numbers: exp(x) overflows above 709.7827",
        "f = c / c = inf / inf = nan   it spreads",
        "df/dc = nan   the first gradient that is lost; lost are those of c, x",
        "stable form  exp(x - x) = 1",
        "             df/dx = 0",
    ]


def test_finite_values_are_not_talked_about():
    titles = [s.title for s in explain.of_expression("exp(x)", ["x=1"]).report.sections]
    assert "Beyond the numbers" not in titles


def test_a_lost_gradient_of_a_finite_value_is_named():
    assert lines("sqrt(x)", ["x=0"]) == [
        "df/dx = inf   the first gradient that is lost; lost are those of x",
        "stable form: none known",
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.pattern)
def test_a_stable_form_has_the_value_of_its_pattern(form):
    vector = any(word in form.pattern for word in ("sum(", "mean(", "[", "softmax"))
    letters = {"A": "[0.3, 0.8]" if vector else "0.3", "B": "0.7", "C": "1e-7"}
    text = form.pattern.replace("[B]", "[1]")
    stable, used = stable_form(text)
    assert used == [form]
    found = [
        value(each, [f"{name}={x}" for name, x in letters.items() if name in each])[0]
        for each in (text, stable)
    ]
    np.testing.assert_allclose(*found, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "word", "stable"),
    [
        ("log(1 + x)", "x=1e-10", "log1p(x) = 9.999999999500001e-11"),
        ("-log(maximum(softmax(z)[1], 1e-7))", "z=[1000,0]", "cross_entropy(z, 1) = 1000"),
        ("mean(x**2) - mean(x)**2", "x=[1000000004,1000000016]", "mean((x - mean(x)) ** 2) = 36"),
    ],
)
def test_lost_digits_and_gradients_have_their_stable_form_beside(text, word, stable):
    sections = explain.of_expression(text, [word]).report.sections
    (lost,) = [section for section in sections if section.title == "Lost digits"]
    assert stable in joined(lost.body[0])


def test_a_formula_that_loses_nothing_has_none_beside():
    titles = [s.title for s in explain.of_expression("log(1 + exp(x))", ["x=2"]).report.sections]
    assert "Lost digits" not in titles


def test_forms_are_found_within_formulas_in_both_orders():
    assert stable_form("2 * log(exp(x) + 1) + y")[0] == "2 * softplus(x) + y"
    assert stable_form("x**2 + 1") == ("x ** 2 + 1", [])


def test_one_command_shows_every_step_in_every_type():
    asked = explain.Asked(types=("float16", "float32", "float64"))
    table = explain.of_expression("exp(x)/exp(x)", ["x=100"], asked).report.sections[-1].body
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["c = exp(x)"] == ("inf", "inf", "2.68812e+43")
    assert rows["f = c / c"] == ("nan", "nan", "1")
    assert rows["stable: exp(x - x)"] == ("1", "1", "1")
    assert rows["exp overflows above"] == ("11.0899", "88.7228", "709.783")
    assert rows["exp is 0 below"] == ("-17.3287", "-103.972", "-745.133")
