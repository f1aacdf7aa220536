"""The report: the numbers of the course, in order, and Markdown that a student can hand in."""

import pytest

from backproplab import explain
from backproplab.explain import ReportTable
from backproplab.explain.lines import joined, rounded

COURSE = explain.of_expression("(a + b) * (b + 1)", ["a=2", "b=1"])


def body(explanation, word):
    (section,) = (s for s in explanation.report.sections if s.title.startswith(word))
    return section.body


def lines(explanation, word):
    return [joined(line).rstrip() for line in body(explanation, word)]


def test_forward_node_by_node():
    assert lines(COURSE, "Forward") == [
        "a = 2",
        "b = 1",
        "c = a + b = 2 + 1 = 3",
        "d = b + 1 = 1 + 1 = 2",
        "f = c * d = 3 * 2 = 6",
    ]


def test_backward_edge_by_edge_with_the_rule_and_the_gradient_that_arrives():
    assert [(row[0], row[1], *row[3:5]) for row in body(COURSE, "Backward").rows] == [
        ("f -> c", "product", "df/dc = d = 2", "df/dc = 1 * 2 = 2"),
        ("f -> d", "product", "df/dd = c = 3", "df/dd = 1 * 3 = 3"),
        ("d -> b", "sum", "dd/db = 1", "df/db = 3 * 1 = 3 + ..."),
        ("c -> a", "sum", "dc/da = 1", "df/da = 2 * 1 = 2"),
        ("c -> b", "sum", "dc/db = 1", "df/db = 3 + 2 * 1 = 5"),
    ]
    words = [row[5] for row in body(COURSE, "Backward").rows]
    assert words[2:] == [
        "b is used again: not complete",
        "a + eps moves f by 2 * eps",
        "b + eps moves f by 5 * eps",
    ]


def test_every_path_with_symbols_numbers_and_the_sum():
    assert lines(COURSE, "Paths") == [
        "df/da = df/df * df/dc * dc/da = 1 * d * 1 = 1 * 2 * 1 = 2",
        "df/db = df/df * df/dc * dc/db + df/df * df/dd * dd/db   b -> c -> f",
        "      =       1 * d * 1       +       1 * c * 1         b -> d -> f",
        "      =       1 * 2 * 1       +       1 * 3 * 1",
        "      =           2           +           3           = 5",
    ]


def test_the_paths_of_a_total_derivative_stand_below_each_other():
    # anchors/learners.md, section 7
    total = explain.of_expression("x**2 + sin(x*y)", ["x=t**2", "y=exp(t)", "t=0.5"])
    assert lines(total, "Forward")[1] == "x = t ** 2 = 0.5 ** 2 = 0.25"
    *paths, summed = lines(total, "Paths")
    assert [path.split(":")[0] for path in paths] == [
        "t -> x -> c -> f",
        "t -> x -> d -> e -> f",
        "t -> y -> d -> e -> f",
    ]
    assert float(summed.split(" = ")[-1]) == pytest.approx(2.3883001501507775, abs=1e-15)


def test_a_vector_shows_its_jacobian_and_the_product_with_what_arrives():
    # anchors/learners.md, section 7
    text = "[x[0]*x[1], sin(x[0]), exp(x[1])*x[2]]"
    found = explain.of_expression(text, ["x=[.5,-1,2]"], explain.Asked("[1, 2, 3]"))
    assert lines(found, "Jacobian") == [
        "df/dx = [-1, 0.5, 0]",
        "        [0.877583, 0, 0]",
        "        [0, 0.735759, 0.367879]",
        "transposed, times [1, 2, 3]: [0.755165, 2.70728, 1.10364]",
    ]
    softmax = explain.of_expression("softmax(x)", ["x=[1,2,3]"])
    rows = [
        [float(x) for x in line.split("[")[1].split("]")[0].split(",")]
        for line in lines(softmax, "Jacobian")[:3]
    ]
    diagonal = 0.08192506906499322, 0.18483644650997869, 0.22269542653462326
    assert [rows[i][i] for i in range(3)] == pytest.approx(diagonal, rel=1e-5)
    assert [sum(row) for row in rows] == pytest.approx([0] * 3, abs=2e-6)


def test_more_than_64_paths_are_counted_only():
    deep = explain.of_expression("mish(" * 7 + "a" + ")" * 7, ["a=1"])
    (line,) = lines(deep, "Paths")
    assert line.startswith("df/da = ... over 128 paths = ")
    assert len(lines(explain.of_expression("mish(" * 6 + "a" + ")" * 6, ["a=1"]), "Paths")) == 65


def test_three_ways_and_a_nudge_in_one_table():
    table = body(explain.of_expression("sin(x**2)", ["x=3"]), "Check")
    assert isinstance(table, ReportTable)
    ((name, backprop, numeric, off, symbolic, nudged),) = table.rows
    assert (name, backprop) == ("df/dx", "-5.466781571308061")
    assert float(numeric) == pytest.approx(-5.466781571308061, rel=1e-8)
    assert symbolic == "2*x*cos(x**2) = -5.46678"
    assert float(off) < 1e-8
    assert nudged == "0.412118 - 5.46678 * eps ~ 0.4066434"


def test_a_nudge_of_a_parabola_is_exact():
    assert [row[-1] for row in body(COURSE, "Check").rows] == [
        "6 + 2 * eps = 6.002",
        "6 + 5 * eps + eps**2 = 6.005001",
    ]


def test_agreement_and_disagreement_are_said():
    said = [joined(line) for line in COURSE.report.sections[-1].body]
    assert said == ["All three agree."]
    kink = explain.of_expression("relu(x)", ["x=0"]).report.sections[-1].body
    assert joined(kink[0]).startswith("numeric and backprop differ")


def test_long_formulas_are_cut():
    long = explain.of_expression("mish(" * 4 + "a" + ")" * 4, ["a=1"])
    text = body(long, "Check").rows[0][4].partition(" = ")[0]
    assert text.endswith("characters)")
    assert len(text) < 200


def test_negative_factors_stand_in_brackets():
    assert lines(explain.of_expression("-x * -3", ["x=2"]), "Paths") == [
        "df/dx = df/df * df/dc * dc/dx = 1 * (-3) * (-1) = 3"
    ]


@pytest.mark.parametrize(
    ("value", "text"), [(1 / 3, "0.333333333333"), (2.0, "2"), (-1e-20, "-1e-20")]
)
def test_rounded(value, text):
    assert rounded(value) == text


def test_markdown_can_be_handed_in():
    text = COURSE.markdown()
    lines = text.splitlines()
    assert lines[0] == r"# $f = (a + b) \cdot (b + 1)$ at $a = 2$, $b = 1$"
    assert r"f & = c \cdot d = 3 \cdot 2 = 6" in lines
    assert r"& = 2 + 3 = 5" in lines
    assert any(r"$\frac{\partial f}{\partial c} = d = 2$" in line for line in lines)
    assert text.count("```") % 2 == text.count("$$") % 2 == 0
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
    assert {row.count("|") for row in rows} == {7}


def test_the_text_graph_unfolds_a_shared_node_once():
    shared = explain.of_expression("sin(a) * sin(a)", ["a=1"]).markdown()
    assert shared.count("c = sin(a)   ") == 1
    assert "  c: see above" in shared
    deep = explain.of_expression("mish(" * 50 + "a" + ")" * 50, ["a=1"]).markdown()
    assert len(deep) < 100_000
