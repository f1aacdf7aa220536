"""The report: the numbers of the course, in order, and Markdown that a student can hand in."""

import pytest

from backproplab import explain
from backproplab.explain import ReportTable
from backproplab.explain.report import rounded

COURSE = explain.of_expression("(a + b) * (b + 1)", ["a=2", "b=1"])


def body(explanation, word):
    (section,) = (s for s in explanation.report.sections if s.title.startswith(word))
    return section.body


def test_forward_node_by_node():
    assert body(COURSE, "Forward") == [
        "a = 2",
        "b = 1",
        "c = a + b = 3",
        "d = b + 1 = 2",
        "f = c * d = 6",
    ]


def test_backward_edge_by_edge_with_the_rule():
    assert body(COURSE, "Backward").rows == [
        ("f -> c", "product", "df/dc = d = 2", "1 * 2 = 2"),
        ("f -> d", "product", "df/dd = c = 3", "1 * 3 = 3"),
        ("d -> b", "sum", "dd/db = 1", "3 * 1 = 3"),
        ("c -> a", "sum", "dc/da = 1", "2 * 1 = 2"),
        ("c -> b", "sum", "dc/db = 1", "2 * 1 = 2"),
    ]


def test_every_path_with_its_product_and_the_sum():
    assert body(COURSE, "Paths") == [
        "f -> c -> a: 2 * 1 = 2",
        "df/da = 2",
        "f -> c -> b: 2 * 1 = 2",
        "f -> d -> b: 3 * 1 = 3",
        "df/db = 2 + 3 = 5",
    ]


def test_more_than_64_paths_are_counted_only():
    deep = explain.of_expression("mish(" * 7 + "a" + ")" * 7, ["a=1"])
    (line,) = body(deep, "Paths")
    assert line.startswith("a: 128 paths, their sum df/da = ")
    assert len(body(explain.of_expression("mish(" * 6 + "a" + ")" * 6, ["a=1"]), "Paths")) == 65


def test_three_ways_in_one_table():
    table = body(explain.of_expression("sin(x**2)", ["x=3"]), "Three")
    assert isinstance(table, ReportTable)
    ((name, numeric, off, symbolic, _, backprop),) = table.rows
    assert (name, backprop) == ("df/dx", "-5.466781571308061")
    assert float(numeric) == pytest.approx(-5.466781571308061, rel=1e-8)
    assert float(symbolic) == pytest.approx(-5.466781571308061, rel=1e-15)
    assert float(off) < 1e-8


def test_a_disagreement_is_explained():
    assert (
        "numeric and backprop differ"
        in body(explain.of_expression("relu(x)", ["x=0"]), "Symbolic")[-1]
    )
    assert len(body(COURSE, "Symbolic")) == 2


def test_long_formulas_are_cut():
    long = explain.of_expression("mish(" * 4 + "a" + ")" * 4, ["a=1"])
    (line,) = body(long, "Symbolic")
    assert line.endswith("characters)")
    assert len(line) < 200


def test_negative_factors_stand_in_brackets():
    lines = body(explain.of_expression("-x * -3", ["x=2"]), "Paths")
    assert lines[0] == "f -> c -> x: (-3) * (-1) = 3"


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 3, "0.333333333333"), (2.0, "2"), (-1e-20, "-1e-20")]
)
def test_rounded(value, text):
    assert rounded(value) == text


def test_markdown_can_be_handed_in():
    text = COURSE.markdown()
    lines = text.splitlines()
    assert lines[0] == "# `f = (a + b) * (b + 1)`"
    assert "| `f -> c` | `product` | `df/dc = d = 2` | `1 * 2 = 2` |" in lines
    assert text.count("```") % 2 == 0
    graph = text.split("```")[1].splitlines()[1:]
    assert graph == [
        "f = c * d   6   df/df = 1",
        "  c = a + b   3   df/dc = 2",
        "    a   2   df/da = 2",
        "    b   1   df/db = 5",
        "  d = b + 1   2   df/dd = 3",
        "    b   1   df/db = 5",
        "    1",
    ]
    rows = [line for line in lines if line.startswith("|")]
    assert {row.count("|") for row in rows} == {5, 7}


def test_the_text_graph_unfolds_a_shared_node_once():
    shared = explain.of_expression("sin(a) * sin(a)", ["a=1"]).markdown()
    assert shared.count("c = sin(a)   ") == 1
    assert "  c: see above" in shared
    deep = explain.of_expression("mish(" * 50 + "a" + ")" * 50, ["a=1"]).markdown()
    assert len(deep) < 100_000
